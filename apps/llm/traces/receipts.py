"""What a call cost, meter by meter, and how it was charged."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from apps.costs import ledger_corrections, pricing
from apps.costs.models import Charge, Meter, Price
from apps.llm.models import Call

MILLION = 1_000_000


@dataclass(frozen=True)
class Line:
    """One meter of a call: how many, at what price for a million tokens or for one use, and what that makes."""

    meter: Meter
    count: int
    price: Price | None
    amount: Decimal | None

    @property
    def label(self) -> str:
        return self.meter.label.capitalize()

    @property
    def shown_price(self) -> Decimal | None:
        if self.price is None:
            return None
        return self.price.unit_price if self.meter.is_fee else self.price.unit_price * MILLION

    @property
    def unit(self) -> str:
        return "each" if self.meter.is_fee else "a million"


@dataclass(frozen=True)
class Receipt:
    """The charge of a call as it stands with its corrections, and its meters."""

    charge: Charge
    lines: Sequence[Line]
    cost: Decimal | None
    corrections: int

    @property
    def saved(self) -> Decimal:
        return self.charge.saved


def charges_of(calls: Sequence[Call]) -> dict[UUID, Charge]:
    """Return the charges of the calls by the call's id; one that is in flight has none yet."""
    charges = Charge.objects.in_bulk([call.charge_id for call in calls])
    return {call.pk: charges[call.charge_id] for call in calls if call.charge_id in charges}


def receipt_of(charge: Charge) -> Receipt:
    """Return what the charge says, and what corrections have made of it since."""
    standing = ledger_corrections.standings([charge])[0]
    return Receipt(charge, _lines(standing.row), standing.cost, standing.steps)


def _lines(charge: Charge) -> list[Line]:
    prices = {price.meter: price for price in Price.objects.filter(pk__in=charge.price_ids)}
    return [_line(meter, count, prices.get(meter.value)) for meter, count in charge.meters.items() if count]


def _line(meter: Meter, count: int, price: Price | None) -> Line:
    return Line(meter, count, price, pricing.amount_of(count, price.unit_price) if price else None)
