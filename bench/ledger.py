"""C1 to C4: booking charges, reading a month of them, proving the books; each beside the floor taken in the same run.

`python -m bench.ledger` starts a database of its own, with a disk that is asked to remember (fsync as in production).
It takes about two minutes with 200,000 charges and four with a million; `--charges 10000000` is the size that the targets
speak of (half an hour, 15 GB of disk in the temporary folder: `TMPDIR` names another), `--only C1,C4` the rows that are
wanted. The charges of C2 and C3 are made by the database and their sums written in bulk, as a rebuild writes them; C3
proves that these are the sums that the booking statement would have kept.
"""

import argparse
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
ROUNDS, BATCH, BATCHES = 3, 1_000, 20
TARGET_ROWS, TARGET_MS, TARGET_VERIFY = 20_000, 3.0, 90.0
PROMPTS_OF_A_TEAM, MODELS_OF_A_PROMPT = 12, 4


def main() -> None:
    from llmops_site.postgres import Cluster

    wanted = arguments()
    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder))
        cluster.start()
        try:
            os.environ.update(DATABASE_URL=cluster.url, DJANGO_SETTINGS_MODULE="llmops_site.settings")
            os.environ.setdefault("SECRET_KEY", "only-for-measuring")
            measure(wanted.charges, set(wanted.only.split(",")))
        finally:
            cluster.stop()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--charges", type=int, default=200_000, help="how many a month holds for C2 and C3")
    parser.add_argument("--only", default="C1,C2,C3,C4")
    return parser.parse_args()


def measure(charges: int, rows: set[str]) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from apps.accounts.models import Workspace

    call_command("migrate", verbosity=0, skip_checks=True)
    workspace = Workspace.objects.create(slug="bench", name="Bench", time_zone="Asia/Kathmandu")
    if rows & {"C1", "C4"}:
        booking(workspace.pk, rows)
    if rows & {"C2", "C3"}:
        reading(charges, rows)


def booking(workspace_id: int, rows: set[str]) -> None:
    """C1 and C4: charges booked with all their sums, and the bare insert of the same rows."""
    import psycopg
    from django.db import connection

    from apps.costs import ledger, ledger_sql

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare (LIKE costs_charge INCLUDING DEFAULTS)")
    bare = ledger_sql.RECORD.partition("WITH fresh AS (")[2].partition("RETURNING *")[0]
    bare = bare.replace("costs_charge", "bare", 1)

    def insert_bare(rows: list[ledger.NewCharge]) -> None:
        with psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(bare, ledger.values_of(rows))

    if "C1" in rows:
        pairs = [
            (rate(ledger.record, batches(workspace_id)), rate(insert_bare, batches(workspace_id)))
            for _ in range(ROUNDS)
        ]
        booked, floor = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"C1 {booked:,.0f} rows/s, target {TARGET_ROWS:,}, bare insert {floor:,.0f}")
    if "C4" in rows:
        few = batches(workspace_id)[0][:300]
        single = [millis(ledger.record, [row]) for row in few]
        alone = [millis(insert_bare, [row]) for row in few]
        print(
            f"C4 {statistics.median(single):.2f} ms p50, target {TARGET_MS}, bare insert {statistics.median(alone):.2f}"
        )


def rate(write: Callable[[list[Any]], object], rows: list[list[Any]]) -> float:
    started = time.perf_counter()
    for batch in rows:
        write(batch)
    return BATCH * len(rows) / (time.perf_counter() - started)


def millis(write: Callable[[Any], object], rows: Any) -> float:
    started = time.perf_counter()
    write(rows)
    return (time.perf_counter() - started) * 1000


def batches(workspace_id: int) -> list[list[Any]]:
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


def reading(charges: int, rows: set[str]) -> None:
    """C2 and C3: (a) 1,920 combinations as an organisation has them, at a tenth of the charges and at all; (b) 48,000."""
    small = loaded("tenth", charges // 10, TIED)
    full = loaded("all", charges, TIED)
    if "C2" in rows:
        # One after the other in each round, so that both see the same moment of the machine.
        pairs = [(month(small), month(full)) for _ in range(7)]
        before, after = (statistics.median(values) for values in zip(*pairs, strict=True))
        raw = statistics.median(scan(full) for _ in range(ROUNDS))
        print(
            f"C2a {after:.1f} ms at {charges:,} charges, target 50; {raw / after:,.0f} x faster than the raw scan "
            f"({raw:,.0f} ms), target 50; {after / before:.2f} x its time at {charges // 10:,}, target 1.2"
        )
    if "C3" in rows:
        prove(small, charges // 10)
        prove(full, charges)
    if "C2" in rows:
        free = loaded("free", charges, FREE)
        print(f"C2b {statistics.median(month(free) for _ in range(7)):.1f} ms at {charges:,} charges, target 150")


def prove(workspace: Any, charges: int) -> None:
    from apps.costs import verification

    started = time.perf_counter()
    (found,) = [total for total in verification.verify([workspace]) if total.calls]
    took = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"C3 {took:.1f} s for {found.calls:,} charges, target {TARGET_VERIFY:.0f} at 10,000,000; "
        f"{len(found.differences)} differences; {memory} MB"
    )
    if found.calls != charges or found.differences:
        raise SystemExit("The books do not agree.")


# How the draw of charge i becomes a team, a prompt and a model: an organisation's teams own their prompts, which run on
# few models (40 x 12 x 4); or everything with everything (40 x 60 x 20).
TIED = {
    "team": "1 + d % 40",
    "prompt": f"1 + d % 40 * {PROMPTS_OF_A_TEAM} + d / 40 % {PROMPTS_OF_A_TEAM}",
    "model": f"d % 5 * {MODELS_OF_A_PROMPT} + d / 480 % {MODELS_OF_A_PROMPT}",
}
FREE = {"team": "1 + d % 40", "prompt": "1 + d / 40 % 60", "model": "d / 2400 % 20"}
LOAD = """
INSERT INTO costs_charge (id, workspace_id, at, provider, model, tier, region, calls, input_tokens, cache_read_tokens,
    cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens,
    web_searches, other_meters, cost, saved, price_ids, estimated, counted_here, unpriced, purpose, team_id, team_name,
    api_key_id, api_key_name, user_name, customer, prompt_id, prompt_name, version_id, version_number, environment, tags, latency_ms,
    failed, source, source_id)
SELECT (lpad(to_hex(ms), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid, %(workspace)s,
    to_timestamp(ms / 1000.0), 'openai', 'model-' || {model}, '', '', 1, d % 4000, 0, 0, 0, d % 900, 0, 0, 0, 0, '{{}}',
    (d %% 1000000007) / 1e12, 0, ARRAY[1, 2], false, false, false, 'production', {team}, 'Team', 1 + d % 3, 'key', '', '',
    {prompt}, 'prompt', ({prompt}) * 10, 3, 'production', '{{}}', d % 5000, false, 'gateway', ''
FROM (SELECT i, (hashint8extended(i, 7) & 9007199254740991) AS d, md5(%(workspace)s || ' ' || i) AS h,
    %(start)s::bigint + (i * %(span)s::numeric / %(count)s)::bigint AS ms
    FROM generate_series(%(first)s, %(last)s) i) drawn
"""
AT_ONCE = 500_000


def loaded(slug: str, count: int, draw: dict[str, str]) -> Any:
    """Make a workspace with a month of so many charges; their sums are written as a rebuild writes them."""
    from django.db import connection

    from apps.accounts.models import Workspace
    from apps.costs import ledger_sums, partitions

    workspace = Workspace.objects.create(slug=slug, name=slug, time_zone="UTC")
    start = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    partitions.ensure(start, start)
    values = {
        "workspace": workspace.pk,
        "start": int(start.timestamp() * 1000),
        "span": 28 * 86_400_000,
        "count": count,
    }
    statement = LOAD.format(**draw).replace(" % ", " %% ")
    with connection.cursor() as cursor:
        for first in range(0, count, AT_ONCE):
            cursor.execute(statement, {**values, "first": first, "last": min(first + AT_ONCE, count) - 1})
            print(f"{slug}: {min(first + AT_ONCE, count):,} charges made", file=sys.stderr, flush=True)
        began = time.perf_counter()
        ledger_sums.rebuild_sums(workspace_id=workspace.pk)
        print(f"{slug}: sums written in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        cursor.execute(
            "VACUUM ANALYZE costs_charge, costs_spendday, costs_spendmonth, costs_spendaxis, costs_spendhour"
        )
    return workspace


def month(workspace: Any) -> float:
    """Return the milliseconds that a month by team, model and prompt takes, with its rows in our hands."""
    from apps.costs.models import SpendMonth

    rows = SpendMonth.objects.filter(workspace_id=workspace.pk, month=datetime.now(UTC).date().replace(day=1))
    return millis(list, rows.values_list("team_id", "provider", "model", "prompt_id", "calls", "cost"))


def scan(workspace: Any) -> float:
    """Return the milliseconds that the same takes from the charges."""
    from django.db.models import Count, Sum

    from apps.costs.models import Charge

    start = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = Charge.objects.between(start, start + timedelta(days=31)).filter(workspace_id=workspace.pk)
    return millis(
        list, rows.values_list("team_id", "provider", "model", "prompt_id").annotate(Count("id"), Sum("cost"))
    )


if __name__ == "__main__":
    main()
