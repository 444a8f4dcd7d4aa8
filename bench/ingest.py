"""C7: spans sent over HTTP until they are priced and in the sums, as an exporter sends them: 512 a request, gzip.

The database is durable, the web server is the one that `manage.py up` runs. The floor is the same number of charges
booked without HTTP, spans or prices, a thousand at a time. A second row sends one backlog in a single request and says
how much memory the server took for it.

    .venv/bin/python bench/ingest.py [--spans 20000] [--backlog 50000] [--repeat 3]
"""

import argparse
import gzip
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PORT, SENDERS, A_REQUEST, TARGET, PEER = 8951, 2, 512, 5_000, 258
MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "o3")
SAID = "Where is my parcel? " * 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--backlog", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as name:
        cluster, key, secret = prepare(Path(name))
        try:
            with serving() as pid:
                measure(options, key, secret, pid)
        finally:
            cluster.stop()


def prepare(folder: Path):
    from llmops_site.postgres import Cluster

    cluster = Cluster(folder / "postgres")
    cluster.start()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="llmops_site.settings",
        SECRET_KEY="only-for-the-bench",
        DATABASE_URL=cluster.url,
        GALLEY_VAR=str(folder / "var"),
        DATABASE_POOL="8",
        LOG_LEVEL="WARNING",
    )
    import django

    django.setup()
    from django.core.management import call_command

    from apps.costs import seed
    from tests import factories

    call_command("migrate", verbosity=0, skip_checks=True)
    call_command("createcachetable")
    workspace = factories.make_workspace("bench")
    seed.seed_prices(workspace=workspace)
    return cluster, *factories.make_api_key(workspace, "charges:write", team=factories.make_team(workspace))


@contextmanager
def serving():
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(PORT)]
    command += ["--blocking-threads", "8", "--no-ws", "--log-level", "warning", "llmops_site.wsgi:application"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ)
    try:
        wait()
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def wait() -> None:
    for _ in range(200):
        try:
            line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
            line.request("GET", "/healthz")
            line.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


def body_of(first: int, count: int) -> bytes:
    """Return a request of calls to five models with the texts that instrumentation adds, packed."""
    from tests.costs.ingesting import CHAT, backlog, span

    now = datetime.now(UTC) - timedelta(hours=1)
    spans = [
        span(
            {
                **CHAT,
                "gen_ai.request.model": MODELS[number % 5],
                "gen_ai.response.model": MODELS[number % 5],
                "gen_ai.usage.input_tokens": 900 + number % 200,
                "gen_ai.usage.cache_read.input_tokens": number % 300,
                "gen_ai.usage.output_tokens": 100 + number % 50,
                "gen_ai.input.messages": SAID,
                "gen_ai.output.messages": SAID,
            },
            number,
            now + timedelta(milliseconds=number % 3_000_000),
        )
        for number in range(first, first + count)
    ]
    request = backlog(*spans, resource={"service.name": "shop", "deployment.environment.name": "production"})
    return gzip.compress(request.SerializeToString(), compresslevel=1)


def send(line: http.client.HTTPConnection, body: bytes, secret: str) -> None:
    headers = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "gzip",
        "Authorization": f"Bearer {secret}",
    }
    line.request("POST", "/v1/traces", body, headers)
    answer = line.getresponse()
    said = answer.read()
    if answer.status != 200 or said:
        raise SystemExit(f"{answer.status}: {said!r}")


def sent(bodies: list[bytes], secret: str) -> float:
    """Return the seconds until the answer to the last request: everything is booked then."""
    waiting = list(reversed(bodies))

    def work() -> None:
        line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=300)
        while waiting:
            send(line, waiting.pop(), secret)

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def floor(key, count: int) -> float:
    from apps.core.ids import uuid7
    from apps.costs import ledger
    from apps.costs.ledger import NewCharge
    from apps.costs.models import Purpose

    charges = [
        NewCharge(
            id=uuid7(),
            workspace_id=key.workspace_id,
            provider="openai",
            model=MODELS[number % 5],
            purpose=Purpose.PRODUCTION,
            cost=Decimal("0.0021"),
            input_tokens=900,
            output_tokens=100,
            source="floor",
        )
        for number in range(count)
    ]
    began = time.perf_counter()
    ledger.record(charges)
    return time.perf_counter() - began


def memory_of(pid: int) -> int:
    """Return the megabytes that a process and its children hold now."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    total = 0
    for found in (str(pid), *children):
        status = Path(f"/proc/{found}/status").read_text()
        total += int(status.split("VmRSS:")[1].split()[0])
    return total // 1024


def measure(options: argparse.Namespace, key, secret: str, pid: int) -> None:
    rates, floors, place = [], [], 1
    sent([body_of(10**9, A_REQUEST)], secret)
    for _ in range(options.repeat):
        bodies = [body_of(place + first, A_REQUEST) for first in range(0, options.spans, A_REQUEST)]
        count = len(bodies) * A_REQUEST
        place += count
        rates.append(count / sent(bodies, secret))
        floors.append(count / floor(key, count))
    check(place - 1 + A_REQUEST)
    print(
        f"C7 spans until priced and in the sums: {statistics.median(rates):,.0f} spans/s with {SENDERS} senders; "
        f"target {TARGET:,}; peer {PEER}; charges booked alone {statistics.median(floors):,.0f}/s"
    )
    whole = body_of(place, options.backlog)
    before = memory_of(pid)
    seconds = sent([whole], secret)
    print(
        f"C7 one backlog of {options.backlog:,} spans ({len(whole) / 1e6:.1f} MB packed): "
        f"{options.backlog / seconds:,.0f} spans/s, the server grew by {memory_of(pid) - before} MB"
    )


def check(count: int) -> None:
    from django.db.models import Sum

    from apps.costs.models import Charge, SpendAxis

    booked = Charge.objects.filter(source="otlp", unpriced=False).count()
    summed = (
        SpendAxis.objects.filter(axis="all").aggregate(n=Sum("calls"))["n"]
        - Charge.objects.filter(source="floor").count()
    )
    if not booked == summed == count:
        raise SystemExit(f"{count} were sent, {booked} are booked and priced, {summed} in the sums.")


if __name__ == "__main__":
    main()
