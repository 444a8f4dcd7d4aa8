"""What a model has cost and will cost: as moments at which prices began, as rows, and as lines over time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from apps.accounts.models import User, Workspace
from apps.core import charts, formats
from apps.costs import connection_names, price_units
from apps.costs.models import Meter, Price, Tier

SHOWN_FOR = timedelta(days=730)
STATES = {"live": "In force", "superseded": "Ended", "scheduled": "Scheduled", "withdrawn": "Withdrawn"}
DRAWN = (Meter.INPUT, Meter.CACHE_READ, Meter.OUTPUT)


@dataclass(frozen=True)
class Entry:
    """One row of a model's history."""

    price: Price
    amount: Decimal
    unit: str
    words: str
    state: str

    @property
    def label(self) -> str:
        return STATES[self.state]


@dataclass(frozen=True)
class Change:
    """One price that began at a moment, and what was there before."""

    entry: Entry
    before: Decimal | None


@dataclass
class Moment:
    """What began together: prices of one source that one person let in."""

    at: datetime
    source: str
    approved_by: User | None
    state: str
    until: datetime | None
    changes: list[Change] = field(default_factory=list)
    others: int = 0


def entries_of(workspace: Workspace, provider: str, model: str, now: datetime) -> list[Entry]:
    """Return every price that a model has had or will have: by terms, then meter, the newest first."""
    rows = workspace.prices.of(provider, model).select_related("approved_by", "withdrawn_by").newest_first()
    names = connection_names.names(workspace.pk)
    order, tiers = list(Meter), [tier.value for tier in Tier]
    entries = [_entry(row, names, now) for row in rows]
    return sorted(
        entries,
        key=lambda entry: (
            tiers.index(entry.price.tier),
            entry.price.region,
            entry.price.connection_id or 0,
            entry.price.above_input_tokens,
            order.index(Meter(entry.price.meter)),
        ),
    )


def _entry(row: Price, names: Mapping[int, str], now: datetime) -> Entry:
    words = price_units.terms_words(row, names.get(row.connection_id or 0, ""))
    amount = price_units.shown(row.meter, row.unit_price)
    return Entry(row, amount, price_units.unit_words(row.meter), words, _state(row, now))


def _state(price: Price, now: datetime) -> str:
    if price.withdrawn_at:
        return "withdrawn"
    if price.valid_from > now:
        return "scheduled"
    return "superseded" if price.valid_to and price.valid_to <= now else "live"


def missing(entries: Iterable[Entry]) -> str:
    """Name which of input and output tokens has no price in force: a call that uses them stays unpriced."""
    live = {entry.price.meter for entry in entries if entry.state == "live"}
    return " and ".join(str(meter.label) for meter in (Meter.INPUT, Meter.OUTPUT) if meter not in live)


def moments(entries: Sequence[Entry], shown: int = 8) -> list[Moment]:
    """Return when prices began, newest first; of each the first few, and how many there are beside them."""
    found: dict[tuple[Any, ...], Moment] = {}
    before = _before(entries)
    for entry in entries:
        if entry.state == "withdrawn":
            continue
        price = entry.price
        key = (price.valid_from, price.source, price.approved_by_id)
        moment = found.get(key)
        if moment is None:
            moment = Moment(price.valid_from, price.source, price.approved_by, entry.state, price.valid_to)
            found[key] = moment
        if len(moment.changes) < shown:
            moment.changes.append(Change(entry, before.get(price.pk)))
        else:
            moment.others += 1
        if entry.state != "superseded":
            moment.state = entry.state
        moment.until = None if price.valid_to is None or moment.until is None else max(moment.until, price.valid_to)
    return sorted(found.values(), key=lambda moment: moment.at, reverse=True)


def _before(entries: Sequence[Entry]) -> dict[int, Decimal]:
    """Return for each price the one at the same terms that began before it."""
    found: dict[int, Decimal] = {}
    for newer, older in pairwise(entry for entry in entries if entry.state != "withdrawn"):
        if (newer.words, newer.price.meter) == (older.words, older.price.meter):
            found[newer.price.pk] = older.amount
    return found


def figure(
    entries: Sequence[Entry], now: datetime, zone: ZoneInfo, currency: str
) -> tuple[charts.Figure, list[dict[str, Any]], list[list[str]]]:
    """Draw the plain prices of two years as steps, with the table behind them."""
    rows = [e.price for e in entries if not e.words and e.price.meter in DRAWN and e.state != "withdrawn"]
    first = now - SHOWN_FOR
    edges = {max(row.valid_from, first) for row in rows} | {row.valid_to for row in rows if row.valid_to}
    times = sorted({at for at in edges if at >= first} | ({now} if rows else set()))
    series: dict[str, list[Decimal | None]] = {
        str(meter.label).capitalize(): [_at(rows, meter, at) for at in times]
        for meter in DRAWN
        if any(row.meter == meter for row in rows)
    }
    drawn = charts.over_time([_local(at, zone).isoformat() for at in times], series)
    for trace in drawn["data"]:
        trace["line"]["shape"] = "hv"
    columns: list[dict[str, Any]] = [{"label": "From"}, *({"label": name, "numeric": True} for name in series)]
    table = [
        [f"{_local(at, zone):%d %b %Y %H:%M}", *(_shown(values[index], currency) for values in series.values())]
        for index, at in enumerate(times)
    ]
    return drawn, columns, table


def _at(rows: Sequence[Price], meter: Meter, at: datetime) -> Decimal | None:
    for row in rows:
        if row.meter == meter and row.valid_from <= at and (row.valid_to is None or at < row.valid_to):
            return price_units.shown(meter, row.unit_price)
    return None


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _shown(amount: Decimal | None, currency: str) -> str:
    return formats.NOTHING if amount is None else formats.exact_money(amount, currency)
