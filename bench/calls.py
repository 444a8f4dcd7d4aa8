"""L1: CPU of one `complete()`, with everything that makes it durable, against the bare SDK asking the same.

The provider answers at once and is a process of its own, so that what is left is ours: the calling process alone is
counted. What PostgreSQL spends on the same calls is printed beside it. The database is durable (fsync on).

    .venv/bin/python bench/calls.py [--calls 400] [--repeat 3]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TARGET = 2.5
WARM = 50
MESSAGES = [
    {"role": "system", "content": "You answer customers of a shop. Be brief."},
    {"role": "user", "content": "Reply to Ines: Where is my parcel?"},
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = prepare(folder)
        try:
            measure(options.calls, options.repeat)
        finally:
            cluster.stop()


def prepare(folder: Path):
    """Start a durable cluster and let the settings point to it."""
    from cryptography.fernet import Fernet

    from llmops_site.postgres import Cluster

    cluster = Cluster(folder / "postgres")
    cluster.start()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="llmops_site.settings",
        SECRET_KEY="only-for-the-bench",
        ENCRYPTION_KEYS=Fernet.generate_key().decode(),
        DATABASE_URL=cluster.url,
        GALLEY_VAR=str(folder / "var"),
        OUTBOUND_ALLOW="127.0.0.1:*",
        LOG_LEVEL="WARNING",
    )
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, skip_checks=True)
    return cluster


def measure(calls: int, repeat: int) -> None:
    from apps.costs.models import Charge
    from apps.llm.models import Call
    from apps.llm.practice_provider import process

    with process.running(latency_ms=0) as url:
        ask, bare = ours(url), sdk(url)
        for act in (ask, bare):
            cpu(act, WARM)
        database = server_seconds()
        pairs = [(cpu(bare, calls), cpu(ask, calls)) for _ in range(repeat)]
        database = (server_seconds() - database) / (calls * repeat)
    asked = WARM + calls * repeat
    assert Call.objects.filter(state="answered").count() == Charge.objects.filter(unpriced=False).count() == asked
    floor = statistics.median(least for least, _ in pairs)
    ratio = statistics.median(taken / least for least, taken in pairs)
    taken = statistics.median(taken for _, taken in pairs)
    print(
        f"L1 {ratio:.2f} x floor ({taken * 1000:.2f} ms of CPU, PostgreSQL {database * 1000:.2f} ms), "
        f"target {TARGET} x, floor {floor * 1000:.2f} ms (bare SDK)"
    )


def ours(url: str) -> Callable[[], object]:
    """Return what asks a priced model through the one door, as an application with a key would have it asked."""
    from apps.accounts.models import Workspace
    from apps.core import secrets
    from apps.costs import seed
    from apps.costs.models import Purpose
    from apps.llm import inference
    from apps.llm.attribution import Attribution
    from apps.llm.completion import CompletionRequest
    from apps.llm.models import Connection, Model

    workspace = Workspace.objects.create(slug="bench", name="Bench")
    seed.seed_prices(workspace=workspace)
    connection = Connection.objects.create(
        workspace=workspace, name="Practice", kind=Connection.Kind.COMPATIBLE, provider="practice",
        base_url=f"{url}/v1", encrypted_key=secrets.encrypt("sk-practice"), key_end="tice",
    )  # fmt: skip
    model = Model.objects.create(workspace=workspace, connection=connection, name="practice-small")
    attribution = Attribution(
        purpose=Purpose.PRODUCTION, team_id=7, team_name="Support", api_key_id=5, api_key_name="shop", prompt_id=11,
        prompt_name="support/reply", version_id=113, version_number=3, environment="production",
    )  # fmt: skip
    request = CompletionRequest(
        model=model, messages=MESSAGES, parameters={"temperature": 0, "max_tokens": 100}, attribution=attribution
    )
    return lambda: inference.complete(request)


def sdk(url: str) -> Callable[[], object]:
    """Return what asks the same with the provider's own client and keeps nothing."""
    import openai

    client = openai.OpenAI(api_key="sk-practice", base_url=f"{url}/v1", max_retries=0)
    create = client.chat.completions.create
    return lambda: create(model="practice-small", messages=MESSAGES, temperature=0, max_tokens=100)


def cpu(act: Callable[[], object], times: int) -> float:
    """Return the seconds of CPU that the calling process spends on one."""
    started = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - started) / times


def server_seconds() -> float:
    """Return the seconds of CPU that this connection's server process has spent."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
