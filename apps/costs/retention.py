"""Lets go of the charges of months that nobody keeps any more. The sums of those months stay."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import structlog
from django.db import OperationalError, connection, transaction

from apps.accounts import audit
from apps.accounts.models import Workspace
from apps.costs import partitions
from apps.costs.budgets import periods
from apps.costs.filters import midnight
from apps.costs.models import Budget, LetGo, Retention, SpendDay, Verification

logger = structlog.get_logger()
PATIENCE = "3s"
PARTITIONS = "SELECT relid::regclass::text FROM pg_partition_tree('costs_charge') WHERE isleaf AND level = 1 ORDER BY 1"


def let_go(now: datetime) -> list[date]:
    """Drop the oldest months as far as every workspace lets them go; return those months. Nothing goes unasked.

    A month goes only when it is out of everyone's keeping, whether or not they have charges there (late ones would be
    refused from then on), and when the last recount of each of them agreed after it ended.
    A ledger that is too busy to be locked for a moment is left for the next time.
    """
    gone: list[date] = []
    if not Retention.objects.exists():
        return gone
    workspaces = list(Workspace.objects.order_by("pk"))
    for month in _months():
        if partitions.after(month) > now or not all(_lets_go(workspace, month, now) for workspace in workspaces):
            break
        try:
            _drop(month)
        except OperationalError:
            logger.info("month_not_dropped", month=f"{month:%Y-%m}", reason="the ledger is busy")
            break
        gone.append(month.date())
    return gone


def _months() -> Iterator[datetime]:
    with connection.cursor() as cursor:
        cursor.execute(PARTITIONS)
        names = [row[0] for row in cursor.fetchall()]
    for name in names:
        year, month = name.rsplit("_", 2)[1:]
        yield datetime(int(year), int(month), 1, tzinfo=UTC)


def _owners(month: datetime) -> list[Workspace]:
    """Return the workspaces that have charges in the month; the index answers for each at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.id FROM accounts_workspace w WHERE EXISTS "  # noqa: S608  a date
            f"(SELECT 1 FROM {partitions.name_of(month)} c WHERE c.workspace_id = w.id)"
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Workspace.objects.filter(pk__in=ids).order_by("pk"))


def _lets_go(workspace: Workspace, month: datetime, now: datetime) -> bool:
    """Return whether a workspace keeps nothing of the month; without a word from it, it keeps all since it began."""
    retention = Retention.objects.filter(workspace=workspace).first()
    if retention is None:
        return midnight(_beginning(workspace), workspace.zone) >= partitions.after(month)
    kept = now.astimezone(workspace.zone).date().replace(day=1)
    for _ in range(retention.months):
        kept = _month_before(kept)
    first_kept = min([kept, *_counted_from_charges(workspace, now)])
    return midnight(first_kept, workspace.zone) >= partitions.after(month) and _proved(workspace, month)


def _beginning(workspace: Workspace) -> date:
    created = workspace.created_at.astimezone(workspace.zone).date()
    first = SpendDay.objects.of(workspace.pk).order_by("day").values_list("day", flat=True).first()
    return min(created, first) if first else created


def _month_before(first: date) -> date:
    return first.replace(year=first.year - (first.month == 1), month=(first.month - 2) % 12 + 1)


def _counted_from_charges(workspace: Workspace, now: datetime) -> Iterator[date]:
    """Yield the beginning of the running period of each budget that only charges can be recounted for."""
    today = periods.day_of(now, workspace.zone)
    for budget in Budget.objects.live().filter(workspace=workspace, customer__isnull=False):
        if budget.needs_charges:
            yield max(budget.counted_from, periods.bounds(budget.period, today)[0])


def _proved(workspace: Workspace, month: datetime) -> bool:
    last = Verification.objects.filter(workspace=workspace).order_by("-finished_at").first()
    return last is not None and last.agrees and last.started_at >= partitions.after(month)


@transaction.atomic
def _drop(month: datetime) -> None:
    name = partitions.name_of(month)
    owners = _owners(month)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
        partitions.take_lock(cursor)
        cursor.execute(f"SELECT count(*) FROM {name}")  # noqa: S608  a date
        (charges,) = cursor.fetchone()
        # The ledger before its month, as whoever books takes them.
        cursor.execute("LOCK TABLE ONLY costs_charge IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"DROP TABLE {name}")
    LetGo.objects.create(month=month.date(), charges=charges)
    partitions.forget()
    for workspace in owners:
        facts = {"month": f"{month:%Y-%m}"}
        audit.record(workspace=workspace, actor=None, verb="let charges go", target=workspace, after=facts)
