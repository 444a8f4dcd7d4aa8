"""What people with the right to approve prices may write into the list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import DomainError
from apps.costs import price_entry, price_units
from apps.costs.actions import repricing
from apps.costs.models import Meter, Price, Repricing, Tier
from apps.costs.price_entry import PriceListMoved, PriceRefused

__all__ = [
    "PriceInThePast",
    "PriceListMoved",
    "PriceRefused",
    "PriceSurprising",
    "PriceTerms",
    "add_price",
    "add_prices",
]

# A form that was opened a moment ago and says "from now on" is not a price for the past.
LATE = timedelta(minutes=5)


class PriceInThePast(DomainError):
    """Calls since then are booked already; such a price comes with re-pricing or not at all."""

    code = "price-in-the-past"


class PriceSurprising(DomainError):
    """The price is so far from the one before that somebody has to say that it is meant."""

    code = "price-surprising"


@dataclass(frozen=True, kw_only=True)
class PriceTerms:
    """What prices are for: a model, and where it differs the tier, the region, the connection and the length."""

    provider: str
    model: str
    tier: Tier = Tier.STANDARD
    region: str = ""
    connection_id: int | None = None
    above_input_tokens: int = 0


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
    tier: Tier = Tier.STANDARD,
    region: str = "",
    connection_id: int | None = None,
) -> Price:
    """Put a price in force from a moment on, and close the one before it at that moment.

    What was charged before keeps its cost. Raises PriceRefused for a price that is negative or finer than 12 places,
    PriceListMoved when the list already says for good what holds at that moment.
    """
    terms = PriceTerms(
        provider=provider,
        model=model,
        tier=tier,
        region=region,
        connection_id=connection_id,
        above_input_tokens=above_input_tokens,
    )
    price = _price(workspace, terms, meter, unit_price, source, acting_user, valid_from or timezone.now())
    price_entry.hold(workspace)
    (before,) = price_entry.enter(workspace, [price])
    _tell(workspace, acting_user, [price], [before])
    return price


@transaction.atomic
def add_prices(  # noqa: PLR0913  a change of prices has this many facts
    *,
    workspace: Workspace,
    terms: PriceTerms,
    unit_prices: Mapping[Meter, Decimal],
    source: str,
    acting_user: User,
    valid_from: datetime | None = None,
    is_meant: bool = False,
    reprices: bool = False,
) -> tuple[list[Price], Repricing | None]:
    """Put several prices of a model in force together; one that already stands at that amount is left alone.

    From a moment in the past only together with the re-pricing of the calls since then, which is returned. Raises
    PriceRefused, PriceListMoved, PriceInThePast, and PriceSurprising for a large change that is not said to be meant.
    """
    now = timezone.now()
    begins = valid_from or now
    is_past = begins < now - LATE
    if is_past and not reprices:
        raise PriceInThePast(
            "Calls since then are already booked, and keep their cost unless they are priced anew. "
            "Say so below, or let the prices begin now."
        )
    made = [
        _price(workspace, terms, meter, amount, source, acting_user, begins) for meter, amount in unit_prices.items()
    ]
    price_entry.hold(workspace)
    changed = _unlike_the_list(workspace, made)
    if not changed:
        raise PriceRefused("Every price that you wrote already holds then. Nothing would change.")
    before = price_entry.enter(workspace, changed)
    if not is_meant:
        _refuse_surprises(changed, before)
    found = _reprice_since(workspace, begins, terms, acting_user, now) if is_past else None
    _tell(workspace, acting_user, changed, before)
    return changed, found


def _unlike_the_list(workspace: Workspace, prices: list[Price]) -> list[Price]:
    """Drop what an open price says already: sending a form twice adds nothing."""
    models = {price.model for price in prices}
    standing = workspace.prices.open_ended().filter(model__in=models)
    same = {(price_entry.key_of(row), row.unit_price) for row in standing if row.valid_from <= prices[0].valid_from}
    return [price for price in prices if (price_entry.key_of(price), price.unit_price) not in same]


def _refuse_surprises(prices: list[Price], before: list[Price | None]) -> None:
    for price, old in zip(prices, before, strict=True):
        amount = price.unit_price
        why = price_units.alarm(old.unit_price, amount) if old else price_units.implausible(price.meter, amount)
        if why:
            raise PriceSurprising(
                f"{price.get_meter_display().capitalize()}: {why} Check the amount; if it is meant, say so below."
            )


def _reprice_since(
    workspace: Workspace, begins: datetime, terms: PriceTerms, acting_user: User, now: datetime
) -> Repricing:
    zone = workspace.zone
    return repricing.ask(
        workspace=workspace,
        first=begins.astimezone(zone).date(),
        last=now.astimezone(zone).date(),
        provider=price_entry.name(terms.provider, "The provider", 40),
        model=price_entry.name(terms.model, "The model", 120),
        only_unpriced=False,
        reason="Prices that begin in the past were added.",
        acting_user=acting_user,
    )


def _price(
    workspace: Workspace,
    terms: PriceTerms,
    meter: Meter,
    unit_price: Decimal,
    source: str,
    acting_user: User | None,
    valid_from: datetime,
) -> Price:
    return Price(
        workspace=workspace,
        provider=price_entry.name(terms.provider, "The provider", 40),
        model=price_entry.name(terms.model, "The model", 120),
        meter=Meter(meter),
        tier=Tier(terms.tier),
        region=_region(terms.region),
        connection_id=terms.connection_id,
        above_input_tokens=terms.above_input_tokens,
        unit_price=price_entry.exact(unit_price),
        valid_from=valid_from,
        source=price_entry.name(source, "The source", 200),
        approved_by=acting_user,
    )


def _region(region: str) -> str:
    """Return the region as pricing looks for it: what a response names is compared in small letters."""
    found = text.clean(region, field="The region").strip().lower()
    if len(found) > 20:
        raise PriceRefused("A region has at most 20 characters.")
    return found


def _tell(workspace: Workspace, actor: User | None, prices: list[Price], before: list[Price | None]) -> None:
    for price, old in zip(prices, before, strict=True):
        audit.record(
            workspace=workspace,
            actor=actor,
            verb="added a price",
            target=price,
            before=price_entry.facts(old) if old else None,
            after=price_entry.facts(price),
            reason=price.source,
        )
