"""How models do for us: what the hourly sums of our own calls say, in total and over time."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from django.db import connection

from apps.llm import hours
from apps.llm.errors import ErrorKind

WEEK = timedelta(days=7)


@dataclass
class Observed:
    """What calls to a model (or to several) came to. Times are of answers that a provider gave, in milliseconds."""

    calls: int = 0
    failed: int = 0
    throttled: int = 0
    reused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    troubles: dict[str, int] = field(default_factory=dict)
    latencies: dict[int, int] = field(default_factory=dict)
    first_tokens: dict[int, int] = field(default_factory=dict)

    @property
    def asked(self) -> int:
        """How many times a provider was asked and we stayed for the answer."""
        return self.calls - self.reused - self.troubles.get(ErrorKind.INTERRUPTED, 0)

    @property
    def error_share(self) -> float | None:
        """Return the share of what was asked that failed; None when nothing was asked."""
        return (self.failed - self.troubles.get(ErrorKind.INTERRUPTED, 0)) / self.asked if self.asked else None

    @property
    def throttled_share(self) -> float | None:
        return self.throttled / self.asked if self.asked else None

    @property
    def p50(self) -> float | None:
        return hours.percentile(self.latencies, 0.5)

    @property
    def p95(self) -> float | None:
        return hours.percentile(self.latencies, 0.95)

    @property
    def p99(self) -> float | None:
        return hours.percentile(self.latencies, 0.99)

    @property
    def first_token_p50(self) -> float | None:
        return hours.percentile(self.first_tokens, 0.5)

    @property
    def timed(self) -> int:
        """How many answers the percentiles stand on."""
        return sum(self.latencies.values())


@dataclass(frozen=True)
class Span:
    """A stretch of time up to now, cut into slots that are drawn."""

    name: str
    label: str
    length: timedelta
    slot: timedelta


SPANS = {
    span.name: span
    for span in (
        Span("24h", "24 hours", timedelta(hours=24), timedelta(hours=1)),
        Span("7d", "7 days", timedelta(days=7), timedelta(hours=6)),
        Span("30d", "30 days", timedelta(days=30), timedelta(hours=24)),
    )
}
DEFAULT_SPAN = SPANS["7d"]

_NUMBERS = "calls, failed, throttled, reused, input_tokens, output_tokens"
_SUMS = ", ".join(f"sum({name})::bigint" for name in _NUMBERS.split(", "))
# Both questions are asked of few rows: one for each model and hour. What they say is added up where they are.
_TOTALS = """
SELECT {key}, {sums} FROM llm_callhour h JOIN llm_model m ON m.id = h.model_id WHERE {which} GROUP BY 1
"""
_COUNTS = """
SELECT {key}, t.measure, t.name, sum(t.n::bigint)::bigint
FROM llm_callhour h JOIN llm_model m ON m.id = h.model_id, LATERAL (
    SELECT 'troubles', key, value FROM jsonb_each_text(troubles)
    UNION ALL SELECT 'latencies', key, value FROM jsonb_each_text(latencies)
    UNION ALL SELECT 'first_tokens', key, value FROM jsonb_each_text(first_tokens)
) AS t (measure, name, n)
WHERE {which} GROUP BY 1, 2, 3
"""
_OF_WORKSPACE = "h.workspace_id = %(workspace)s AND h.hour >= %(since)s"
_OF_MODELS = "h.model_id = ANY(%(models)s) AND h.hour >= %(since)s"
Values = Mapping[str, int | list[int] | datetime]


def of_models(workspace_id: int, since: datetime) -> dict[int, Observed]:
    """Return what was observed of each model of the workspace since then, by its id."""
    return _by_id("h.model_id", workspace_id, since)


def of_connections(workspace_id: int, since: datetime) -> dict[int, Observed]:
    """Return the same for each connection, all of its models together."""
    return _by_id("m.connection_id", workspace_id, since)


def _by_id(key: str, workspace_id: int, since: datetime) -> dict[int, Observed]:
    values: Values = {"workspace": workspace_id, "since": hours.hour_of(since)}
    return {int(str(found)): seen for found, seen in _read(key, _OF_WORKSPACE, values).items()}


_SLOT = "to_timestamp(floor((extract(epoch FROM h.hour) + %(shift)s) / %(slot)s) * %(slot)s - %(shift)s)"


def over_time(model_ids: Collection[int], span: Span, now: datetime, zone: tzinfo) -> dict[datetime, Observed]:
    """Return what was observed of the models together in each slot of the span, oldest first, empty ones included.

    Slots begin where they do on the clocks of the zone, by what those show now.
    """
    shift = round((now.astimezone(zone).utcoffset() or timedelta()).total_seconds())
    slot = round(span.slot.total_seconds())
    last = datetime.fromtimestamp((int(now.timestamp()) + shift) // slot * slot - shift, tz=UTC)
    slots = [last - step * span.slot for step in range(round(span.length / span.slot))][::-1]
    values: Values = {"models": list(model_ids), "since": slots[0], "slot": slot, "shift": shift}
    found = _read(_SLOT, _OF_MODELS, values)
    return {moment: found.get(moment, Observed()) for moment in slots}


def _read(key: str, which: str, values: Values) -> dict[object, Observed]:
    found: dict[object, Observed] = {}
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS.format(key=key, sums=_SUMS, which=which), values)
        for group, *numbers in cursor.fetchall():
            found[group] = Observed(*numbers)
        cursor.execute(_COUNTS.format(key=key, which=which), values)
        for group, measure, name, count in cursor.fetchall():
            # The hour may have begun between the two questions.
            seen = found.setdefault(group, Observed())
            if measure == "troubles":
                seen.troubles[name] = count
            else:
                getattr(seen, measure)[int(name)] = count
    return found


def together(parts: Iterable[Observed]) -> Observed:
    """Return the sum."""
    total = Observed()
    for part in parts:
        for name in _NUMBERS.split(", "):
            setattr(total, name, getattr(total, name) + getattr(part, name))
        for kind, count in part.troubles.items():
            total.troubles[kind] = total.troubles.get(kind, 0) + count
        for mine, theirs in ((total.latencies, part.latencies), (total.first_tokens, part.first_tokens)):
            for bucket, count in theirs.items():
                mine[bucket] = mine.get(bucket, 0) + count
    return total


def milliseconds(value: float | None) -> Decimal | None:
    """Return a time as people compare it: a bucket's middle has no more than a few digits that mean anything."""
    if value is None:
        return None
    exact = Decimal(str(value))
    return round(exact, 2 - exact.adjusted())
