"""The list of traces over a million calls: how long the server takes for a page, for every filter and for bad mixes.

Each line is one filter, asked for ten pages deep from the newest on, and again from the middle. "no page is slower
than 150 ms" is the target; a page that stopped looking before it was full counts like any other and is marked.

    .venv/bin/python bench/traces.py [--calls 1000000] [--repeat 3]
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
TARGET_MS = 150
DAYS = 90
DEPTH = 10
ROW = re.compile(r'<td class="main"><a href="[^"]*/calls/')
FURTHER = re.compile(r'href="\?[^"]*before=([0-9a-f-]{36})"')
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

# A million calls in the order of their ids, spread evenly over the days. Prompt n has 1/2**n of them and a new version
# every tenth of the time. What is rare is old, which is the worst that can happen to a list that shows the newest.
FILL = """
INSERT INTO llm_call (id, workspace_id, charge_id, model_id, operation, state, attempt, first_attempt_id, party,
    lane_shrinks, asked_tokens, reserved_tokens, attribution, purpose, origin, prompt_id, version_id, user_id,
    finish_reason, usage, cost, reused_id, status, error_kind, error_message, provider_request_id, sent_at,
    deadline_at, ended_at, first_token_ms, latency_ms)
SELECT id, %(workspace)s, id, (%(models)s::bigint[])[model], CASE WHEN i %% 5 = 0 THEN 'stream' ELSE 'complete' END,
    state, 1, id, 'user:1', 0, 400, 0,
    jsonb_build_object('purpose', purpose, 'prompt_id', prompt, 'prompt_name', 'folder/prompt-' || prompt,
        'version_id', prompt * 100 + version, 'version_number', version, 'user_id', person,
        'user_name', 'Person ' || person, 'api_key_id', CASE WHEN i %% 3 = 0 THEN 7 + i %% 4 END, 'team_id', null,
        'team_name', '', 'api_key_name', '', 'customer', '', 'environment', 'production', 'origin', ''),
    purpose, '', prompt, prompt * 100 + version, person, 'stop',
    jsonb_build_object('input', i %% 3000, 'cache_read', 0, 'cache_write', 0, 'cache_write_1h', 0, 'output', i %% 700,
        'reasoning', 0, 'estimated', is_old AND i %% 1000 = 0),
    CASE WHEN i %% 40 = 1 THEN null WHEN i < n / 20 THEN 1.5 ELSE (i %% 9973) * 0.000001 END,
    CASE WHEN i %% 50 = 3 THEN id END, CASE WHEN state = 'answered' THEN 200 ELSE 500 END,
    CASE WHEN state = 'lost' THEN 'lost' WHEN state = 'answered' THEN '' WHEN is_old AND i %% 5000 = 0
        THEN 'permission' ELSE (ARRAY['rate_limited', 'timeout', 'server_error'])[1 + i %% 3] END,
    '', 'req_' || md5(i::text), at, at + interval '1 minute', at + interval '2 seconds', 300,
    CASE WHEN i < n / 10 AND i %% 500 = 7 THEN 90000 ELSE 200 + i %% 4800 END
FROM (
    SELECT i, n, at, is_old, prompt, CASE WHEN is_old AND i %% 20000 = 0 THEN 12 ELSE 1 + i %% 11 END AS model,
        1 + i * 10 / n AS version, CASE WHEN is_old AND i %% 9000 = 0 THEN 61 ELSE 1 + i %% 60 END AS person,
        CASE WHEN is_old AND i %% 10000 = 0 THEN 'guardrail'
            ELSE (ARRAY['production', 'evaluation', 'judge', 'playground'])[1 + i %% 4] END AS purpose,
        CASE WHEN i %% 25 = 0 THEN 'failed' WHEN i < n / 5 AND i %% 10000 = 7 THEN 'lost' ELSE 'answered' END AS state,
        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(i::text), 1, 3)
            || '8' || substr(md5(i::text), 4, 15))::uuid AS id
    FROM (
        SELECT i, n, i < n / 10 AS is_old, %(start)s::timestamptz + i * (%(span)s::interval / n) AS at,
            CASE WHEN i < 30 THEN 40 ELSE least(20, 1 + floor(-ln(abs(hashint8(i)) / 2147483648.0 + 1e-9) / ln(2)))::int
            END AS prompt
        FROM (SELECT i, %(calls)s::bigint AS n FROM generate_series(0, %(calls)s - 1) AS i) AS numbers
    ) AS moments
) AS calls
"""

FILTERS: dict[str, dict[str, object]] = {
    "everything": {},
    "a prompt with half of all": {"prompt": "folder/prompt-1"},
    "a prompt with 30 old calls": {"prompt": "folder/prompt-40"},
    "a prompt nobody has": {"prompt": "no/such"},
    "the newest version": {"prompt": "folder/prompt-1", "version": 10},
    "the oldest version": {"prompt": "folder/prompt-1", "version": 1},
    "a version nobody has": {"prompt": "folder/prompt-1", "version": 99},
    "a model": {"model": "m-1"},
    "a model with 5 old calls": {"model": "m-12"},
    "a connection": {"connection": "c-1"},
    "a purpose": {"purpose": "production"},
    "a purpose with 10 old calls": {"purpose": "guardrail"},
    "a purpose nobody has": {"purpose": "review"},
    "streams": {"operation": "stream"},
    "embeddings, of which there are none": {"operation": "embed"},
    "in trouble": {"state": "trouble"},
    "failed": {"state": "failed"},
    "lost, 20 old ones": {"state": "lost"},
    "in flight, none": {"state": "sent"},
    "answered": {"state": "answered"},
    "reused": {"state": "reused"},
    "estimated, 100 old ones": {"state": "estimated"},
    "unpriced": {"state": "unpriced"},
    "an error": {"error": "timeout"},
    "an error with 20 old calls": {"error": "permission"},
    "an error nobody had": {"error": "malformed"},
    "slower than 2 s": {"slower": 2},
    "slower than a minute, 200 old ones": {"slower": 60},
    "slower than anything": {"slower": 3000},
    "dearer than a cent, 5 % and old": {"dearer": "0.01"},
    "dearer than half of them": {"dearer": "0.005"},
    "dearer than anything": {"dearer": 1000},
    "a person": {"person": "p-1"},
    "a person with 11 old calls": {"person": "p-61"},
    "an API key": {"key": "k-7"},
    "a key that made none": {"key": "k-12"},
    "a day in the middle": {"since": "2026-09-10T00:00", "until": "2026-09-11T00:00"},
    "the whole time": {"since": "2026-01-01T00:00"},
    "five things, frequent": {
        "prompt": "folder/prompt-1", "purpose": "production", "operation": "complete", "state": "answered", "slower": 1
    },
    "five things that exclude each other": {
        "prompt": "folder/prompt-1", "model": "m-1", "person": "p-2", "state": "answered", "purpose": "judge"
    },
    "a prompt in trouble": {"prompt": "folder/prompt-3", "state": "trouble"},
    "an old person and a new prompt": {"prompt": "folder/prompt-1", "person": "p-61", "purpose": "judge"},
    "dear, in trouble, of a prompt": {"prompt": "folder/prompt-2", "state": "trouble", "dearer": "0.01"},
    "dear and last week: none": {"dearer": "1", "since": "2026-10-24T00:00"},
    "a purpose nobody has, of a busy prompt": {"prompt": "folder/prompt-1", "purpose": "review"},
    "estimated, of a connection and a key": {"state": "estimated", "connection": "c-1", "key": "k-7"},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    from llmops_site.postgres import Cluster

    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = Cluster(folder)
        cluster.start()
        try:
            prepare(cluster.url, str(folder / "var"))
            fill(options.calls)
            measure(options.repeat)
        finally:
            cluster.stop()


def prepare(url: str, var: str) -> None:
    os.environ.update(
        DATABASE_URL=url,
        DJANGO_SETTINGS_MODULE="llmops_site.settings",
        GALLEY_VAR=var,
        DEBUG="1",
        ALLOWED_HOSTS="testserver",
        LOG_LEVEL="WARNING",
    )
    os.environ.setdefault("SECRET_KEY", "only-for-measuring")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, skip_checks=True)


def fill(calls: int) -> None:
    """Make a workspace with so many calls."""
    from django.db import connection

    from apps.accounts.models import ApiKey, Membership, User, Workspace
    from apps.accounts.rights import Role
    from apps.llm.models import Connection, Model

    workspace = Workspace.objects.create(slug="bench", name="Bench")
    people = User.objects.bulk_create(User(email=f"p{n}@example.com", name=f"Person {n}") for n in range(1, 62))
    Membership.objects.bulk_create(Membership(workspace=workspace, user=user, roles=[Role.ADMIN]) for user in people)
    ApiKey.objects.bulk_create(
        ApiKey(workspace=workspace, name=f"Key {n}", secret_hash=f"{n}", secret_end="0000", scopes=[])
        for n in range(1, 13)
    )
    connections = [
        Connection.objects.create(workspace=workspace, name=f"Connection {n}", kind="openai", provider="openai")
        for n in range(1, 4)
    ]
    models = [
        Model.objects.create(workspace=workspace, connection=connections[n % 3], name=f"model-{n}").pk
        for n in range(1, 13)
    ]
    started = time.perf_counter()
    values = {
        "workspace": workspace.pk,
        "models": models,
        "calls": calls,
        "start": NOW - timedelta(days=DAYS),
        "span": timedelta(days=DAYS),
    }
    with connection.cursor() as cursor:
        cursor.execute(FILL, values)
        # What the server does by itself within minutes.
        cursor.execute("VACUUM ANALYZE llm_call")
        cursor.execute("SELECT pg_size_pretty(pg_table_size('llm_call')), pg_size_pretty(pg_indexes_size('llm_call'))")
        table, indexes = cursor.fetchone()
    print(f"{calls:,} calls in {time.perf_counter() - started:.0f} s; {table}, indexes {indexes}", flush=True)


def measure(repeat: int) -> None:
    from django.test import Client

    from apps.accounts.models import User

    client = Client()
    client.force_login(User.objects.get(email="p1@example.com"))
    client.get("/w/bench/models/calls/")
    slow = 0
    print(f"{'':42} {'p50':>7} {'p95':>7} {'most':>7}  rows")
    for name, chosen in FILTERS.items():
        times, rows, has_stopped = [], 0, False
        for _ in range(repeat):
            for start in ("", middle()):
                found = walk(client, by_id(chosen) | ({"before": start} if start else {}))
                times += found[0]
                rows, has_stopped = max(rows, found[1]), has_stopped or found[2]
        p95 = statistics.quantiles(times, n=20)[-1]
        slow += p95 > TARGET_MS
        mark = "  stopped looking" if has_stopped else ""
        print(f"{name:42} {statistics.median(times):7.1f} {p95:7.1f} {max(times):7.1f}  {rows}{mark}", flush=True)
    print(f"{slow} of {len(FILTERS)} filters are slower than {TARGET_MS} ms at p95")


def middle() -> str:
    from apps.core.ids import uuid7_floor

    return str(uuid7_floor(NOW - timedelta(days=DAYS / 2)))


def by_id(chosen: dict[str, object]) -> dict[str, object]:
    """Put ids in the place of what a filter names by its number."""
    from apps.accounts.models import ApiKey, User
    from apps.llm.models import Connection, Model

    found = dict(chosen)
    for name, rows in (
        ("model", Model.objects.filter(workspace__slug="bench")),
        ("connection", Connection.objects.filter(workspace__slug="bench")),
        ("person", User.objects.filter(memberships__workspace__slug="bench")),
        ("key", ApiKey.objects.filter(workspace__slug="bench")),
    ):
        if name in found:
            found[name] = rows.order_by("id").values_list("pk", flat=True)[int(str(found[name])[2:]) - 1]
    return found


def walk(client, query: dict[str, object]) -> tuple[list[float], int, bool]:
    """Ask for page after page; return the milliseconds of each, how many calls came and whether looking stopped."""
    times, rows, has_stopped = [], 0, False
    for _ in range(DEPTH):
        started = time.perf_counter()
        response = client.get(f"/w/bench/models/calls/?{urlencode(query)}")
        times.append((time.perf_counter() - started) * 1000)
        if response.status_code != 200:
            raise SystemExit(f"{query} answered {response.status_code}")
        shown = response.content.decode()
        rows, has_stopped = rows + len(ROW.findall(shown)), has_stopped or "Search further" in shown
        further = FURTHER.findall(shown)
        if not further:
            break
        query = query | {"before": further[-1]}
    return times, rows, has_stopped


if __name__ == "__main__":
    main()
