"""What booking a sheet would do, without doing it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from apps.costs.ingest.booking import CHUNK, known
from apps.costs.ingest.csv_file import Line, Sheet
from apps.costs.ingest.drafts import Sender, drafts
from apps.costs.ledger import NewCharge

SHOWN = 100


@dataclass(frozen=True)
class Fault:
    """A line that cannot be booked."""

    line: int
    reason: str
    message: str


@dataclass
class Rehearsal:
    """How many lines would be booked and what they cost, which are known already, and which are refused."""

    ready: int = 0
    duplicate: int = 0
    unpriced: int = 0
    cost: Decimal = Decimal(0)
    first: datetime | None = None
    last: datetime | None = None
    faults: list[Fault] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shown(self) -> list[Fault]:
        return self.faults[:SHOWN]


def rehearse(sender: Sender, sheet: Sheet, now: datetime) -> Rehearsal:
    """Return what would become of each line; nothing is written."""
    found = Rehearsal()
    seen: set[Any] = set()
    for line in sheet.lines:
        if line.refused:
            found.faults.append(Fault(line.number, line.refused.code, line.refused.message))
    sound = [line for line in sheet.lines if line.item is not None]
    for start in range(0, len(sound), CHUNK):
        _rehearse(sender, sound[start : start + CHUNK], now, found, seen)
    found.faults.sort(key=lambda fault: fault.line)
    return found


def _rehearse(sender: Sender, lines: Sequence[Line], now: datetime, found: Rehearsal, seen: set[Any]) -> None:
    made = drafts(sender, [line.item for line in lines], now)
    booked = known([draft.id for draft in made if isinstance(draft, NewCharge)])
    for line, draft in zip(lines, made, strict=True):
        if not isinstance(draft, NewCharge):
            found.faults.append(Fault(line.number, draft.reason, draft.message))
        elif draft.id in booked or draft.id in seen:
            found.duplicate += 1
        else:
            seen.add(draft.id)
            _add(found, draft)
            found.items.append(line.item or {})


def _add(found: Rehearsal, draft: NewCharge) -> None:
    found.ready += 1
    found.unpriced += draft.cost is None
    found.cost += draft.cost or 0
    found.first = min(found.first or draft.at, draft.at)
    found.last = max(found.last or draft.at, draft.at)
