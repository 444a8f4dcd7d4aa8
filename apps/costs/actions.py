"""What people with the right to approve prices may write."""

from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.costs import pricing
from apps.costs.models import Meter, Price

HIGHEST = Decimal("1000")


class PriceRefused(DomainError):
    """The price cannot stand in the list as it is written."""


class PriceListMoved(Conflict):
    """A price that begins at or after this one is already in the list."""


@transaction.atomic
def add_price(  # noqa: PLR0913  a price has this many facts
    *,
    workspace: Workspace,
    provider: str,
    model: str,
    meter: Meter,
    unit_price: Decimal,
    source: str,
    acting_user: User | None,
    valid_from: datetime | None = None,
    above_input_tokens: int = 0,
) -> Price:
    """Put a price in force from a moment on, and close the one before it at that moment.

    What was charged before keeps its cost. Raises PriceRefused for a price that is negative or finer than 12 places,
    PriceListMoved when a price that begins later (or then) is already there: the list only grows forward.
    """
    valid_from = valid_from or timezone.now()
    price = Price(
        workspace=workspace,
        provider=_name(provider, "The provider", 40),
        model=_name(model, "The model", 120),
        meter=Meter(meter),
        above_input_tokens=above_input_tokens,
        unit_price=_exact(unit_price),
        valid_from=valid_from,
        source=_name(source, "The source", 200),
        approved_by=acting_user,
    )
    # One list, one writer at a time; NO KEY UPDATE leaves everyone who only refers to the workspace alone.
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    before = _close_the_one_before(price)
    price.save(force_insert=True)
    pricing.forget()
    transaction.on_commit(pricing.forget)
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="added a price",
        target=price,
        before=before,
        after=_facts(price),
        reason=price.source,
    )
    return price


def _close_the_one_before(price: Price) -> dict[str, str] | None:
    same = {"meter": price.meter, "above_input_tokens": price.above_input_tokens}
    rows = Price.objects.filter(workspace=price.workspace, **same).of(price.provider, price.model)
    last = rows.order_by("-valid_from").first()
    if last is None:
        return None
    if last.valid_from >= price.valid_from:
        raise PriceListMoved(
            f"{price.model} already has a price that begins on {last.valid_from:%d %B %Y at %H:%M} UTC. "
            "A new price must begin later."
        )
    rows.open_ended().update(valid_to=price.valid_from)
    return _facts(last)


def _facts(price: Price) -> dict[str, str]:
    return {
        "provider": price.provider,
        "model": price.model,
        "meter": str(price.meter),
        "above_input_tokens": str(price.above_input_tokens),
        "unit_price": format(price.unit_price, "f"),
        "valid_from": price.valid_from.isoformat(),
    }


def _name(value: str, field: str, size: int) -> str:
    cleaned = text.clean(value, field=field).strip()
    if not cleaned or len(cleaned) > size:
        raise PriceRefused(f"{field} needs between 1 and {size} characters.")
    return cleaned


def _exact(unit_price: Decimal) -> Decimal:
    """Return the price at 12 places, or refuse what would have to be rounded to fit."""
    try:
        exact = unit_price.quantize(pricing.PLACES)
    except InvalidOperation:
        exact = None
    if exact is None or exact != unit_price:
        raise PriceRefused("A price per token has at most 12 decimals (six for a price per million tokens).")
    if not 0 <= exact <= HIGHEST:
        raise PriceRefused("A price per token lies between 0 and 1,000.")
    return exact
