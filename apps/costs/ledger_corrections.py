"""Corrections: signed rows that name the charge they correct, so that both the error and its mending stay on record."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.core.errors import DomainError
from apps.costs import ledger
from apps.costs.amounts import Priced
from apps.costs.ledger import NewCharge
from apps.costs.ledger_ids import charge_id
from apps.costs.ledger_sql import COLUMNS
from apps.costs.models import CHARGE_COLUMNS, Charge, Purpose

ZERO = Decimal(0)
SOURCE = "correction"
COUNTED = (*CHARGE_COLUMNS.values(), "reasoning_tokens")
LOCK = 0x6A1CC
# What a correction may say anew. The moment, the workspace and where the charge came from stay.
CHANGEABLE = frozenset(COLUMNS) - {
    "id", "workspace_id", "at", "calls", "source", "source_id", "corrects", "reservation_id", "price_ids", "cost"
}  # fmt: skip


class NothingToCorrect(DomainError):
    """There is no such charge, or it is itself a correction."""

    code = "nothing-to-correct"


@dataclass(frozen=True)
class Standing:
    """What a charge stands at with all its corrections: the row that counts now, and the cost of all of them."""

    root: Charge
    row: Charge
    cost: Decimal | None
    steps: int

    @property
    def amount(self) -> Decimal:
        return ZERO if self.cost is None else self.cost


@dataclass
class Outcome:
    """What a run of corrections found and did; the totals are those of the charges that it saw."""

    seen: int = 0
    changed: int = 0
    before: Decimal = ZERO
    after: Decimal = ZERO
    before_unpriced: int = 0
    after_unpriced: int = 0

    def add(self, standing: Standing, priced: Priced) -> None:
        self.seen += 1
        self.before += standing.amount
        self.after += priced.cost or ZERO
        self.before_unpriced += standing.cost is None
        self.after_unpriced += priced.cost is None


def standings(charges: Iterable[Charge]) -> list[Standing]:
    """Return what each of these charges stands at, in one query. Raises NothingToCorrect for a correction."""
    roots = list(charges)
    if any(charge.corrects for charge in roots):
        raise NothingToCorrect("A correction is not corrected; the charge that it names is.")
    later: dict[UUID, list[Charge]] = {charge.pk: [] for charge in roots}
    for row in Charge.objects.filter(corrects__in=list(later)):
        if row.corrects:
            later[row.corrects].append(row)
    return [_standing(root, sorted(later[root.pk], key=_step)) for root in roots]


def _step(row: Charge) -> int:
    return int(row.source_id.rpartition("#")[2])


def _standing(root: Charge, later: list[Charge]) -> Standing:
    row, cost = root, root.cost
    for correction in later:
        if correction.calls == 1:
            row, cost = correction, correction.cost
        elif correction.calls == 0:
            cost = (cost or ZERO) + (correction.cost or ZERO)
    return Standing(root, row, cost, len(later))


@transaction.atomic
def reprice(
    *, workspace_id: int, charge_ids: Collection[UUID], price_of: Callable[[Charge], Priced], reason: str
) -> Outcome:
    """Give charges the cost that `price_of` finds for what now counts of them, and report before and after.

    Corrections and unknown ids among them are passed over. What already stands at that cost is left alone, so a run
    that is repeated changes nothing. Corrections fall on the moment of the charge that they correct.
    """
    outcome = Outcome()
    rows: list[NewCharge] = []
    _alone(workspace_id)
    roots = Charge.objects.filter(workspace_id=workspace_id, pk__in=list(charge_ids), corrects=None)
    for standing in standings(roots):
        priced = price_of(standing.row)
        outcome.add(standing, priced)
        found = _price_rows(standing, priced, reason)
        outcome.changed += bool(found)
        rows += found
    ledger.record(rows)
    return outcome


@transaction.atomic
def correct(*, workspace_id: int, charge_id: UUID, changes: Mapping[str, Any], priced: Priced, reason: str) -> int:
    """Take a charge back and book it anew with these changes (a team, a meter); return how many rows that took.

    Raises NothingToCorrect when there is no such charge or nothing would change, and KeyError for what may not change.
    """
    if unknown := set(changes) - CHANGEABLE:
        raise KeyError(", ".join(sorted(unknown)))
    _alone(workspace_id)
    root = Charge.objects.filter(workspace_id=workspace_id, pk=charge_id).first()
    if root is None:
        raise NothingToCorrect("There is no such charge.")
    (standing,) = standings([root])
    same = all(getattr(standing.row, name) == value for name, value in changes.items())
    if same and standing.cost == priced.cost:
        raise NothingToCorrect("The charge already says that.")
    return ledger.record(_taken_back_and_anew(standing, priced, reason, changes))


def _alone(workspace_id: int) -> None:
    """Let corrections of a workspace follow each other: each counts up from what the one before left."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, workspace_id % 2**31])


def _price_rows(standing: Standing, priced: Priced, reason: str) -> list[NewCharge]:
    # What we counted ourselves stays an estimate; a doubt is that of the price which holds now.
    estimated = standing.row.counted_here or bool(priced.doubt)
    if standing.cost == priced.cost and estimated == standing.row.estimated:
        return []
    if standing.cost is None or priced.cost is None or estimated != standing.row.estimated:
        return _taken_back_and_anew(standing, priced, reason, {"estimated": estimated})
    nothing: dict[str, Any] = dict.fromkeys(COUNTED, 0)
    difference = {"cost": priced.cost - standing.cost, "price_ids": priced.price_ids, "saved": ZERO, "other_meters": {}}
    return [_row(standing, 1, reason, calls=0, **nothing, **difference)]


def _taken_back_and_anew(
    standing: Standing, priced: Priced, reason: str, changes: Mapping[str, Any]
) -> list[NewCharge]:
    row = standing.row
    less: dict[str, Any] = {name: -getattr(row, name) for name in COUNTED}
    less |= {"other_meters": {name: -count for name, count in row.other_meters.items()}, "saved": -row.saved}
    cost = None if standing.cost is None else -standing.cost
    back = _row(standing, 1, reason, calls=-1, cost=cost, **less)
    return [back, _row(standing, 2, reason, **{**changes, "cost": priced.cost, "price_ids": priced.price_ids})]


def _row(standing: Standing, step: int, reason: str, **values: Any) -> NewCharge:
    """Return a correction that says what counts now, but for these values. Its id tells the charge and the step."""
    root, number = standing.root, standing.steps + step
    facts = {name: getattr(standing.row, name) for name in COLUMNS if name != "at"}
    facts |= {"calls": 1, **values, "corrects": root.pk, "source": SOURCE}
    facts["purpose"] = Purpose(facts["purpose"])
    facts["id"] = charge_id(workspace_id=root.workspace_id, source=SOURCE, source_id=f"{root.pk}#{number}", at=root.at)
    facts["source_id"] = f"{reason[:180]}#{number}"
    return NewCharge(**facts)
