"""Books what others report: each item is accepted, known already, or set aside with the reason. Nothing is lost."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from psycopg.errors import CheckViolation

from apps.accounts.models import Workspace
from apps.costs import ledger, partitions
from apps.costs.ingest.drafts import Sender, all_of, drafts
from apps.costs.ingest.items import Bad, fitting, kept
from apps.costs.ledger import NewCharge
from apps.costs.models import CHARGE_COLUMNS, IngestCount, Quarantined

CHUNK = 1_000
LOCK = 0x6A1D6
SENT_BY = "sent_by"
# Many ids are one value each here: as a list in the text of a statement they cost more than all the rest of a batch.
KNOWN = "SELECT id FROM costs_charge WHERE id BETWEEN %s AND %s AND id = ANY (%s::uuid[])"
ASIDE = (
    "SELECT id FROM costs_quarantined WHERE workspace_id = %s AND source = %s AND source_id <> '' "
    "AND source_id = ANY (%s)"
)
COUNT = (
    "INSERT INTO costs_ingestcount (workspace_id, source, day, accepted, duplicate, quarantined, mended, last_at) "
    "VALUES (%s, %s, %s, %s, %s, %s, 0, %s) ON CONFLICT (workspace_id, source, day) DO UPDATE SET "
    "accepted = costs_ingestcount.accepted + excluded.accepted, "
    "duplicate = costs_ingestcount.duplicate + excluded.duplicate, "
    "quarantined = costs_ingestcount.quarantined + excluded.quarantined, "
    "last_at = greatest(costs_ingestcount.last_at, excluded.last_at)"
)


class Became(StrEnum):
    """What became of an item."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item; the reason is a code, the message is for people."""

    became: Became
    source_id: str
    charge_id: UUID | None = None
    reason: str = ""
    message: str = ""


Draft = NewCharge | Bad


def take(sender: Sender, raws: Iterable[object]) -> Iterator[Outcome]:
    """Book what the items tell of, chunk by chunk, and yield what became of each in their order.

    Each chunk is one transaction with its counts and what it set aside, so a repeat after any accident changes
    nothing twice. Read it to the end; use it outside a transaction.
    """
    waiting = iter(raws)
    while chunk := list(islice(waiting, CHUNK)):
        now = timezone.now()
        yield from book(sender, drafts(sender, chunk, now), now)


def book(sender: Sender, found: Sequence[Draft], now: datetime) -> list[Outcome]:
    """Book drafts in one transaction. What the database refuses after all is found by halving, and set aside."""
    try:
        return _twice(sender, found, now)
    except (DataError, IntegrityError, partitions.MonthLetGo) as error:
        if len(found) <= 1:
            return _book(sender, [_refused(draft, error) for draft in found], now)
    middle = len(found) // 2
    return [*book(sender, found[:middle], now), *book(sender, found[middle:], now)]


def _twice(sender: Sender, found: Sequence[Draft], now: datetime) -> list[Outcome]:
    """Book drafts; where a month of the ledger is not there any more that this process remembers, once more."""
    try:
        return _book(sender, found, now)
    except IntegrityError as error:
        if not isinstance(error.__cause__, CheckViolation):
            raise
    return _book(sender, found, now)


def _refused(draft: Draft, error: Exception) -> Bad:
    """Return what to set aside in place of what the database refused; of an item that was bad already, its id alone."""
    reason = getattr(error, "code", "refused-by-the-books")
    message = getattr(error, "message", "The books cannot hold one of its values.")
    if isinstance(draft, Bad):
        return Bad(source_id=draft.source_id, reason=reason, message=message)
    return Bad(source_id=draft.source_id, reason=reason, message=message, payload=item_of(draft), at=draft.at)


def item_of(charge: NewCharge) -> dict[str, Any]:
    """Return a charge as the item that would make it."""
    names = ("provider", "model", "tier", "region", "environment", "customer", "source_id", "latency_ms", "failed")
    values = {name: getattr(charge, name) for name in names}
    meters = {meter.value: getattr(charge, column) for meter, column in CHARGE_COLUMNS.items()}
    return kept(
        {
            **values,
            "at": charge.at.isoformat(),
            "purpose": str(charge.purpose),
            "team": charge.team_name,
            "user": charge.user_name,
            "prompt": charge.prompt_name,
            "version": charge.version_number,
            "tags": charge.tags,
            "meters": {name: number for name, number in {**meters, **charge.other_meters}.items() if number},
        }
    )


@transaction.atomic
def _book(sender: Sender, found: Sequence[Draft], now: datetime) -> list[Outcome]:
    take_turns(sender.workspace_id)
    aside = _set_aside(sender, {draft.source_id for draft in found})
    booked = known([draft.id for draft in found if isinstance(draft, NewCharge)])
    outcomes, fresh, bad = _sorted_out(found, aside, booked)
    ledger.record(all_of(fresh))
    _mend(sender, fresh, aside, now)
    _keep(sender, bad, aside, now)
    _count(sender, outcomes, now)
    return outcomes


def take_turns(workspace_id: int) -> None:
    """Let batches of a workspace follow each other, so that what is known stays so until the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, workspace_id % 2**31])


def _set_aside(sender: Sender, source_ids: set[str]) -> dict[str, Quarantined]:
    with connection.cursor() as cursor:
        cursor.execute(ASIDE, [sender.workspace_id, sender.source, list(source_ids)])
        ids = [row[0] for row in cursor.fetchall()]
    return {row.source_id: row for row in Quarantined.objects.filter(pk__in=ids)} if ids else {}


def known(ids: list[UUID]) -> set[UUID]:
    """Return which of these charges are in the books."""
    if not ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [min(ids), max(ids), "{" + ",".join(map(str, ids)) + "}"])
        return {row[0] for row in cursor.fetchall()}


def _sorted_out(
    found: Sequence[Draft], aside: dict[str, Quarantined], booked: set[UUID]
) -> tuple[list[Outcome], list[NewCharge], list[Bad]]:
    """Decide about each draft; of equal ones the first counts."""
    outcomes: list[Outcome] = []
    fresh: list[NewCharge] = []
    bad: dict[str, Bad] = {}
    seen = set(booked)
    for draft in found:
        row = aside.get(draft.source_id)
        if row is not None and row.state != Quarantined.State.OPEN:
            outcomes.append(_decided(row))
        elif isinstance(draft, Bad):
            outcomes.append(_aside(draft, is_repeat=row is not None or draft.source_id in bad))
            bad[draft.source_id] = draft
        elif draft.id in seen:
            outcomes.append(Outcome(Became.DUPLICATE, draft.source_id, draft.id))
        else:
            seen.add(draft.id)
            fresh.append(draft)
            outcomes.append(Outcome(Became.ACCEPTED, draft.source_id, draft.id))
    return outcomes, fresh, list(bad.values())


def _decided(row: Quarantined) -> Outcome:
    message = f"Somebody has decided about it: {row.get_state_display().lower()}."
    return Outcome(Became.DUPLICATE, row.source_id, row.charge_id, reason=str(row.state), message=message)


def _aside(draft: Bad, *, is_repeat: bool) -> Outcome:
    became = Became.DUPLICATE if is_repeat else Became.QUARANTINED
    return Outcome(became, draft.source_id, reason=draft.reason, message=draft.message)


def _mend(sender: Sender, fresh: Sequence[NewCharge], aside: dict[str, Quarantined], now: datetime) -> None:
    """Close what was set aside and has now come in good order."""
    for charge in fresh:
        if row := aside.get(charge.source_id):
            Quarantined.objects.filter(pk=row.pk).update(
                state=Quarantined.State.MENDED, decided_at=now, charge_id=charge.id
            )


def _keep(sender: Sender, bad: Sequence[Bad], aside: dict[str, Quarantined], now: datetime) -> None:
    rows = []
    for draft in bad:
        # What the key stood for is needed again when somebody mends it.
        payload = {**draft.payload, SENT_BY: dict(sender.values)} if sender.values else draft.payload
        words = {"payload": payload, "reason": draft.reason, "message": draft.message, "at": draft.at}
        if row := aside.get(draft.source_id):
            Quarantined.objects.filter(pk=row.pk).update(**words)
            continue
        rows.append(
            Quarantined(
                workspace_id=sender.workspace_id,
                source=sender.source,
                source_id=fitting(draft.source_id),
                received_at=now,
                **words,
            )
        )
    Quarantined.objects.bulk_create(rows)


def _count(sender: Sender, outcomes: Sequence[Outcome], now: datetime) -> None:
    found = Counter(outcome.became for outcome in outcomes)
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT,
            [
                sender.workspace_id,
                sender.source,
                _day(sender.workspace_id, now),
                *(found[name] for name in Became),
                now,
            ],
        )


def count_mended(workspace_id: int, source: str, number: int, now: datetime) -> None:
    """Count what was set aside and is booked now; inside the caller's transaction."""
    row, _ = IngestCount.objects.get_or_create(
        workspace_id=workspace_id, source=source, day=_day(workspace_id, now), defaults={"last_at": now}
    )
    IngestCount.objects.filter(pk=row.pk).update(mended=F("mended") + number)


def _day(workspace_id: int, now: datetime) -> date:
    return now.astimezone(Workspace.objects.get(pk=workspace_id).zone).date()
