"""C1 and C4: how fast charges are booked with their sums, against the bare insert of the same rows.

`python -m bench.ledger` starts a database of its own, with a disk that is asked to remember (fsync as in production).
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
ROUNDS, BATCH, BATCHES = 3, 1_000, 20
TARGET_ROWS, TARGET_MS = 20_000, 3.0


def main() -> None:
    from llmops_site.postgres import Cluster

    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder))
        cluster.start()
        try:
            os.environ.update(DATABASE_URL=cluster.url, DJANGO_SETTINGS_MODULE="llmops_site.settings")
            os.environ.setdefault("SECRET_KEY", "only-for-measuring")
            measure()
        finally:
            cluster.stop()


def measure() -> None:
    import django
    import psycopg

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from apps.accounts.models import Workspace
    from apps.costs import ledger, ledger_sql

    call_command("migrate", verbosity=0, skip_checks=True)
    workspace = Workspace.objects.create(slug="bench", name="Bench", time_zone="Asia/Kathmandu")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare (LIKE costs_charge INCLUDING DEFAULTS)")
    bare = ledger_sql.RECORD.partition("WITH fresh AS (")[2].partition("RETURNING *")[0]
    bare = bare.replace("costs_charge", "bare", 1)

    def insert_bare(rows: list[ledger.NewCharge]) -> None:
        with psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(bare, [ledger._column(name, rows) for name in ledger.COLUMNS])

    booked = [rate(ledger.record, batches(workspace.pk)) for _ in range(ROUNDS)]
    floor = [rate(insert_bare, batches(workspace.pk)) for _ in range(ROUNDS)]
    print(
        f"C1 {statistics.median(booked):,.0f} rows/s, target {TARGET_ROWS:,}, bare insert {statistics.median(floor):,.0f}"
    )
    single = [millis(ledger.record, [row]) for batch in batches(workspace.pk)[:1] for row in batch[:300]]
    alone = [millis(insert_bare, [row]) for batch in batches(workspace.pk)[:1] for row in batch[:300]]
    print(f"C4 {statistics.median(single):.2f} ms p50, target {TARGET_MS}, bare insert {statistics.median(alone):.2f}")


def rate(write: Callable[[list], object], rows: list[list]) -> float:
    started = time.perf_counter()
    for batch in rows:
        write(batch)
    return BATCH * len(rows) / (time.perf_counter() - started)


def millis(write: Callable[[list], object], rows: list) -> float:
    started = time.perf_counter()
    write(rows)
    return (time.perf_counter() - started) * 1000


def batches(workspace_id: int) -> list[list]:
    """Make charges as an hour of traffic brings them: 24 prompts of 8 teams on 10 models."""
    from apps.core.ids import uuid7
    from apps.costs.ledger import NewCharge
    from apps.costs.models import Purpose

    now = datetime.now(UTC)

    def charge() -> NewCharge:
        prompt = random.randrange(24)
        return NewCharge(
            id=uuid7(now - timedelta(seconds=random.random() * 3600)),
            workspace_id=workspace_id,
            provider="openai",
            model=f"model-{random.randrange(10)}",
            purpose=Purpose.PRODUCTION,
            cost=Decimal(random.randrange(10**9)).scaleb(-12),
            price_ids=(1, 2),
            input_tokens=random.randrange(4000),
            output_tokens=random.randrange(900),
            team_id=prompt % 8 + 1,
            team_name=f"Team {prompt % 8}",
            prompt_id=prompt + 1,
            prompt_name=f"folder/prompt-{prompt}",
            version_id=prompt * 10 + 3,
            version_number=3,
            environment="production",
            latency_ms=random.randrange(5000),
        )

    return [[charge() for _ in range(BATCH)] for _ in range(BATCHES)]


if __name__ == "__main__":
    main()
