"""L1: CPU of one `complete()`, with everything that makes it durable, against the bare SDK asking the same.

The provider answers at once and is a process of its own, so that what is left is ours: the calling process alone is
counted. What PostgreSQL spends on the same calls is printed beside it. The database is durable (fsync on). Every call
takes its place in the lane, is journalled with its texts, priced, charged, summed up, and counted against a budget.

    .venv/bin/python bench/calls.py [--calls 400] [--repeat 3]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

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
    with prepared():
        measure(options.calls, options.repeat)


@contextmanager
def prepared() -> Iterator[None]:
    """Run a durable cluster with an empty, migrated database, to which the settings point."""
    from cryptography.fernet import Fernet

    from llmops_site.postgres import Cluster

    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = Cluster(folder / "postgres")
        cluster.start()
        os.environ.update(
            DJANGO_SETTINGS_MODULE="llmops_site.settings",
            SECRET_KEY="only-for-the-bench",
            ENCRYPTION_KEYS=Fernet.generate_key().decode(),
            DATABASE_URL=cluster.url,
            GALLEY_VAR=str(folder / "var"),
            OUTBOUND_ALLOW="127.0.0.1:*",
            LOG_LEVEL="ERROR",
        )
        try:
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0, skip_checks=True)
            yield
        finally:
            cluster.stop()


def measure(calls: int, repeat: int) -> None:
    from apps.costs.models import BudgetPeriod, Charge
    from apps.llm.models import Call
    from apps.llm.practice_provider import process

    with process.running(latency_ms=0) as url:
        ask, bare = ours(url), sdk(url)
        for act in (ask, bare):
            cpu(act, WARM)
        database = server_seconds()
        pairs = [(cpu(bare, calls), cpu(ask, calls)) for _ in range(repeat)]
        database = (server_seconds() - database) / (calls * repeat)
    costs = list(Charge.objects.filter(unpriced=False).values_list("cost", flat=True))
    assert Call.objects.filter(state="answered").count() == len(costs) == WARM + calls * repeat
    assert BudgetPeriod.objects.get().spent == sum(costs)
    floor = statistics.median(least for least, _ in pairs)
    ratio = statistics.median(taken / least for least, taken in pairs)
    taken = statistics.median(taken for _, taken in pairs)
    print(
        f"L1 {ratio:.2f} x floor ({taken * 1000:.2f} ms of CPU, PostgreSQL {database * 1000:.2f} ms), "
        f"target {TARGET} x, floor {floor * 1000:.2f} ms (bare SDK)"
    )


def ours(url: str) -> Callable[[], object]:
    """Return what asks a priced model through the one door, as an application with a key would have it asked."""
    from apps.llm import inference

    model = make_model(url)
    make_budget(model.workspace)
    request = request_to(model, messages=MESSAGES, parameters={"temperature": 0, "max_tokens": 100})
    return lambda: inference.complete(request)


def make_model(url: str, *, at_once: int = 32) -> Any:
    """Return a priced model of a connection to the practice provider, which takes so many calls at once."""
    from apps.accounts.models import Workspace
    from apps.core import secrets
    from apps.costs import seed
    from apps.llm.models import Connection, Model

    workspace = Workspace.objects.create(slug="bench", name="Bench")
    seed.seed_prices(workspace=workspace)
    connection = Connection.objects.create(
        workspace=workspace, name="Practice", kind=Connection.Kind.COMPATIBLE, provider="practice",
        base_url=f"{url}/v1", encrypted_key=secrets.encrypt("sk-practice"), key_end="tice", max_concurrency=at_once,
    )  # fmt: skip
    return Model.objects.create(workspace=workspace, connection=connection, name="practice-small")


def make_budget(workspace: Any) -> None:
    """Give the team that asks a monthly budget, large enough for everything."""
    from django.db import transaction
    from django.utils import timezone

    from apps.costs import ledger_sums
    from apps.costs.models import Budget

    month = timezone.now().date().replace(day=1)
    with transaction.atomic():
        ledger_sums.stand_still()
        budget = Budget.objects.create(
            workspace=workspace, name="Support", team_id=7, mode=Budget.Mode.HARD, limit_amount=Decimal(1_000_000),
            counted_from=month,
        )  # fmt: skip
        ledger_sums.recount_budget(budget=budget)


def request_to(model: Any, **asked: Any) -> Any:
    """Return a request as an application's key makes it, for a team's prompt in production."""
    from apps.costs.models import Purpose
    from apps.llm.attribution import Attribution
    from apps.llm.completion import CompletionRequest

    attribution = Attribution(
        purpose=Purpose.PRODUCTION, team_id=7, team_name="Support", api_key_id=5, api_key_name="shop", prompt_id=11,
        prompt_name="support/reply", version_id=113, version_number=3, environment="production",
    )  # fmt: skip
    return CompletionRequest(model=model, attribution=attribution, **asked)


def answer_of(tokens: int) -> dict[str, Any]:
    """Return a schema to which the practice provider answers with exactly that many tokens, from 4 on."""
    size = 4 * tokens - len('{"text": ""}')
    text = {"type": "string", "minLength": size, "maxLength": size}
    return {"type": "object", "properties": {"text": text}, "required": ["text"], "additionalProperties": False}


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
