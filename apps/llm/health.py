"""How connections are doing: from the calls of the last day, and by asking the provider now."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Aggregate, Count, FloatField, Q

from apps.accounts.models import User, Workspace
from apps.core.errors import DomainError
from apps.costs.models import Meter, Price, Purpose
from apps.llm import inference
from apps.llm.attribution import Attribution
from apps.llm.completion import CompletionRequest
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.models import Call, Connection

WINDOW = timedelta(hours=24)
FAILING_SHARE = 0.5
SHAKY_SHARE = 0.05
PROBE_SECONDS = 15.0


class Median(Aggregate):
    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True)
class Health:
    """A connection's last day in numbers and in a word."""

    calls: int = 0
    failed: int = 0
    median_ms: float | None = None

    @property
    def error_share(self) -> float:
        return self.failed / self.calls if self.calls else 0.0

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
    ended = Call.objects.filter(workspace=workspace).since(now - WINDOW).exclude(state=Call.State.SENT)
    rows = ended.values("model__connection_id").annotate(
        calls=Count("pk"),
        failed=Count("pk", filter=Q(state__in=Call.TROUBLED)),
        median_ms=Median("latency_ms", filter=Q(state=Call.State.ANSWERED)),
    )
    return {row["model__connection_id"]: Health(row["calls"], row["failed"], row["median_ms"]) for row in rows}


def priced_models(workspace: Workspace, now: datetime) -> set[tuple[str, str]]:
    """Return (provider, model) of what has a price for its input and its output now."""
    rows = Price.objects.filter(workspace=workspace, meter__in=[Meter.INPUT, Meter.OUTPUT]).in_force(now)
    both = rows.values("provider", "model").annotate(meters=Count("meter", distinct=True)).filter(meters=2)
    return set(both.values_list("provider", "model"))


@dataclass(frozen=True)
class Finding:
    """What a test of a connection found, in words, and the models that the provider says it has."""

    is_good: bool
    message: str
    models: tuple[str, ...] = ()


def probe(connection: Connection, *, asked_by: User) -> Finding:
    """Ask the provider for its models, or for one token when it has no such list. Never raises for what it finds."""
    try:
        from apps.llm import clients  # the SDKs take a second to import

        models = clients.client_of(connection).models(timeout=PROBE_SECONDS)
    except ProviderError as error:
        return _try_a_call(connection, asked_by) if error.kind == ErrorKind.NOT_FOUND else Finding(False, error.message)
    except DomainError as error:
        return Finding(False, error.message)
    counted = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    return Finding(True, f"It works: the key is accepted and {counted} can be called.", tuple(sorted(models)))


def _try_a_call(connection: Connection, asked_by: User) -> Finding:
    model = connection.models.usable().with_connection().order_by("id").first()
    if model is None:
        return Finding(
            False, "The server answers, but does not list models at this address. Add a model and test again."
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
    except DomainError as error:
        return Finding(False, error.message)
    return Finding(True, f"It works: {model.name} answered in {done.latency_ms} ms.")
