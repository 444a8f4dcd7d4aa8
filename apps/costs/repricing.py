"""Prices a past period anew, a few hundred charges at a time; each step and how far it came is one transaction."""

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from apps.costs import ledger_corrections, pricing
from apps.costs.amounts import Priced
from apps.costs.filters import midnight
from apps.costs.ledger_corrections import Outcome
from apps.costs.model_names import DATED_IN_SQL, GUESSED, REPORTED, is_dated, is_guess
from apps.costs.models import Charge, ChargeQuerySet, Repricing
from apps.notices import actions as notices

BATCH = 500
STRETCH = 20.0  # seconds of work for one ring
ACTIVE = (Repricing.State.QUEUED, Repricing.State.RUNNING)


def reason_of(repricing_id: int) -> str:
    """Return what the corrections of a re-pricing say of why they were written."""
    return f"repricing {repricing_id}"


def advance(repricing_id: int, *, stretch: float = STRETCH) -> bool:
    """Work on a re-pricing for a while; tell whether there is more to do. An unknown or finished one is left alone."""
    until = time.monotonic() + stretch
    while step(repricing_id):
        if time.monotonic() >= until:
            return True
    return False


@transaction.atomic
def step(repricing_id: int) -> bool:
    """Price the next charges anew and note how far it came; tell whether to go on.

    Whoever finds another at work on the same one leaves it to them.
    """
    found = (
        Repricing.objects.select_for_update(skip_locked=True, no_key=True, of=["self"])
        .select_related("workspace", "asked_by")
        .filter(pk=repricing_id, state__in=ACTIVE)
        .first()
    )
    if found is None:
        return False
    pricing.forget()  # prices may have been added in another process a moment ago
    batch = list(_next(found).values_list("pk", flat=True)[:BATCH])
    _note(found, batch, _price(found, batch))
    return len(batch) == BATCH


def unfinished() -> list[int]:
    """Return the re-pricings that wait or run, oldest first."""
    return list(Repricing.objects.filter(state__in=ACTIVE).order_by("pk").values_list("pk", flat=True))


def fail(repricing_id: int, *, reason: str) -> None:
    """Say that a re-pricing stopped, and why."""
    rows = Repricing.objects.filter(pk=repricing_id, state__in=ACTIVE)
    rows.update(state=Repricing.State.FAILED, error=reason[:500], finished_at=timezone.now())


def bounds(repricing: Repricing, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first moment of a re-pricing's days and the first after them."""
    return midnight(repricing.first, zone), midnight(repricing.last + timedelta(days=1), zone)


def charges_of(repricing: Repricing) -> ChargeQuerySet:
    """Return the charges that a re-pricing is about, corrections left out, in no order."""
    days = Charge.objects.between(*bounds(repricing, repricing.workspace.zone))
    found = days.filter(workspace_id=repricing.workspace_id, corrects=None)
    if repricing.provider:
        found = found.filter(provider=repricing.provider)
    if repricing.model:
        found = found.filter(_named(repricing.model))
    return found.filter(_without_price()) if repricing.only_unpriced else found


def _named(model: str) -> models.Q:
    """Ask for a model by its name, and by the dated names whose prices it is asked for when they have none."""
    return models.Q(model=model) | models.Q(model__regex=f"^{re.escape(model)}{DATED_IN_SQL}")


def _without_price() -> models.Q:
    """Ask for charges that were booked without a price, or that a correction left without one."""
    later = Charge.objects.filter(corrects=models.OuterRef("pk"), unpriced=True, calls=1)
    return models.Q(unpriced=True) | models.Q(models.Exists(later))


def _next(repricing: Repricing) -> ChargeQuerySet:
    charges = charges_of(repricing).order_by("pk")
    return charges.filter(pk__gt=repricing.reached) if repricing.reached else charges


def _price(repricing: Repricing, batch: Sequence[UUID]) -> Outcome:
    wanted = list(batch)
    if repricing.only_unpriced:
        roots = Charge.objects.filter(workspace_id=repricing.workspace_id, pk__in=wanted)
        wanted = [found.root.pk for found in ledger_corrections.standings(roots) if found.cost is None]
    return ledger_corrections.reprice(
        workspace_id=repricing.workspace_id, charge_ids=wanted, price_of=price_of, reason=reason_of(repricing.pk)
    )


def price_of(row: Charge) -> Priced:
    """Price a charge at what the list says of its moment.

    A cost that its sender answers for names no price and stays; where nobody counted anything there is none to find.
    """
    if not row.meters or (row.cost is not None and not row.price_ids):
        return Priced(row.cost, tuple(row.price_ids))
    priced = pricing.quote(
        workspace_id=row.workspace_id,
        provider=row.provider,
        model=row.model,
        at=row.at,
        meters=row.meters,
        tier=row.tier,
        region=row.region,
        connection_id=row.connection_id,
    )
    # A model that was reported with a date stands in the books under the name whose price was taken.
    reported = row.tags.get(REPORTED, "")
    guessed = is_guess(row.provider, reported) and not is_dated(row.model)
    return replace(priced, doubt=GUESSED) if guessed and not priced.unpriced and not priced.doubt else priced


def _note(found: Repricing, batch: Sequence[UUID], outcome: Outcome) -> None:
    now = timezone.now()
    found.started_at = found.started_at or now
    found.reached = batch[-1] if batch else found.reached
    found.charges_seen += outcome.seen
    found.charges_changed += outcome.changed
    found.before_total += outcome.before
    found.after_total += outcome.after
    found.before_unpriced += outcome.before_unpriced
    found.after_unpriced += outcome.after_unpriced
    is_over = len(batch) < BATCH
    found.state = Repricing.State.DONE if is_over else Repricing.State.RUNNING
    found.finished_at = now if is_over else None
    found.save()
    if is_over:
        _notify(found)


def _notify(found: Repricing) -> None:
    if found.asked_by:
        words = f"{found.charges_seen:,} calls looked at, {found.charges_changed:,} of them cost something else now."
        notices.notify(
            users=[found.asked_by],
            workspace=found.workspace,
            kind="prices",
            title=f"{found.first} to {found.last} is priced anew",
            body=words,
            url=reverse("repricing", kwargs={"workspace": found.workspace.slug, "repricing_id": found.pk}),
        )
