"""How connections are doing: from the hourly sums of the last day, and by asking the provider now."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apps.accounts.models import User, Workspace
from apps.core import formats
from apps.core.errors import DomainError
from apps.costs.models import Purpose
from apps.llm import diagnosis, inference, observed
from apps.llm.attribution import Attribution
from apps.llm.completion import CompletionRequest
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.models import Connection
from apps.llm.observed import Observed

WINDOW = timedelta(hours=24)
FAILING_SHARE = 0.5
SHAKY_SHARE = 0.05
PROBE_SECONDS = 15.0
SLOW_SECONDS = 3.0
USUAL_PATH = "The addresses of most servers that speak OpenAI's language end in /v1."


@dataclass(frozen=True)
class Health:
    """A connection's last day in numbers and in a word."""

    seen: Observed = field(default_factory=Observed)

    @property
    def calls(self) -> int:
        return self.seen.asked

    @property
    def error_share(self) -> float:
        return self.seen.error_share or 0.0

    @property
    def median_ms(self) -> float | None:
        return self.seen.p50

    @property
    def state(self) -> str:
        if not self.calls:
            return "idle"
        if self.error_share >= FAILING_SHARE:
            return "failed"
        return "degraded" if self.error_share >= SHAKY_SHARE else "healthy"

    @property
    def word(self) -> str:
        return {"idle": "No calls", "failed": "Failing", "degraded": "Shaky", "healthy": "Healthy"}[self.state]


def of_workspace(workspace: Workspace, now: datetime) -> dict[int, Health]:
    """Return the health of every connection that was called in the last 24 hours, by its id."""
    found = observed.of_connections(workspace.pk, now - WINDOW)
    return {connection: Health(seen) for connection, seen in found.items()}


@dataclass(frozen=True)
class Finding:
    """What a test of a connection found, in words, and the models that the provider says it has."""

    is_good: bool
    message: str
    models: tuple[str, ...] = ()


def probe(connection: Connection, *, asked_by: User) -> Finding:
    """Ask the provider for its models, or for one token when it has no such list. Never raises for what it finds."""
    started = time.monotonic()
    try:
        from apps.llm import clients  # the SDKs take a second to import

        models = clients.client_of(connection).models(timeout=PROBE_SECONDS)
    except ProviderError as error:
        return _try_a_call(connection, asked_by) if error.kind == ErrorKind.NOT_FOUND else _bad(connection, error)
    except DomainError as error:
        return Finding(False, error.message)
    counted = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    told = f"It works: the key is accepted and {counted} can be called."
    return Finding(True, told + _slowness(time.monotonic() - started), tuple(sorted(models)))


def _slowness(seconds: float) -> str:
    if seconds < SLOW_SECONDS:
        return ""
    return f" But it took {formats.duration(seconds * 1000)} to say so, which is slow."


def _bad(connection: Connection, error: ProviderError) -> Finding:
    """Return what is wrong, and where a look helps, what to do about it."""
    if error.kind == ErrorKind.CONNECTION and not error.reached:
        return Finding(False, diagnosis.of_address(connection.base_url) or error.message)
    if error.kind == ErrorKind.MALFORMED:
        return Finding(False, f"{error.message} Does the address lead to a web page? {USUAL_PATH}")
    if error.kind == ErrorKind.TIMEOUT:
        waited = f"We waited {PROBE_SECONDS:.0f} s: the server takes connections, but is too busy or stuck."
        return Finding(False, f"{error.message} {waited}")
    return Finding(False, error.message)


def _try_a_call(connection: Connection, asked_by: User) -> Finding:
    model = connection.models.usable().with_connection().order_by("id").first()
    if model is None:
        return Finding(
            False,
            "The server answers, but does not list models at this address. "
            f"{USUAL_PATH} If yours has no such list, add a model and test again.",
        )
    request = CompletionRequest(
        model=model,
        messages=[{"role": "user", "content": "Hi"}],
        parameters={"max_tokens": 1},
        attribution=Attribution(purpose=Purpose.PLAYGROUND, user_id=asked_by.pk, user_name=str(asked_by)),
        timeout=PROBE_SECONDS,
        max_attempts=1,
    )
    try:
        done = inference.complete(request)
    except ProviderError as error:
        if error.kind == ErrorKind.NOT_FOUND:
            return Finding(
                False,
                f"The server answers, but knows neither a list of models nor {model.name} at this "
                f"address. {USUAL_PATH}",
            )
        return _bad(connection, error)
    except DomainError as error:
        return Finding(False, error.message)
    return Finding(True, f"It works: {model.name} answered in {formats.duration(done.latency_ms)}.")
