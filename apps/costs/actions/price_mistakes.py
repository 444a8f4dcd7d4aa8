"""What people with the right to approve prices may do about a price that was never right."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import Conflict
from apps.costs import price_entry, price_units
from apps.costs.actions import repricing
from apps.costs.actions.prices import PriceSurprising
from apps.costs.models import Price, Repricing
from apps.costs.models.prices import TERMS
from apps.costs.price_entry import PriceRefused


class PriceWithdrawn(Conflict):
    """Somebody has withdrawn the price already."""


@transaction.atomic
def correct_price(
    *, price: Price, unit_price: Decimal, reason: str, acting_user: User, is_meant: bool = False
) -> tuple[Price, Repricing | None]:
    """Put another amount in the place of a price, for the very time that it held; the first stays to be read.

    What began in the past is priced anew, which is returned. Raises PriceWithdrawn, PriceRefused, and PriceSurprising
    for an amount far from the price before that is not said to be meant.
    """
    found, why = _locked(price), _why(reason)
    amount = price_entry.exact(unit_price)
    if amount == found.unit_price:
        raise PriceRefused("That is what the price says already.")
    before = _before(found)
    alarm = price_units.alarm(before.unit_price, amount) if before else ""
    if alarm and not is_meant:
        raise PriceSurprising(f"{alarm} Check the amount; if it is meant, say so below.")
    _mark(found, acting_user)
    made = _in_place(found, amount, why, acting_user)
    return made, _settled(found, made, why, "corrected a price", acting_user)


@transaction.atomic
def withdraw_price(*, price: Price, reason: str, acting_user: User) -> tuple[Price | None, Repricing | None]:
    """Take a price back as if it had never been written: for its time what held before goes on, if anything did.

    What began in the past is priced anew. Returns the price that goes on and that re-pricing. Raises PriceWithdrawn.
    """
    found, why = _locked(price), _why(reason)
    before = _before(found)
    _mark(found, acting_user)
    made = _in_place(found, before.unit_price, before.source, before.approved_by) if before else None
    return made, _settled(found, made, why, "withdrew a price", acting_user)


def _locked(price: Price) -> Price:
    price_entry.hold(price.workspace)
    found = Price.objects.select_related("workspace").get(pk=price.pk)
    if found.withdrawn_at:
        raise PriceWithdrawn("This price was withdrawn already.")
    return found


def _why(reason: str) -> str:
    cleaned = " ".join(text.clean(reason, field="The reason").split())
    if not cleaned or len(cleaned) > 180:
        raise PriceRefused("Say in up to 180 characters why, and where the right price is written.")
    return cleaned


def _before(price: Price) -> Price | None:
    """Return the price that this one ended."""
    rows = Price.objects.standing().filter(workspace=price.workspace).like(price).filter(valid_to=price.valid_from)
    return rows.select_related("approved_by").first()


def _in_place(price: Price, amount: Decimal, source: str, approved_by: User | None) -> Price:
    """Write a price for the same thing and the same time."""
    made = Price(
        workspace=price.workspace,
        **dict(zip(TERMS, price_entry.key_of(price), strict=True)),
        unit_price=amount,
        valid_from=price.valid_from,
        valid_to=price.valid_to,
        source=source[:200],
        approved_by=approved_by,
    )
    made.save(force_insert=True)
    return made


def _mark(price: Price, acting_user: User) -> None:
    Price.objects.filter(pk=price.pk).update(withdrawn_at=timezone.now(), withdrawn_by=acting_user)


def _settled(price: Price, made: Price | None, why: str, verb: str, acting_user: User) -> Repricing | None:
    price_entry.forget()
    now = timezone.now()
    found = _reprice(price.workspace, price, why, acting_user, now) if price.valid_from <= now else None
    facts = {**price_entry.facts(made), "number": made.pk} if made else None
    audit.record(
        workspace=price.workspace,
        actor=acting_user,
        verb=verb,
        target=price,
        before=price_entry.facts(price),
        after=facts,
        reason=why,
    )
    return found


def _reprice(workspace: Workspace, price: Price, why: str, acting_user: User, now: datetime) -> Repricing:
    zone = workspace.zone
    ends = min(price.valid_to or now, now)
    return repricing.ask(
        workspace=workspace,
        first=max(price.valid_from.astimezone(zone).date(), repricing.EARLIEST),
        last=ends.astimezone(zone).date(),
        provider=price.provider,
        model=price.model,
        only_unpriced=False,
        reason=why,
        acting_user=acting_user,
    )
