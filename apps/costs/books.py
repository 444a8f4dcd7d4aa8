"""The state of the books: the last recounts, the months that the ledger holds, and when they go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.db.models import Sum as Total
from django.db.models.functions import TruncMonth

from apps.accounts.models import Workspace
from apps.costs import filters, partitions
from apps.costs.filters import midnight
from apps.costs.models import AxisName, Budget, LetGo, SpendAxis, Verification
from apps.costs.spend import SUMS, Sums

SHOWN = 12
_SIZES = """
SELECT p.relid::regclass::text, pg_total_relation_size(p.relid) FROM pg_partition_tree('costs_charge') p
WHERE p.isleaf AND p.level = 1 ORDER BY 1 DESC
"""


@dataclass(frozen=True)
class Month:
    """A month of the ledger (UTC): what this workspace called and spent in it, its size on disk, and when it goes."""

    first: date
    sums: Sums
    size: int
    goes_on: date | None

    @property
    def charges_query(self) -> str:
        """Return the query string of the charges of the month, by the workspace's own calendar."""
        last = partitions.after(datetime(self.first.year, self.first.month, 1, tzinfo=UTC)).date() - timedelta(days=1)
        return filters.query_for(self.first, last, (), ())


def last(workspace: Workspace) -> Verification | None:
    """Return the newest recount."""
    return workspace.verifications.order_by("-finished_at", "-pk").first()


def recounts(workspace: Workspace) -> Sequence[Verification]:
    return list(workspace.verifications.order_by("-finished_at", "-pk")[:SHOWN])


def months(workspace: Workspace, kept: int | None) -> list[Month]:
    """Return the months that the ledger holds, newest first; `kept` is how many whole ones the workspace keeps."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        sizes = {_month_of(name): size for name, size in cursor.fetchall()}
    rows = SpendAxis.objects.of(workspace.pk, AxisName.ALL).annotate(month=TruncMonth("day")).values_list("month")
    sums = {month: Sums(*found) for month, *found in rows.annotate(**{f"sum_{name}": Total(name) for name in SUMS})}
    return [
        Month(month, sums.get(month, Sums()), size, goes_on(workspace, month, kept) if kept else None)
        for month, size in sizes.items()
    ]


def _month_of(name: str) -> date:
    year, month = name.rsplit("_", 2)[1:]
    return date(int(year), int(month), 1)


def goes_on(workspace: Workspace, month: date, kept: int) -> date:
    """Return the day from which a month (UTC) is out of a workspace's keeping of so many whole months."""
    end = partitions.after(datetime(month.year, month.month, 1, tzinfo=UTC))
    first_kept = end.date()
    if midnight(first_kept, workspace.zone) < end:  # east of Greenwich the day begins inside the month before
        first_kept = _later(first_kept, 1)
    return _later(first_kept, kept)


def _later(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


def gone() -> Sequence[LetGo]:
    """Return the months whose charges were let go, newest first."""
    return list(LetGo.objects.order_by("-month")[:SHOWN])


def held_by_budgets(workspace: Workspace) -> Sequence[Budget]:
    """Return the budgets that need the charges of their running period, since no sum knows all that they ask for."""
    rows = Budget.objects.live().filter(workspace=workspace, customer__isnull=False).order_by("counted_from", "pk")
    return [budget for budget in rows if budget.needs_charges]
