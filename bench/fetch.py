"""P1, P2 and P3: fetching what is live over REST with an API key, 1,001 prompts, 16 callers at once.

The database is durable, the web server is the one that `manage.py up` runs. The floor is the same server answering a
WSGI application that does nothing. `wrk` makes the load where it is installed; otherwise threads of another process,
which cost a good part of the two cores themselves.

    .venv/bin/python bench/fetch.py [--seconds 8] [--repeat 3]
"""

import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PROMPTS = 1_001
CALLERS = 16
PEERS = {"Phoenix": 245, "MLflow": 171}
HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""
THREADS = """
import http.client, json, sys, threading, time
host, path, headers, callers, seconds = json.loads(sys.argv[1])
times, stop = [], time.time() + seconds
def call():
    line = http.client.HTTPConnection(host)
    while time.time() < stop:
        began = time.perf_counter()
        line.request("GET", path, headers=headers)
        line.getresponse().read()
        times.append(time.perf_counter() - began)
threads = [threading.Thread(target=call) for _ in range(callers)]
[t.start() for t in threads]; [t.join() for t in threads]
times.sort()
print(json.dumps([len(times) / seconds, times[int(len(times) * .99)] * 1000]))
"""


def prepare(folder: Path):
    """Start a durable cluster, fill it, and return the cluster and the key's secret."""
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

    call_command("migrate", verbosity=0, skip_checks=True)
    call_command("createcachetable")
    return cluster, fill()


def fill() -> str:
    from apps.accounts.rights import Role
    from apps.prompts import actions
    from apps.prompts.models import Environment
    from tests import factories

    workspace = factories.make_workspace("bench")
    olga = factories.make_member(workspace, "Olga", Role.ADMIN)
    Environment.objects.create(workspace=workspace, name="production", rank=0, policy={})
    environment = workspace.environments.get()
    for number in range(PROMPTS):
        version = factories.make_version(factories.make_prompt(workspace, f"shop/prompt-{number}"), olga)
        actions.deploy(version=version, environment=environment, actor=olga, replaces=None)
    return factories.make_api_key(workspace, "prompts:read", "prompts:promote:production")[1]


@contextmanager
def serving(application: str, folder: Path, port: int):
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--blocking-threads", "8", "--no-ws", "--log-level", "warning", application]
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": f"{ROOT}:{folder}"})
    try:
        wait(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait(port: int) -> None:
    for _ in range(200):
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            line.request("GET", "/healthz")
            line.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


def load(host: str, path: str, headers: dict[str, str], seconds: float) -> tuple[float, float]:
    """Return requests a second and the 99th percentile in milliseconds."""
    if shutil.which("wrk"):
        command = ["wrk", "-t1", f"-c{CALLERS}", f"-d{int(seconds)}s", "--latency"]
        command += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        done = subprocess.run([*command, f"http://{host}{path}"], capture_output=True, text=True, check=True).stdout
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1])
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done).groups()
        if "Non-2xx" in done and "If-None-Match" not in headers:
            raise SystemExit(done)
        return rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    argument = json.dumps([host, path, headers, CALLERS, seconds])
    done = subprocess.run([sys.executable, "-c", THREADS, argument], capture_output=True, text=True, check=True)
    rate, p99 = json.loads(done.stdout)
    return rate, p99


def get(host: str, path: str, headers: dict[str, str]) -> tuple[int, Message, bytes, float]:
    began = time.perf_counter()
    line = http.client.HTTPConnection(host)
    line.request("GET", path, headers=headers)
    answer = line.getresponse()
    body = answer.read()
    return answer.status, answer.headers, body, (time.perf_counter() - began) * 1000


def measure_fetch(host: str, headers: dict[str, str], floor: str, seconds: float, repeat: int) -> None:
    path = "/api/v1/prompts/shop/prompt-500"
    etag = get(host, path, headers)[1]["ETag"]
    rows: dict[str, list[tuple[float, float]]] = {"fetch": [], "not modified": [], "floor": []}
    for _ in range(repeat):
        rows["fetch"].append(load(host, path, headers, seconds))
        rows["not modified"].append(load(host, path, {**headers, "If-None-Match": etag}, seconds))
        rows["floor"].append(load(floor, "/", {}, seconds))
    middle = {name: [statistics.median(column) for column in zip(*found, strict=True)] for name, found in rows.items()}
    peer = max(PEERS.values())
    for name in ("fetch", "not modified"):
        rate, p99 = middle[name]
        print(
            f"P1 {name}: {rate:,.0f} rps, p99 {p99:.1f} ms = {rate / peer:.1f} x faster peer's {peer} rps; "
            f"target 10 x and 30 ms; floor {middle['floor'][0]:,.0f} rps"
        )


def measure_bulk(host: str, headers: dict[str, str], repeat: int) -> None:
    path = "/api/v1/prompts?environment=production"
    etag = get(host, path, headers)[1]["ETag"]
    whole = statistics.median(get(host, path, headers)[3] for _ in range(repeat * 5))
    same = statistics.median(get(host, path, {**headers, "If-None-Match": etag})[3] for _ in range(repeat * 5))
    print(f"P3 bulk of {PROMPTS}: {whole:.0f} ms, target 100 ms; 304 {same:.1f} ms, target 5 ms")


def measure_freshness(host: str, headers: dict[str, str], repeat: int) -> None:
    """Promote while callers ask without pause; the figure is the age of the last old answer that began after commit."""
    from apps.accounts.models import User
    from apps.prompts import actions
    from apps.prompts.models import Deployment, Prompt
    from tests import factories

    olga = User.objects.get(name="Olga")
    prompt = Prompt.objects.get(name="shop/prompt-7")
    ages = []
    for number in range(repeat * 3):
        live = Deployment.objects.current().loaded().get(prompt=prompt)
        version = factories.make_version(prompt, olga, message=f"round {number}", model_config={"model": str(number)})
        seen: list[tuple[float, int]] = []
        stop = threading.Event()

        def ask(seen: list[tuple[float, int]] = seen, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                began = time.perf_counter()
                body = json.loads(get(host, "/api/v1/prompts/shop/prompt-7", headers)[2])
                seen.append((began, body["version"]))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        actions.deploy(version=version, environment=live.environment, actor=olga, replaces=live)
        committed = time.perf_counter()
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
        stale = [began - committed for began, got in seen if began > committed and got != version.number]
        ages.append(max(stale, default=0.0) * 1000)
    print(f"P2 last old answer after a promotion: {max(ages):.0f} ms, target 1,000 ms; Langfuse's caches 60,000 ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galley-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        cluster, secret = prepare(folder)
        (folder / "hello.py").write_text(HELLO)
        headers = {"Authorization": f"Bearer {secret}"}
        try:
            with (
                serving("llmops_site.wsgi:application", ROOT, 8941) as host,
                serving("hello:application", folder, 8942) as floor,
            ):
                measure_fetch(host, headers, floor, options.seconds, options.repeat)
                measure_bulk(host, headers, options.repeat)
                measure_freshness(host, headers, options.repeat)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
