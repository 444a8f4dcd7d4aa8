"""Writes prices into the list: it takes a price where none is yet, and from a moment on where one is open."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any

from django.db import transaction

from apps.accounts.models import Workspace
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.costs import pricing
from apps.costs.models import Price
from apps.costs.models.prices import TERMS

HIGHEST = Decimal("1000")
Key = tuple[Any, ...]


class PriceRefused(DomainError):
    """The price cannot stand in the list as it is written."""


class PriceListMoved(Conflict):
    """The list already says what holds at that moment, and says it for good."""


def hold(workspace: Workspace) -> None:
    """Let one writer at a time change a price list; NO KEY UPDATE leaves all who only refer to the workspace alone."""
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


def enter(workspace: Workspace, prices: Sequence[Price]) -> list[Price | None]:
    """Put prices in the list, whose writer holds it, and return for each the one that it ends.

    One that is open ends where the new one begins. Before the first, or after one that ended, a new one holds until
    the next begins. Raises PriceListMoved where a price that is there would have to change otherwise.
    """
    standing = _standing(workspace, prices)
    ended = [_place(price, standing.get(key_of(price), [])) for price in prices]
    for start, group in groupby(
        sorted((p for p in zip(prices, ended, strict=True) if p[1]), key=lambda pair: pair[0].valid_from),
        key=lambda pair: pair[0].valid_from,
    ):
        Price.objects.filter(pk__in=[before.pk for _, before in group if before]).update(valid_to=start)
    Price.objects.bulk_create(prices)
    forget()
    return ended


def forget() -> None:
    """Drop what this process remembers of prices, now and again when the change is there for all."""
    pricing.forget()
    transaction.on_commit(pricing.forget)


def key_of(row: Any) -> Key:
    """Return what a price is for."""
    return tuple(getattr(row, name) for name in TERMS)


def _standing(workspace: Workspace, prices: Iterable[Price]) -> dict[Key, list[Price]]:
    found: dict[Key, list[Price]] = {}
    models = {price.model for price in prices}
    for row in Price.objects.standing().filter(workspace=workspace, model__in=models).order_by("valid_from"):
        found.setdefault(key_of(row), []).append(row)
    return found


def _place(price: Price, rows: Sequence[Price]) -> Price | None:
    """Give the price its end, and return the open one that ends where it begins."""
    begins = price.valid_from
    covering = next((r for r in rows if r.valid_from <= begins and (r.valid_to is None or begins < r.valid_to)), None)
    following = next((row for row in rows if row.valid_from > begins), None)
    if covering and (covering.valid_to is not None or covering.valid_from == begins):
        raise PriceListMoved(_moved(price, covering))
    price.valid_to = following.valid_from if following else None
    return covering


def _moved(price: Price, covering: Price) -> str:
    zone = price.workspace.zone
    known = (
        f"{price.model} already has a price for {covering.get_meter_display()} from {_day(covering.valid_from, zone)}"
    )
    if covering.valid_to is None:
        return f"{known}. A new price must begin later; if that one was never right, correct it in its history."
    return f"{known} to {_day(covering.valid_to, zone)}, and that stays as it is. A new price must begin later."


def _day(at: datetime, zone: Any) -> str:
    return f"{at.astimezone(zone):%d %B %Y at %H:%M}"


def facts(price: Price) -> dict[str, str]:
    """Return a price as the audit log keeps it."""
    return {
        "provider": price.provider,
        "model": price.model,
        "meter": str(price.meter),
        "tier": str(price.tier),
        "region": price.region,
        "connection_id": str(price.connection_id or ""),
        "above_input_tokens": str(price.above_input_tokens),
        "unit_price": format(price.unit_price, "f"),
        "valid_from": price.valid_from.isoformat(),
    }


def name(value: str, field: str, size: int) -> str:
    """Return a name as the list keeps it. Raises PriceRefused for an empty or too long one."""
    cleaned = " ".join(text.clean(value, field=field).split())
    if not cleaned or len(cleaned) > size:
        raise PriceRefused(f"{field} needs between 1 and {size} characters.")
    return cleaned


def exact(unit_price: Decimal) -> Decimal:
    """Return the price at 12 places. Raises PriceRefused for what would have to be rounded to fit."""
    try:
        found = unit_price.quantize(pricing.PLACES)
    except InvalidOperation:
        found = None
    if found is None or found != unit_price:
        raise PriceRefused("A price per token has at most 12 decimals (six for a price per million tokens).")
    if not 0 <= found <= HIGHEST:
        raise PriceRefused("A price per token lies between 0 and 1,000.")
    return found
