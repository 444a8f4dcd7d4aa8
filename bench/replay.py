"""L5: an hour of traffic replayed at ten times its speed through `complete()`, and the books looked at afterwards.

The trace is a CSV file with the columns of the public ones (TIMESTAMP, ContextTokens, GeneratedTokens), gzipped or not.
Without one, an hour of the same shape is made up here: five calls a second with a swell and gaps, prompts of about a
thousand tokens, answers of about two hundred. The practice provider answers with exactly as many tokens as the trace
says and takes 3 ms for each, which is 30 at the trace's own speed. Every call must be there, and its cost three times:
as it was told to the caller, as the sum of the charges, as the sums that pages read. The memory of the calling process
is looked at every second.

    .venv/bin/python bench/replay.py [trace.csv.gz] [--minutes 10] [--speed 10] [--from 0]
"""

import argparse
import csv
import gzip
import math
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench import calls

LATENCY_MS, TOKEN_MS = 20, 3
LEAST = 4  # tokens, in which the practice provider can answer by a schema
THREADS = 96
TARGET_FLAT = 0.10
# Until every thread has had its turn and every cache is full.
WARM_SHARE = 0.3
WORDS = ("parcel", "order", "refund", "address", "invoice", "colour", "delivery", "Tuesday", "carrier", "receipt")
MADE_UP_CALLS, HOUR = 19_000, 3_600.0


class Wanted(NamedTuple):
    """One call of the trace: when, in seconds from its first, and how many tokens it reads and writes."""

    at: float
    context: int
    generated: int


@dataclass
class Seen:
    """What the callers were told."""

    cost: Decimal = Decimal(0)
    tokens: int = 0
    answered: int = 0
    errors: list[str] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=10, help="of the trace")
    parser.add_argument("--from", dest="start", type=float, default=0, metavar="MINUTE", help="of the trace")
    parser.add_argument("--speed", type=float, default=10)
    options = parser.parse_args()
    trace = read(options.trace) if options.trace else made_up()
    first, last = options.start * 60, (options.start + options.minutes) * 60
    trace = [wanted._replace(at=wanted.at - first) for wanted in trace if first <= wanted.at < last]
    with calls.prepared():
        measure(trace, options.speed)


def read(path: Path) -> list[Wanted]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as lines:
        rows = [
            # The seventh digit of a second is more than Python reads.
            (datetime.fromisoformat(row["TIMESTAMP"][:26]), int(row["ContextTokens"]), int(row["GeneratedTokens"]))
            for row in csv.DictReader(lines)
        ]
    start = min(at for at, _, _ in rows)
    return sorted(Wanted((at - start).total_seconds(), read, max(written, LEAST)) for at, read, written in rows)


def made_up() -> list[Wanted]:
    """Return an hour of the usual shape: always the same one."""
    chance = random.Random(7)
    wanted = []
    for _ in range(MADE_UP_CALLS):
        at = chance.uniform(0, HOUR)
        while chance.random() > (1 + math.sin(2 * math.pi * at / HOUR - 1.8) / 3) / (4 / 3):
            at = chance.uniform(0, HOUR)
        context = min(round(chance.lognormvariate(6.5, 1.1)) + 2, 8_000)
        wanted.append(Wanted(at, context, min(round(chance.lognormvariate(4.9, 0.9)) + 7, 1_000)))
    return sorted(wanted)


def measure(trace: Sequence[Wanted], speed: float) -> None:
    from apps.llm.practice_provider import process

    with process.running(latency_ms=LATENCY_MS, token_ms=TOKEN_MS, keep_keys=False) as url:
        model = calls.make_model(url, at_once=THREADS)
        calls.make_budget(model.workspace)
        seen, memory = Seen(), [0.0]
        over = threading.Event()
        watcher = threading.Thread(target=watch, args=(memory, over))
        watcher.start()
        started = time.perf_counter()
        replay(model, trace, speed, seen)
        seconds = time.perf_counter() - started
        over.set()
        watcher.join()
    check_books(trace, seen)
    warm = memory[round(len(memory) * WARM_SHARE) :]
    middle = statistics.median(warm)
    wide = max(max(warm) / middle - 1, 1 - min(warm) / middle)
    late = sorted(seen.late)[int(len(seen.late) * 0.99)]
    print(
        f"L5 {seen.answered:,} of {len(trace):,} calls in {seconds:.0f} s, {len(seen.errors)} errors, sums exact "
        f"(${seen.cost}), memory {middle:.0f} MB +-{wide:.1%}, calls left {late * 1000:.0f} ms late at p99, "
        f"target all, exact, +-{TARGET_FLAT:.0%}, trace {trace[-1].at / speed:.0f} s"
    )


def replay(model: Any, trace: Sequence[Wanted], speed: float, seen: Seen) -> None:
    """Send every call when it is due, from a thread that is free by then."""
    from django.db import connection

    from apps.llm import inference

    def ask(due: float, wanted: Wanted) -> None:
        seen.late.append(time.perf_counter() - due)
        request = calls.request_to(
            model,
            messages=[{"role": "user", "content": said(wanted.context)}],
            parameters={"max_tokens": wanted.generated},
            output_schema=calls.answer_of(wanted.generated),
        )
        try:
            done = inference.complete(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted and shown
            seen.errors.append(repr(error))
            return
        with seen.lock:
            seen.answered += 1
            seen.tokens += done.usage.total
            seen.cost += done.cost or Decimal(0)

    ready = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS, initializer=lambda: (connection.ensure_connection(), ready.wait())) as threads:
        for _ in range(THREADS):
            threads.submit(time.sleep, 0.05)  # so that all threads are there
        time.sleep(1)
        started = time.perf_counter()
        for wanted in trace:
            due = started + wanted.at / speed
            time.sleep(max(0.0, due - time.perf_counter()))
            threads.submit(ask, due, wanted)


def said(tokens: int) -> str:
    """Return a text of about that many tokens, no two alike."""
    start, size = random.randrange(len(WORDS)), 4 * tokens
    text = " ".join(WORDS[(start + place) % len(WORDS)] for place in range(size // 5 + 1))
    return f"{random.randrange(10**9)} {text}"[:size]


def check_books(trace: Sequence[Wanted], seen: Seen) -> None:
    from django.db.models import Count, F, Sum

    from apps.costs.models import BudgetPeriod, Charge, SpendAxis
    from apps.llm.models import Call, CallBody

    assert not seen.errors, seen.errors[:3]
    assert seen.answered == len(trace)
    assert Call.objects.filter(state="answered").count() == CallBody.objects.exclude(text="").count() == len(trace)
    tokens = Sum(F("input_tokens") + F("cache_read_tokens") + F("output_tokens"))
    charged = Charge.objects.aggregate(calls=Count("id"), cost=Sum("cost"), tokens=tokens)
    summed = SpendAxis.objects.filter(axis="all").aggregate(calls=Sum("calls"), cost=Sum("cost"), tokens=Sum("tokens"))
    assert charged == summed == {"calls": seen.answered, "cost": seen.cost, "tokens": seen.tokens}
    assert BudgetPeriod.objects.aggregate(Sum("spent"))["spent__sum"] == seen.cost
    written = Charge.objects.aggregate(Sum("output_tokens"))["output_tokens__sum"]
    assert written == sum(wanted.generated for wanted in trace)


def watch(memory: list[float], over: threading.Event) -> None:
    """Note this process's resident memory, in megabytes, every second."""
    page = os.sysconf("SC_PAGE_SIZE") / 1024 / 1024
    memory.clear()
    while not over.wait(1):
        memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)


if __name__ == "__main__":
    main()
