"""What re-pricing a period would change, and what it did: before and after, by day and by charge."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from apps.core import csv_safe
from apps.core.ids import uuid7_floor
from apps.costs import ledger_corrections, pricing, repricing
from apps.costs.ledger_corrections import Standing
from apps.costs.models import AxisName, Charge, Repricing, SpendAxis, SpendDay

ZERO = Decimal(0)
LOOKED_AT = 10_000  # calls that a preview prices, in about a second
AT_ONCE = 500
BY_CHARGE = [
    "charge_id",
    "at",
    "provider",
    "model",
    "purpose",
    "team_name",
    "api_key_name",
    "prompt_name",
    "version_number",
    "customer",
    "was_unpriced",
    "before",
    "after",
    "difference",
    "price_ids",
]
BY_DAY = ["day", "calls", "changed", "was_unpriced", "still_unpriced", "before", "after", "difference"]

# All rows of a charge are signed, so what it stood at is the sum of those up to a step. One pass over the period, for
# a join would hang on how well the planner guesses the number of corrections.
_DAYS = """
SELECT (at AT TIME ZONE %(zone)s)::date, count(*), sum(unpriced_before)::int, sum(unpriced_after)::int,
    sum(before), sum(after)
FROM (
    SELECT root, min(at) AS at,
        sum(cost) FILTER (WHERE step < first) AS before, sum(cost) AS after,
        sum(unpriced) FILTER (WHERE step < first) AS unpriced_before, sum(unpriced) AS unpriced_after
    FROM (
        SELECT rows.*, min(step) FILTER (WHERE is_mine) OVER one AS first, max(step) FILTER (WHERE is_mine) OVER one AS last
        FROM (
            SELECT coalesce(corrects, id) AS root, at, coalesce(cost, 0) AS cost,
                CASE WHEN cost IS NULL THEN calls ELSE 0 END AS unpriced,
                CASE WHEN corrects IS NULL THEN 0 ELSE split_part(source_id, '#', -1)::int END AS step,
                source = %(source)s AND source_id LIKE %(mark)s AS is_mine
            FROM costs_charge
            WHERE workspace_id = %(workspace)s AND id >= %(first)s AND id < %(end)s
        ) rows WINDOW one AS (PARTITION BY root)
    ) steps WHERE step <= last GROUP BY root
) charges GROUP BY 1 ORDER BY 1
"""


@dataclass
class Day:
    """What the calls of one day stood at before and after. In a report only those that changed are in it."""

    day: date
    calls: int = 0
    changed: int = 0
    was_unpriced: int = 0
    still_unpriced: int = 0
    before: Decimal = ZERO
    after: Decimal = ZERO

    @property
    def difference(self) -> Decimal:
        return self.after - self.before

    def add(self, before: Decimal | None, after: Decimal | None) -> None:
        self.calls += 1
        self.changed += before != after
        self.was_unpriced += before is None
        self.still_unpriced += after is None
        self.before += before or ZERO
        self.after += after or ZERO


@dataclass(frozen=True)
class Preview:
    """The days that were priced, newest calls first, whether that was all of the period, and what lacks a price."""

    days: list[Day]
    total: Day
    is_whole: bool
    reasons: list[tuple[str, int]]


@dataclass(frozen=True)
class Change:
    """A charge that a re-pricing changed: what counted of it then, and what it stood at before and after."""

    row: Charge
    before: Decimal | None
    after: Decimal | None
    price_ids: list[int]

    @property
    def difference(self) -> Decimal:
        return (self.after or ZERO) - (self.before or ZERO)


def preview(wanted: Repricing) -> Preview:
    """Price the period without writing anything: all of it, or its newest calls when they are too many to wait for."""
    pricing.forget()
    found = list(islice(_standings(wanted), LOOKED_AT + 1))
    days: dict[date, Day] = {}
    reasons: Counter[str] = Counter()
    zone = wanted.workspace.zone
    priceless = pricing.without_any(_model(one.row) for one in found)
    for standing in found[:LOOKED_AT]:
        row, has_any = standing.row, _model(standing.row) not in priceless
        day = standing.root.at.astimezone(zone).date()
        after = repricing.price_of(row).cost if has_any or row.cost is not None else None
        days.setdefault(day, Day(day)).add(standing.cost, after)
        if after is None:
            reasons[f"{row.model} of {row.provider}: {pricing.missing(row, has_any=has_any)}"] += 1
    ordered = sorted(days.values(), key=lambda found: found.day)
    return Preview(ordered, total_of(ordered, wanted.first), len(found) <= LOOKED_AT, reasons.most_common())


def _model(row: Charge) -> tuple[int, str, str]:
    return row.workspace_id, row.provider, row.model


def _standings(wanted: Repricing) -> Iterator[Standing]:
    """Yield what the charges of a period stand at, the newest first; of the unpriced, those that still are."""
    if not wanted.only_unpriced:
        charges = repricing.charges_of(wanted).newest_first()[: LOOKED_AT + 1]
        for batch in _batches(charges):
            yield from ledger_corrections.standings(batch)
        return
    # A day's sum says how many charges of it have no price now, after all corrections.
    rows = SpendAxis.objects.of(wanted.workspace_id, AxisName.ALL).within(wanted.first, wanted.last)
    for day in rows.filter(unpriced_calls__gt=0).order_by("-day").values_list("day", flat=True):
        names = {"provider": wanted.provider, "model": wanted.model, "only_unpriced": True}
        one = Repricing(workspace=wanted.workspace, first=day, last=day, **names)
        charges = repricing.charges_of(one).newest_first()
        for batch in _batches(charges.iterator(chunk_size=AT_ONCE)):
            yield from (found for found in ledger_corrections.standings(batch) if found.cost is None)


def still_unpriced(wanted: Repricing) -> Preview:
    """Look at what has no price in the days of a re-pricing now, and why."""
    names = {"provider": wanted.provider, "model": wanted.model, "only_unpriced": True}
    return preview(Repricing(workspace=wanted.workspace, first=wanted.first, last=wanted.last, **names))


def total_of(days: Iterable[Day], first: date) -> Day:
    """Return all days as one."""
    total = Day(first)
    for day in days:
        for name in ("calls", "changed", "was_unpriced", "still_unpriced", "before", "after"):
            setattr(total, name, getattr(total, name) + getattr(day, name))
    return total


def days_of(wanted: Repricing) -> list[Day]:
    """Return, by day, the charges that a re-pricing changed."""
    first, end = (uuid7_floor(moment) for moment in repricing.bounds(wanted, wanted.workspace.zone))
    values: dict[str, Any] = {
        "workspace": wanted.workspace_id,
        "first": first,
        "end": end,
        "mark": f"{repricing.reason_of(wanted.pk)}#%",
        "source": ledger_corrections.SOURCE,
        "zone": wanted.workspace.time_zone,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, values)
        return [Day(day, calls, calls, *rest) for day, calls, *rest in cursor.fetchall()]


def changes(wanted: Repricing) -> Iterator[Change]:
    """Yield the charges that a re-pricing changed, oldest first, whatever was corrected before or since."""
    zone = wanted.workspace.zone
    mark = f"{repricing.reason_of(wanted.pk)}#"
    days = Charge.objects.between(*repricing.bounds(wanted, zone)).filter(workspace_id=wanted.workspace_id)
    roots = days.filter(source=ledger_corrections.SOURCE, source_id__startswith=mark).order_by("corrects")
    ids = (row["corrects"] for row in roots.values("corrects").distinct().iterator(chunk_size=AT_ONCE))
    for batch in _batches(ids):
        yield from _changes(batch, mark)


def _changes(ids: list[UUID], mark: str) -> Iterator[Change]:
    rows: dict[UUID, list[Charge]] = {pk: [] for pk in ids}
    for root in Charge.objects.filter(pk__in=ids):
        rows[root.pk].append(root)
    for row in Charge.objects.filter(corrects__in=ids):
        if row.corrects:
            rows[row.corrects].append(row)
    for pk in ids:
        chain_of_one = sorted(rows[pk], key=_step)
        mine = [row for row in chain_of_one if row.source_id.startswith(mark)]
        earlier = [row for row in chain_of_one if _step(row) < _step(mine[0])]
        before, after = _stands_at(earlier), _stands_at([*earlier, *mine])
        yield Change(earlier[0], before, after, mine[-1].price_ids)


def _step(row: Charge) -> int:
    return int(row.source_id.rpartition("#")[2]) if row.corrects else 0


def _stands_at(rows: list[Charge]) -> Decimal | None:
    """Return what a charge stands at after these rows: the last full one, and the differences since."""
    cost: Decimal | None = None
    for row in rows:
        if row.calls == 1:
            cost = row.cost
        elif row.calls == 0:
            cost = (cost or ZERO) + (row.cost or ZERO)
    return cost


def lines_by_day(wanted: Repricing) -> Iterator[str]:
    """Yield the report by day as CSV."""
    rows = ([getattr(day, name) for name in BY_DAY] for day in days_of(wanted))
    return csv_safe.stream(chain([BY_DAY], rows))


def lines_by_charge(wanted: Repricing) -> Iterator[str]:
    """Yield every charge that changed as CSV."""
    return csv_safe.stream(chain([BY_CHARGE], (_cells(change) for change in changes(wanted))))


def _cells(change: Change) -> list[Any]:
    row = change.row
    facts = [getattr(row, name) for name in BY_CHARGE[2:10]]
    amounts = [change.before is None, change.before, change.after, change.difference, change.price_ids]
    return [str(row.pk), row.at, *facts, *amounts]


def to_look_at(wanted: Repricing) -> int:
    """Return about how many charges a re-pricing has to look at in all, from the sums."""
    rows = SpendDay.objects.within(wanted.first, wanted.last).filter(workspace_id=wanted.workspace_id)
    for name in ("provider", "model"):
        if value := getattr(wanted, name):
            rows = rows.filter(**{name: value})
    sums = rows.aggregate(calls=Sum("calls"), unpriced=Sum("unpriced_calls"))
    if wanted.only_unpriced:
        # What found a price has left the sum of the unpriced.
        return wanted.charges_seen - wanted.after_unpriced + (sums["unpriced"] or 0)
    return sums["calls"] or 0


def _batches(found: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(found)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch
