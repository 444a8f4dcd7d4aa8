"""A try, told while it happens: server-sent events for one column, from the first word to what it cost.

`start` (which call), `delta` (a piece of text), `end` (tokens, money, time) or `error` (why, in words); asked several
times: `run` (how many came) and `spread` (the page's part about them). Who closes the stream leaves the answer to be
read to its end by `inference`, so that its cost is known.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from django.template.loader import render_to_string

from apps.core.errors import DomainError
from apps.llm import inference
from apps.llm.completion import CompletionRequest
from apps.prompts import spread, tries
from apps.prompts.tries import Outcome, Try

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
OURS = "Something broke on our side while the answer came. It is written down; try again."

Event = tuple[str, dict[str, Any]]


async def body(events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    """Spell events for the wire; while nothing happens, a comment keeps proxies from hanging up."""
    waiting: asyncio.Task[Event] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(events))
            if not (await asyncio.wait({waiting}, timeout=HEARTBEAT_SECONDS))[0]:
                yield b": still waiting\n\n"
                continue
            try:
                name, data = waiting.result()
            except StopAsyncIteration:
                return
            waiting = None
            yield f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode(errors="replace")
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await events.aclose()


async def refusal(error: DomainError) -> AsyncGenerator[Event, None]:
    """Tell why a column cannot be asked at all."""
    yield "error", {"text": error.message, "trace": ""}


async def once(wanted: Try, slug: str) -> AsyncGenerator[Event, None]:
    """Ask once and tell it word by word."""
    try:
        async with inference.astream(wanted.request) as answer:
            trace = tries.trace_url(slug, answer.call_id)
            yield "start", {"trace": trace, "model": wanted.request.model.name, "values": wanted.values}
            async for delta in answer:
                if delta.text:
                    yield "delta", {"text": delta.text}
        assert answer.completion is not None  # noqa: S101  (the loop has ended without an error)
        done = tries.outcome_of(answer.completion, slug)
        yield "end", {"facts": done.facts, "trace": done.trace_url, "tools": done.tools}
    except DomainError as error:
        failed = tries.failure_of(error, slug)
        yield "error", {"text": failed.error, "trace": failed.trace_url}
    except Exception:  # the answer has begun: there is no other page to say it on
        logger.exception("a try broke")
        yield "error", {"text": OURS, "trace": ""}


async def several(wanted: Try, slug: str, times: int, context: dict[str, Any]) -> AsyncGenerator[Event, None]:
    """Ask `times` times at once, tell how many came, then how they differ."""
    yield "start", {"trace": "", "model": wanted.request.model.name, "values": wanted.values}
    runs = [asyncio.ensure_future(_whole(wanted.request, slug)) for _ in range(times)]
    try:
        for number, run in enumerate(asyncio.as_completed(runs), 1):
            await run
            yield "run", {"done": number, "of": times}
        found = spread.of([run.result() for run in runs])
        html = render_to_string("prompts/_try_spread.html", {**context, "spread": found})
        yield "spread", {"html": html, "sentence": found.sentence}
    except Exception:  # as above
        logger.exception("a spread broke")
        yield "error", {"text": OURS, "trace": ""}
    finally:
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)


async def _whole(request: CompletionRequest, slug: str) -> Outcome:
    """Ask and wait for the end; as a stream, so that who leaves still learns what it cost."""
    try:
        async with inference.astream(request) as answer:
            async for _ in answer:
                pass
        assert answer.completion is not None  # noqa: S101  (as above)
        return tries.outcome_of(answer.completion, slug)
    except DomainError as error:
        return tries.failure_of(error, slug)
