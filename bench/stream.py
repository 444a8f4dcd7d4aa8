"""L2: what we add to the time to the first token of a streamed answer, 16 callers at once, and how 200 at once fare.

The floor is the provider's own client, streaming the same answers in the same process: `AsyncOpenAI` beside
`inference.astream`, `OpenAI` in threads beside `inference.stream`. The provider, a process of its own, says nothing for
100 ms and then a token every 10 ms. Then 200 streams are kept open for a while, at 25 ms a token: each must end whole,
and none later than a second after the provider's own pace; the CPU is that of the calling process.

    .venv/bin/python bench/stream.py [--each 8] [--many 200] [--repeat 3]
"""

import argparse
import asyncio
import json
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench import calls

TARGET_MS = 8
CALLERS = 16
LATENCY_MS, TOKEN_MS, TOKENS = 100, 10, 40
SLOW_TOKEN_MS, MANY_TOKENS, EACH_OF_MANY = 25, 160, 3
LATE_MS = 1_000
MESSAGES = [{"role": "user", "content": "What is to be said about parcels?"}]


@dataclass(frozen=True)
class Timed:
    """One answer: milliseconds until its first text and until its end, and how much text came."""

    first: float
    whole: float
    size: int


Texts = Callable[[], Iterator[str]]
AsyncTexts = Callable[[], AsyncIterator[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=8)
    parser.add_argument("--many", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with calls.prepared():
        measure(options.each, options.many, options.repeat)


def measure(each: int, many: int, repeat: int) -> None:
    from apps.llm.models import Call, Lane
    from apps.llm.practice_provider import process

    with process.running(latency_ms=LATENCY_MS, token_ms=TOKEN_MS) as url:
        model = calls.make_model(url, at_once=many + CALLERS)
        # A lane as it is after a while of use: how it finds its width is not what is measured here.
        Lane.objects.create(model=model, width=many + CALLERS)
        request = calls.request_to(model, messages=MESSAGES, output_schema=calls.answer_of(TOKENS))
        asked = by_threads(url, request, each, repeat)
        asked += asyncio.run(by_tasks(url, request, each, repeat))
        configure(url, token_ms=SLOW_TOKEN_MS)
        request = calls.request_to(model, messages=MESSAGES, output_schema=calls.answer_of(MANY_TOKENS))
        asked += asyncio.run(many_at_once(url, request, many))
    assert Call.objects.filter(state="answered", operation="stream").count() == Call.objects.count() == asked


def by_threads(url: str, request: Any, each: int, repeat: int) -> int:
    ours, bare = texts_of_ours(request), texts_of_sdk(url)
    for texts in (bare, ours):
        in_threads(texts, 2)
    report("threads", [(in_threads(bare, each), in_threads(ours, each)) for _ in range(repeat)])
    return CALLERS * (2 + each * repeat)


async def by_tasks(url: str, request: Any, each: int, repeat: int) -> int:
    ours = async_texts_of_ours(request)
    async with async_sdk(url) as client:
        bare = async_texts_of_sdk(client, TOKENS)
        for texts in (bare, ours):
            await in_tasks(texts, CALLERS, 2)
        report(
            "tasks",
            [(await in_tasks(bare, CALLERS, each), await in_tasks(ours, CALLERS, each)) for _ in range(repeat)],
        )
    return CALLERS * (2 + each * repeat)


def report(kind: str, pairs: list[tuple[list[Timed], list[Timed]]]) -> None:
    added = {
        share: statistics.median(at(share, firsts(taken)) - at(share, firsts(least)) for least, taken in pairs)
        for share in (0.5, 0.99)
    }
    floor = statistics.median(at(0.5, firsts(least)) for least, _ in pairs)
    print(
        f"L2 +{added[0.5]:.1f} ms to the first token p50, +{added[0.99]:.1f} ms p99 ({CALLERS} {kind}), "
        f"target {TARGET_MS} ms p50, floor {floor:.1f} ms (bare SDK)"
    )


async def many_at_once(url: str, request: Any, many: int) -> int:
    """Keep that many streams open for a few answers each, first with the bare client and then with ours."""
    async with async_sdk(url) as client:
        bare = await kept_open(async_texts_of_sdk(client, MANY_TOKENS), many)
    ours = await kept_open(async_texts_of_ours(request), many)
    print(f"L2 {ours} ({many} at once), target 0 late, bare SDK {bare}")
    return many * EACH_OF_MANY


async def kept_open(texts: AsyncTexts, many: int) -> str:
    """Return in words how the streams fared."""
    alone = LATENCY_MS + SLOW_TOKEN_MS * MANY_TOKENS
    started, used = time.perf_counter(), time.process_time()
    found = await in_tasks(texts, many, EACH_OF_MANY, spread=alone / 1000)
    seconds, used = time.perf_counter() - started, time.process_time() - used
    assert all(one.size == 4 * MANY_TOKENS for one in found), "a stream was not whole"
    late = [one.whole - alone for one in found]
    return (
        f"{sum(value > LATE_MS for value in late)} of {len(found)} late, the last by {max(late):.0f} ms, first text "
        f"p99 {at(0.99, firsts(found)):.0f} ms, {used / len(found) * 1000:.1f} ms of CPU each, {used / seconds:.0%} "
        "of a core"
    )


async def in_tasks(texts: AsyncTexts, callers: int, each: int, *, spread: float = 0.0) -> list[Timed]:
    """Return the times of so many answers of each of so many tasks, which begin within `spread` seconds."""
    found: list[Timed] = []

    async def work(place: int) -> None:
        await asyncio.sleep(spread * place / callers)
        for _ in range(each):
            began, first, size = time.perf_counter(), 0.0, 0
            async for text in texts():
                first, size = first or since(began), size + len(text)
            found.append(Timed(first, since(began), size))

    async with asyncio.TaskGroup() as group:
        for place in range(callers):
            group.create_task(work(place))
    return found


def in_threads(texts: Texts, each: int) -> list[Timed]:
    from django.db import connection

    found: list[Timed] = []

    def work() -> None:
        for _ in range(each):
            began, first, size = time.perf_counter(), 0.0, 0
            for text in texts():
                first, size = first or since(began), size + len(text)
            found.append(Timed(first, since(began), size))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == CALLERS * each
    return found


def texts_of_ours(request: Any) -> Texts:
    from apps.llm import inference

    def texts() -> Iterator[str]:
        with inference.stream(request) as answer:
            for delta in answer:
                yield delta.text

    return texts


def texts_of_sdk(url: str) -> Texts:
    import openai

    client = openai.OpenAI(api_key="sk-practice", base_url=f"{url}/v1", max_retries=0)

    def texts() -> Iterator[str]:
        for chunk in client.chat.completions.create(**asked_of_sdk(TOKENS)):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text

    return texts


def async_texts_of_ours(request: Any) -> AsyncTexts:
    from apps.llm import inference

    async def texts() -> AsyncIterator[str]:
        async with inference.astream(request) as answer:
            async for delta in answer:
                yield delta.text

    return texts


def async_sdk(url: str) -> Any:
    import openai

    return openai.AsyncOpenAI(api_key="sk-practice", base_url=f"{url}/v1", max_retries=0)


def async_texts_of_sdk(client: Any, tokens: int) -> AsyncTexts:
    create: Callable[..., Awaitable[Any]] = client.chat.completions.create

    async def texts() -> AsyncIterator[str]:
        async for chunk in await create(**asked_of_sdk(tokens)):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text

    return texts


def asked_of_sdk(tokens: int) -> dict[str, Any]:
    schema = {"name": "answer", "schema": calls.answer_of(tokens), "strict": True}
    return {
        "model": "practice-small",
        "messages": MESSAGES,
        "response_format": {"type": "json_schema", "json_schema": schema},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def configure(url: str, **knobs: float) -> None:
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/__config", json.dumps(knobs).encode(), headers)).close()


def firsts(found: list[Timed]) -> list[float]:
    return [one.first for one in found]


def at(share: float, values: list[float]) -> float:
    """Return the value below which that share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
