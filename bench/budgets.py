"""L4: 64 callers against one budget row: how many reservations a second, and never a cent over.

`python -m bench.budgets` starts a database of its own (fsync on) and callers in processes of several threads. Each holds
room by the statement that calls use; the budget has room for half of what they ask for, so both answers are measured.
The floor is the bare conditional UPDATE of that row by the same callers, with nothing kept of who holds what.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CALLERS, PROCESSES, TARGET = 64, 2, 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=200, help="reservations of each caller")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--bare", action="store_true", help="measure the bare UPDATE")
    parser.add_argument("--caller", type=int, help="be one process of callers, in that workspace")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
    os.environ.setdefault("SECRET_KEY", "only-for-measuring")
    if options.caller is not None:
        call(options.caller, options.each, bare=options.bare)
        return
    from llmops_site.postgres import Cluster

    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder))
        cluster.start()
        try:
            os.environ["DATABASE_URL"] = cluster.url
            measure(options.each, options.repeat)
        finally:
            cluster.stop()


def measure(each: int, repeat: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, skip_checks=True)
    pairs = [(round_of(f"held-{n}", each), round_of(f"bare-{n}", each, bare=True)) for n in range(repeat)]
    held, bare = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    share = statistics.median(one / other for one, other in pairs)
    print(
        f"L4 {held:,.0f} reservations/s, target {TARGET:,}, {CALLERS} callers, never over; "
        f"bare UPDATE {bare:,.0f}/s, {share:.2f} of it"
    )


def round_of(slug: str, each: int, *, bare: bool = False) -> float:
    """Let all callers loose on a new budget, and return how many were answered a second."""
    from datetime import UTC, date, datetime
    from decimal import Decimal

    from apps.accounts.models import Workspace
    from apps.costs.budgets import known
    from apps.costs.models import Budget, BudgetPeriod, Reservation

    workspace = Workspace.objects.create(slug=slug, name="Bench")
    limit = Decimal(CALLERS * each) / 2 * Decimal("0.01") + Decimal("0.005")
    budget = Budget.objects.create(
        workspace=workspace, name="All", mode="hard", limit_amount=limit, counted_from=date(2020, 1, 1)
    )
    known.period_id(budget.pk, budget.period, datetime.now(UTC).date())
    command = [sys.executable, __file__, "--each", str(each), "--caller", str(workspace.pk), *["--bare"] * bare]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    callers = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(PROCESSES)]
    for caller in callers:
        assert caller.stdout.readline() == "ready\n"
    started = time.perf_counter()
    for caller in callers:
        caller.stdin.write("go\n")
        caller.stdin.flush()
    passed = sum(int(caller.stdout.readline()) for caller in callers)
    took = time.perf_counter() - started
    for caller in callers:
        caller.communicate()
    period = BudgetPeriod.objects.get(budget__workspace=workspace)
    held = passed if bare else Reservation.objects.filter(workspace_id=workspace.pk).count()
    assert period.reserved == held * Decimal("0.01") <= period.limit_amount, (period.reserved, held)
    assert passed == held == CALLERS * each // 2, (passed, held)
    return CALLERS * each / took


BARE = """
UPDATE costs_budgetperiod SET reserved = reserved + 0.01
WHERE id = %s AND spent + reserved + 0.01 <= limit_amount RETURNING set_config('synchronous_commit', 'off', true)
"""


def call(workspace_id: int, each: int, *, bare: bool) -> None:
    """Be some of the callers: threads with a connection each."""
    import django

    django.setup()
    from django.db import connection

    work = updating(workspace_id) if bare else holding(workspace_id)
    passed = [0] * (CALLERS // PROCESSES)
    ready, go = threading.Barrier(len(passed) + 1), threading.Barrier(len(passed) + 1)

    def caller(place: int) -> None:
        connection.ensure_connection()
        ready.wait()
        go.wait()
        passed[place] = sum(work() for _ in range(each))
        connection.close()

    threads = [threading.Thread(target=caller, args=(place,)) for place in range(len(passed))]
    for thread in threads:
        thread.start()
    ready.wait()
    print("ready", flush=True)
    sys.stdin.readline()
    go.wait()
    for thread in threads:
        thread.join()
    print(sum(passed), flush=True)


def holding(workspace_id: int) -> Callable[[], bool]:
    """Return what a call does before it leaves."""
    from datetime import UTC, datetime, timedelta
    from decimal import Decimal

    from apps.costs import budgets

    facts = budgets.Facts(provider="openai", model="gpt-4o", purpose="production", team_id=7)
    cent, soon = Decimal("0.01"), timedelta(minutes=5)

    def hold() -> bool:
        now = datetime.now(UTC)
        try:
            budgets.reserve(workspace_id=workspace_id, at=now, expires_at=now + soon, facts=facts, amount=cent)
        except budgets.OverBudget:
            return False
        return True

    return hold


def updating(workspace_id: int) -> Callable[[], bool]:
    """Return the bare statement."""
    import psycopg
    from django.db import connection

    from apps.costs.models import BudgetPeriod

    period_id = BudgetPeriod.objects.get(budget__workspace=workspace_id).pk

    def update() -> bool:
        with psycopg.Cursor(connection.connection) as cursor:
            return cursor.execute(BARE, [period_id], prepare=True).fetchone() is not None

    return update


if __name__ == "__main__":
    main()
