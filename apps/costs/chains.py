"""A charge with its corrections: what was booked, what was put right, and what it stands at."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from apps.costs import pricing
from apps.costs.amounts import amount_of
from apps.costs.ledger_corrections import Standing, standings
from apps.costs.models import Charge, Meter, Price


@dataclass(frozen=True)
class Chain:
    """The first row, its corrections in order, and what all of them come to."""

    root: Charge
    corrections: list[Charge]
    standing: Standing

    @property
    def cost(self) -> Decimal | None:
        return self.standing.cost

    @property
    def steps(self) -> list[tuple[Charge, str]]:
        """Return each correction with its reason."""
        return [(row, reason_of(row)) for row in self.corrections]


def reason_of(row: Charge) -> str:
    """Return why a correction was booked; its source id carries that before the number of its step."""
    return row.source_id.rpartition("#")[0]


def of_rows(workspace_id: int, rows: Sequence[Charge]) -> dict[UUID, Chain]:
    """Return the chains that these rows belong to, by the id of each row that has one, in one or three queries."""
    roots = [row.corrects or row.pk for row in rows]
    later = list(Charge.objects.filter(workspace_id=workspace_id, corrects__in=roots)) if roots else []
    corrected = {row.corrects for row in later if row.corrects}
    if not corrected:
        return {}
    firsts = list(Charge.objects.filter(workspace_id=workspace_id, pk__in=corrected))
    chains = {
        standing.root.pk: Chain(standing.root, _in_order(later, standing.root), standing)
        for standing in standings(firsts)
    }
    return {row.pk: chains[row.corrects or row.pk] for row in rows if (row.corrects or row.pk) in chains}


def _in_order(later: list[Charge], root: Charge) -> list[Charge]:
    mine = [row for row in later if row.corrects == root.pk]
    return sorted(mine, key=lambda row: int(row.source_id.rpartition("#")[2]))


@dataclass(frozen=True)
class Amount:
    """A meter, how much of it was used, at what price, and what that comes to."""

    label: str
    count: int
    price: Price | None
    cost: Decimal | None


def amounts(charge: Charge) -> list[Amount]:
    """Return the meters of a charge with the price rows that it names, or with those of its moment when it names none."""
    if charge.unpriced and charge.calls == 1:
        there = pricing.rows_of(charge)
        return [_amount(str(meter.label), count, there.get(meter)) for meter, count in charge.meters.items()]
    rows = Price.objects.filter(workspace_id=charge.workspace_id, pk__in=charge.price_ids)
    prices = {Meter(price.meter): price for price in rows}
    if Meter.INPUT in prices:
        prices.setdefault(Meter.IMAGE_INPUT, prices[Meter.INPUT])
    return [_amount(str(meter.label), count, prices.get(meter)) for meter, count in charge.meters.items()]


def _amount(label: str, count: int, price: Price | None) -> Amount:
    return Amount(label.capitalize(), count, price, amount_of(count, price.unit_price) if price else None)
