"""Calls as people read them: each with what it cost, meter by meter."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.accounts.models import Workspace
from apps.costs import pricing
from apps.costs.models import Charge, Meter, Price
from apps.llm.models import Call

PAGE = 50
MILLION = 1_000_000


@dataclass(frozen=True)
class Line:
    """One meter of a call: how many tokens, at what price for a million of them, and what that makes."""

    label: str
    tokens: int
    per_million: Decimal | None
    amount: Decimal | None
    source: str


@dataclass(frozen=True)
class Page:
    """A stretch of the list of calls, newest first; `older` is where the next one begins."""

    calls: Sequence[Call]
    charges: dict[UUID, Charge]
    older: UUID | None


def page_of_calls(workspace: Workspace, wanted: dict[str, Any]) -> Page:
    """Return the calls that match, with their charges."""
    calls = Call.objects.filter(workspace=workspace).with_model().without_bodies()
    for name in ("purpose", "model"):
        if name in wanted:
            calls = calls.filter(**{name: wanted[name]})
    if state := wanted.get("state"):
        calls = calls.in_trouble() if state == "trouble" else calls.filter(state=state)
    if before := wanted.get("before"):
        calls = calls.before(before)
    found = list(calls.order_by("-id")[: PAGE + 1])
    shown = found[:PAGE]
    return Page(shown, charges_of(shown), shown[-1].pk if len(found) > PAGE else None)


def charges_of(calls: Sequence[Call]) -> dict[UUID, Charge]:
    """Return the charges of the calls by the call's id; one that is in flight has none yet."""
    charges = Charge.objects.in_bulk([call.charge_id for call in calls])
    return {call.pk: charges[call.charge_id] for call in calls if call.charge_id in charges}


def attempts_at(call: Call) -> list[Call]:
    """Return every attempt at the request of the call, in order."""
    same = Call.objects.filter(workspace=call.workspace_id).attempts_of(call)
    return list(same.with_model().without_bodies().order_by("attempt", "id"))


def lines_of(charge: Charge) -> list[Line]:
    """Return the meters that the charge bills, at the prices that it was billed with."""
    prices = {price.meter: price for price in Price.objects.filter(pk__in=charge.price_ids)}
    billed = [(meter, getattr(charge, f"{meter.value}_tokens")) for meter in Meter]
    return [_line(meter, tokens, prices.get(meter.value)) for meter, tokens in billed if tokens]


def _line(meter: Meter, tokens: int, price: Price | None) -> Line:
    label = meter.label.capitalize()
    if price is None:
        return Line(label, tokens, None, None, "")
    return Line(label, tokens, price.unit_price * MILLION, pricing.amount_of(tokens, price.unit_price), price.source)
