"""What the tests of re-pricing share."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.urls import reverse

from apps.costs import actions, ledger, repricing
from apps.costs.models import Meter
from tests.costs.conftest import NOON, new_charge

DAY = NOON.date()


def price_by(workspace, user):
    """Put a price for a million input tokens in the list; output is free."""

    def of(per_million, begins=datetime(2026, 1, 1, tzinfo=UTC), **values):
        for meter, amount in ((Meter.INPUT, Decimal(per_million)), (Meter.OUTPUT, Decimal(0))):
            facts = {"provider": "openai", "model": "gpt-4o", "source": "contract", "acting_user": user, **values}
            actions.add_price(
                workspace=workspace, meter=meter, unit_price=amount / 1_000_000, valid_from=begins, **facts
            )

    return of


def ask_by(workspace, user):
    def of(**values):
        facts = {"first": DAY, "last": DAY, "reason": "The price was wrong.", "acting_user": user, **values}
        return actions.reprice_period(workspace=workspace, **facts)

    return of


def run(found):
    while repricing.advance(found.pk):
        pass
    found.refresh_from_db()
    return found


def address(name, found=None):
    more = {"repricing_id": found.pk} if found else {}
    return reverse(name, kwargs={"workspace": "acme", **more})


def book_twelve(workspace):
    rows = [
        new_charge(workspace.pk, NOON + timedelta(seconds=n), cost=None if n % 3 else Decimal("0.5"), price_ids=[1])
        for n in range(12)
    ]
    ledger.record(rows)
    return rows
