"""How the ways in are doing: what came from where, when last, and what waits to be mended."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum

from apps.accounts.models import Workspace
from apps.core import charts
from apps.costs.models import IngestCount, Quarantined

DAYS = 30
# What the mending of one charge may put right in others: how things are called, never what was counted or when.
CARRIED = ("provider", "model", "dialect", "team")
# And whose word counts where costs that were sent are far from our list, for these share a fault, a model and a team.
JUDGED = ("cost_meant", "trust_cost")
COLUMNS = [
    {"label": "Day"},
    {"label": "Accepted", "numeric": True},
    {"label": "Duplicate", "numeric": True},
    {"label": "Quarantined", "numeric": True},
    {"label": "Mended", "numeric": True},
]
KINDS = ("accepted", "duplicate", "quarantined", "mended")


@dataclass(frozen=True)
class Source:
    """A source and what it sent in the days that are shown, and what of it was mended in them.

    `waiting` is all that is still aside, of whatever day.
    """

    name: str
    accepted: int
    duplicate: int
    quarantined: int
    mended: int
    waiting: int
    last_at: datetime

    @property
    def state(self) -> str:
        return "degraded" if self.waiting else "healthy"


@dataclass(frozen=True)
class Reason:
    """Why items are aside, how many, and an example in words."""

    code: str
    count: int
    message: str


def sources(workspace: Workspace, today: date) -> list[Source]:
    """Return every source that ever sent something, the latest first, in two queries."""
    recent = {row["source"]: row for row in _sums(workspace, today)}
    waiting = dict(workspace.quarantined.open().values_list("source").annotate(n=Count("pk")).order_by())
    seen = workspace.ingest_counts.values_list("source").annotate(last=Max("last_at")).order_by("-last", "source")
    nothing = dict.fromkeys(KINDS, 0)
    return [
        Source(
            name=name,
            last_at=last,
            waiting=waiting.get(name, 0),
            **{kind: recent.get(name, nothing)[kind] for kind in KINDS},
        )
        for name, last in seen
    ]


def _sums(workspace: Workspace, today: date) -> Iterable[dict[str, Any]]:
    rows: Iterable[Any] = (
        _days(workspace, today).values("source").annotate(**{kind: Sum(kind) for kind in KINDS}).order_by()
    )
    return rows


def _days(workspace: Workspace, today: date) -> QuerySet[IngestCount]:
    return workspace.ingest_counts.filter(day__gt=today - timedelta(days=DAYS), day__lte=today)


def reasons(workspace: Workspace, source: str) -> list[Reason]:
    """Return why what is aside is aside, the commonest first."""
    rows = workspace.quarantined.open()
    if source:
        rows = rows.filter(source=source)
    found = rows.values_list("reason").annotate(n=Count("pk"), example=Max("message")).order_by("-n", "reason")
    return [Reason(code, count, example) for code, count, example in found]


def same_fault(row: Quarantined) -> QuerySet[Quarantined]:
    """Return the others of its source that wait for the same reason."""
    rows = Quarantined.objects.open().filter(workspace=row.workspace_id, source=row.source, reason=row.reason)
    return rows.exclude(pk=row.pk)


def alike(row: Quarantined) -> QuerySet[Quarantined]:
    """Return those of the same fault that were sent with the same names too, so that one mapping mends them all."""
    rows = same_fault(row)
    for name in CARRIED:
        sent = row.payload.get(name)
        missing = Q(**{f"payload__{name}__isnull": True}) | Q(**{f"payload__{name}": None})
        rows = rows.filter(missing if sent is None else Q(**{f"payload__{name}": sent}))
    return rows


def by_day(workspace: Workspace, source: str, today: date) -> tuple[charts.Figure, list[list[str]]]:
    """Return the figure of what arrived by day, and the table behind it."""
    rows = _days(workspace, today)
    if source:
        rows = rows.filter(source=source)
    sums: Any = rows.values("day").annotate(**{kind: Sum(kind) for kind in KINDS}).order_by("day")
    points = [charts.Point(row["day"], kind.capitalize(), row[kind]) for row in sums for kind in KINDS]
    table = [[f"{row['day']:%-d %b %Y}", *(f"{row[kind]:,}" for kind in KINDS)] for row in sums]
    figure = charts.by_day(points)
    # All the days are drawn, so that one busy day is a bar and not a wall.
    figure["layout"]["xaxis"]["range"] = [f"{today - timedelta(days=DAYS)} 12:00", f"{today} 12:00"]
    return figure, table
