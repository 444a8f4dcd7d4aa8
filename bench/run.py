"""E1: a run of 1,000 calls of 100 ms at concurrency 32, three assertions each, until the run's page says Done.

The database is durable (fsync on), the worker is a real Celery worker, the provider a process of its own. The floor is
what the calls alone take: 1,000 calls in rounds of 32, 100 ms each, as the provider serves them to bare threads.

    .venv/bin/python bench/run.py [--calls 1000] [--repeat 3]
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TARGET = 1.5
LATENCY_MS = 100
CONCURRENCY = 32


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
        ALLOWED_HOSTS="testserver",
    )
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("createcachetable")
    return cluster


def make_suite(url: str, calls: int):
    from apps.accounts.models import Membership, User, Workspace
    from apps.accounts.rights import Role
    from apps.core import secrets
    from apps.experiments import actions
    from apps.experiments.importing import NewCase
    from apps.llm.models import Connection, Model
    from apps.prompts import contents
    from apps.prompts.models import Prompt, Version

    workspace = Workspace.objects.create(slug="bench", name="Bench")
    user = User.objects.create_user("bench@example.com", "bench", name="Bench")
    Membership.objects.create(workspace=workspace, user=user, roles=[Role.ADMIN])
    connection = Connection.objects.create(
        workspace=workspace, name="Practice", kind=Connection.Kind.COMPATIBLE, provider="practice",
        base_url=f"{url}/v1", encrypted_key=secrets.encrypt("sk-practice"), key_end="tice", max_concurrency=64,
    )  # fmt: skip
    Model.objects.create(workspace=workspace, connection=connection, name="practice-small")
    prompt = Prompt.objects.create(workspace=workspace, name="bench")
    variables = [
        {"name": "message", "type": "string", "required": True, "default": None, "example": "", "description": ""}
    ]
    version = Version(
        prompt=prompt, number=1, messages=[{"role": "user", "content": "Answer briefly: {{message}}"}],
        variables=variables, model_config={"model": "practice-small", "parameters": {}}, message="bench", author=user,
    )  # fmt: skip
    version.content_hash = contents.content_hash(version.content())
    version.save()
    dataset = actions.create_dataset(workspace=workspace, name="Bench", acting_user=user)
    cases = [NewCase(inputs={"message": f"What about parcel {number}?"}) for number in range(calls)]
    actions.add_cases(dataset=dataset, cases=cases, acting_user=user)
    assertions = [
        {"type": "min-length", "value": 1},
        {"type": "not-contains", "value": "as an AI"},
        {"type": "max-length", "value": 5000},
    ]
    rules = {"assertions": assertions}
    return (
        user,
        version,
        actions.create_suite(prompt=prompt, dataset=dataset, name="Bench", rules=rules, acting_user=user),
    )


def floor(url: str, calls: int) -> float:
    """Return the seconds that the same calls take from bare threads over kept connections, with nothing stored."""
    todo: SimpleQueue[int] = SimpleQueue()
    for number in range(calls):
        todo.put(number)
    address = urlsplit(url)

    def work() -> None:
        connection = http.client.HTTPConnection(address.hostname, address.port)
        try:
            while True:
                body = {
                    "model": "practice-small",
                    "messages": [{"role": "user", "content": f"Parcel {todo.get_nowait()}?"}],
                }
                headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-practice"}
                connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
                connection.getresponse().read()
        except Empty:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(CONCURRENCY)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def start_worker(folder: Path) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "llmops_site",
        "worker",
        "-c",
        "2",
        "-l",
        "WARNING",
        "--without-mingle",
    ]
    with (folder / "worker.log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


def time_run(user, version, suite) -> float:
    """Return the seconds from the click that starts a run to the page that shows its result."""
    from django.test import Client
    from django.urls import reverse

    client = Client()
    client.force_login(user)
    start = reverse("run_start", kwargs={"workspace": "bench", "suite_id": suite.pk})
    started = time.perf_counter()
    answer = client.post(start, {"candidate": version.pk})
    assert answer.status_code == 302, answer.content[:500]
    while b"g-verdict" not in client.get(answer["Location"]).content:
        time.sleep(0.1)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galley-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = prepare(folder)
        try:
            measure(folder, options.calls, options.repeat)
        finally:
            cluster.stop()


def measure(folder: Path, calls: int, repeat: int) -> None:
    from apps.experiments.models import Output, Run, Score
    from apps.llm.practice_provider import process

    with process.running(latency_ms=LATENCY_MS) as url:
        user, version, suite = make_suite(url, calls)
        worker = start_worker(folder)
        try:
            time_run(user, version, suite)  # warm: imports and connections are not what is measured
            pairs = [(floor(url, calls), time_run(user, version, suite)) for _ in range(repeat)]
        finally:
            worker.terminate()
            worker.wait(30)
        run = Run.objects.order_by("-pk")[0]
        assert Output.objects.filter(run=run, state="done").count() == calls
        assert Score.objects.filter(output__run=run).count() == 3 * calls
    bare = statistics.median(pair[0] for pair in pairs)
    ratio = statistics.median(taken / least for least, taken in pairs)
    taken = statistics.median(pair[1] for pair in pairs)
    print(f"E1 {ratio:.2f} x floor ({taken:.2f} s), target {TARGET} x, floor {bare:.2f} s")


if __name__ == "__main__":
    main()
