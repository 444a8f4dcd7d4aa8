"""L3: a provider that refuses the 21st call in flight (429), asked by 4 processes of 16 threads: 2,000 calls.

The ideal is the provider's own: 20 calls at once, each as long as its latency. Nothing tells the callers of the 20: the
lane that they share finds out. Each throttled call waits as long as the provider asks before it is asked again. With
the row comes the lane's width over time.

    .venv/bin/python bench/throttle.py [--calls 2000] [--latency 100] [--repeat 3]
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench import calls

TARGET_RATE, TARGET_REFUSED = 0.90, 0.03
AT_ONCE, PROCESSES, THREADS = 20, 4, 16
LOOK_SECONDS = 0.05
SHOWN = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--latency", type=int, default=100, help="milliseconds")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(*options.work)
        return
    with calls.prepared():
        measure(options.calls, options.latency, options.repeat)


@dataclass(frozen=True)
class Round:
    """What became of the calls: seconds, attempts that the provider refused, and the lane's width over time."""

    seconds: float
    attempts: int
    refused: int
    widths: list[int]


def measure(asked: int, latency: int, repeat: int) -> None:
    from apps.llm.practice_provider import process

    with process.running(latency_ms=latency, concurrency=AT_ONCE) as url:
        model = calls.make_model(url, at_once=2 * PROCESSES * THREADS)
        rounds = [play(url, model, asked) for _ in range(repeat)]
    ideal = asked * latency / 1000 / AT_ONCE
    for one in rounds:
        step = max(1, len(one.widths) // SHOWN)
        told = " ".join(str(width) for width in one.widths[::step])
        print(f"   {ideal / one.seconds:.1%} of the ideal, {one.refused} refused; width every "
              f"{step * LOOK_SECONDS:.1f} s: {told}")  # fmt: skip
    share = statistics.median(ideal / one.seconds for one in rounds)
    refused = statistics.median(one.refused / one.attempts for one in rounds)
    print(
        f"L3 {share:.1%} of the ideal rate, {refused:.1%} of calls answered 429 ({latency} ms each), "
        f"target {TARGET_RATE:.0%} and {TARGET_REFUSED:.0%}, ideal {AT_ONCE * 1000 / latency:.0f} calls/s"
    )


def play(url: str, model: Any, asked: int) -> Round:
    """Let the processes ask, from a lane on that knows nothing yet; check that nothing is lost."""
    from apps.costs.models import Charge
    from apps.llm.models import Call, Lane

    Lane.objects.filter(model=model).delete()
    answered, charged = Call.objects.filter(state="answered"), Charge.objects.all()
    before = answered.count(), Call.objects.count(), charged.count()
    urllib.request.urlopen(urllib.request.Request(f"{url}/__reset", b"{}")).close()
    seconds, widths = run(model, asked)
    with urllib.request.urlopen(f"{url}/__stats") as found:
        stats = json.load(found)
    refused = stats["faults"].get("429", 0)
    after = answered.count(), Call.objects.count(), charged.count()
    assert [now - then for now, then in zip(after, before, strict=True)] == [asked, asked + refused, asked + refused]
    assert stats["ok"] == asked
    return Round(seconds, asked + refused, refused, widths)


def run(model: Any, asked: int) -> tuple[float, list[int]]:
    """Return how long the processes took from the word go on, and the lane's widths meanwhile."""
    command = [sys.executable, __file__, "--work", str(model.pk), str(asked // PROCESSES)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    widths: list[int] = []
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(model, widths, over))
    watcher.start()
    started = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
    failed = [worker.wait(600) for worker in workers]
    seconds = time.perf_counter() - started
    over.set()
    watcher.join()
    for worker in workers:
        worker.stdout.close()
    assert not any(failed), "a call was not answered"
    return seconds, widths


def watch(model: Any, widths: list[int], over: threading.Event) -> None:
    from django.db import connection

    from apps.llm.models import Lane

    while not over.wait(LOOK_SECONDS):
        widths += Lane.objects.filter(model=model).values_list("width", flat=True)
    connection.close()


def work(model_id: int, asked: int) -> None:
    """Be one of the processes: get ready, wait for the word, ask until all is answered. Raises what a call raises."""
    import django

    django.setup()
    from django.db import connection

    from apps.llm import clients, inference
    from apps.llm.models import Model

    model = Model.objects.with_connection().get(pk=model_id)
    clients.client_of(model.connection)
    request = calls.request_to(model, messages=calls.MESSAGES, parameters={"temperature": 0, "max_tokens": 20})
    ready = threading.Barrier(THREADS + 1)
    todo = iter(range(asked))  # next() of it is one step: no two threads get the same

    def ask() -> None:
        connection.ensure_connection()
        ready.wait()
        for _ in todo:
            inference.complete(request)
        connection.close()

    with ThreadPoolExecutor(THREADS) as threads:
        jobs = [threads.submit(ask) for _ in range(THREADS)]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        ready.wait()
    for job in jobs:
        job.result()


if __name__ == "__main__":
    main()
