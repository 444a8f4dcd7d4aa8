"""Which models do not answer now, since when and why, what waits for them, and whether they are back."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.core.errors import DomainError
from apps.llm import governor
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.models import Call, Connection, Lane, Waiter

PROBE_SECONDS = 8.0
AT_ONCE = 8
# So long without any answer to as many calls as make an outage is one, whatever they come to in the end.
SILENCE = timedelta(seconds=45)
LONGEST_CALL = timedelta(minutes=15)
# A list of models shows that the way there is open again and the key is good; not that anything else works.
SHOWN_BY_LIST = frozenset({ErrorKind.CONNECTION, ErrorKind.AUTHENTICATION})
# After this long without a call, what the last ones met is no longer news: the next call is the trial.
QUIET = timedelta(minutes=30)
MOST = 32  # connections that one ring of the schedule asks; the next ring asks again

WORDS = {
    ErrorKind.CONNECTION: ("has not answered", "it cannot be reached"),
    ErrorKind.TIMEOUT: ("has not answered", "nothing comes back in time"),
    ErrorKind.SERVER_ERROR: ("has failed", "errors on its side"),
    ErrorKind.OVERLOADED: ("has been overloaded", "it turns calls away"),
    ErrorKind.AUTHENTICATION: ("has refused the key", ""),
    ErrorKind.PERMISSION: ("has not let the key call", ""),
}


@dataclass(frozen=True)
class Outage:
    """A connection of which some models do not answer, and who waits for them."""

    connection_id: int
    connection: str
    models: tuple[str, ...]
    model_ids: tuple[int, ...]
    since: datetime
    failed_at: datetime | None
    verb: str
    why: str
    waiting: int
    in_flight: int

    @property
    def is_old(self) -> bool:
        """Tell whether the hour alone no longer says when it began."""
        return timezone.now() - self.since > timedelta(hours=18)


def of_workspace(workspace: Workspace) -> list[Outage]:
    """Return what is down, longest first. While nothing is, nor is busy, that is one query over a row for each model."""
    found = Lane.objects.of_workspace(workspace.pk).down_or_busy().select_related("model__connection")
    lanes = [lane for lane in found if lane.is_down]
    lanes += _silent([lane for lane in found if not lane.is_down], timezone.now())
    lanes.sort(key=lambda lane: (lane.failing_since, lane.model.name))
    if not lanes:
        return []
    waiting = _waiting(lanes)
    by_connection: dict[int, list[Lane]] = {}
    for lane in lanes:
        by_connection.setdefault(lane.model.connection_id, []).append(lane)
    return [_outage(group, waiting) for group in by_connection.values()]


def _silent(lanes: list[Lane], now: datetime) -> list[Lane]:
    """Return the lanes in which many calls have waited for long and none has ended meanwhile, as if they had failed.

    A provider that hangs fails nothing until the calls' own time limits, which may be minutes away.
    """
    if not lanes:
        return []
    long_ago = now - SILENCE
    flying = Call.objects.filter(model__in=[lane.pk for lane in lanes], state=Call.State.SENT, sent_at__lt=long_ago)
    oldest = {
        row["model_id"]: row["oldest"]
        for row in flying.values("model_id").annotate(oldest=Min("sent_at"), calls=Count("pk"))
        if row["calls"] >= Lane.DOWN_AFTER
    }
    ended = Call.objects.filter(model__in=list(oldest), ended_at__gte=long_ago).since(now - LONGEST_CALL)
    heard = set(ended.values_list("model_id", flat=True)) if oldest else set()
    silent = [lane for lane in lanes if lane.pk in oldest.keys() - heard]
    for lane in silent:
        lane.failing_since, lane.last_error = oldest[lane.pk], ErrorKind.TIMEOUT
    return silent


def _waiting(lanes: Iterable[Lane]) -> dict[int, int]:
    rows = Waiter.objects.recent().filter(model__in=[lane.pk for lane in lanes])
    return dict(rows.values("model_id").annotate(n=Count("pk")).values_list("model_id", "n"))


def _outage(lanes: list[Lane], waiting: dict[int, int]) -> Outage:
    first = lanes[0]
    verb, why = (
        WORDS.get(ErrorKind(first.last_error), ("has not answered", "")) if first.last_error else ("has failed", "")
    )
    connection = first.model.connection
    return Outage(
        connection_id=connection.pk,
        connection=connection.name,
        models=tuple(lane.model.name for lane in lanes),
        model_ids=tuple(lane.pk for lane in lanes),
        since=min(lane.failing_since for lane in lanes if lane.failing_since),
        failed_at=max((lane.failed_at for lane in lanes if lane.failed_at), default=None),
        verb=verb,
        why=why,
        waiting=sum(waiting.get(lane.pk, 0) for lane in lanes),
        in_flight=sum(lane.in_flight for lane in lanes),
    )


def probe_lanes() -> int:
    """Ask the providers of lanes that are down for their models, which is free; mark up those that it shows to work.

    Where a list shows too little, the next call that is answered tells, or half an hour in which nobody called. Return
    how many lanes came up. Each provider is asked once, some at a time, and none for long.
    """
    lanes = list(Lane.objects.down().select_related("model__connection").order_by("failing_since"))
    connections = {lane.model.connection_id: lane.model.connection for lane in lanes}
    asked = list(connections.values())[:MOST]
    if not asked:
        return 0
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        answers = dict(zip((connection.pk for connection in asked), pool.map(_answers, asked), strict=True))
    now = timezone.now()
    up = [lane for lane in lanes if answers.get(lane.model.connection_id) and _may_be_up(lane, now)]
    for lane in up:
        governor.mark_up(lane)
    return len(up)


def _may_be_up(lane: Lane, now: datetime) -> bool:
    """Tell whether a list of models is enough to say that the lane is up: a server that lists need not answer."""
    return lane.last_error in SHOWN_BY_LIST or lane.failed_at is None or lane.failed_at < now - QUIET


def _answers(connection: Connection) -> bool:
    """Ask for the models of a connection; an answer that there is no such list is one, too."""
    from apps.llm import clients  # the SDKs take a second to import

    try:
        clients.client_of(connection).models(timeout=PROBE_SECONDS)
    except ProviderError as error:
        return error.kind == ErrorKind.NOT_FOUND
    except DomainError:
        return False
    return True
