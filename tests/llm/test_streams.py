"""Answers in pieces and answers on an event loop: through both SDKs, over a socket, to the last row."""

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from django.db import connection as database

from apps.core.errors import DomainError
from apps.costs.models import Charge
from apps.llm import inference, off_loop
from apps.llm.completion import Completion, EmbeddingRequest
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.models import Call, Lane, Model
from tests.llm.conftest import INPUT_PRICE, OUTPUT_PRICE, ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["model", "claude"])
def either(request: pytest.FixtureRequest) -> Model:
    found: Model = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    yield
    off_loop.close()


def on_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run the work on a loop of its own, and what it left running."""

    async def all_of_it() -> Any:
        try:
            return await work
        finally:
            while off_loop._running:
                await asyncio.gather(*off_loop._running, return_exceptions=True)

    return asyncio.run(all_of_it())


def streamed(model: Model, fault: str = "", **fields: Any) -> tuple[list[str], Completion]:
    request = ask(model, fault, **fields)
    with inference.stream(request) as answer:
        pieces = [delta.text for delta in answer]
    assert answer.completion is not None
    return pieces, answer.completion


def streamed_async(model: Model, fault: str = "", **fields: Any) -> tuple[list[str], Completion]:
    request = ask(model, fault, **fields)

    async def work() -> tuple[list[str], Completion]:
        async with inference.astream(request) as answer:
            pieces = [delta.text async for delta in answer]
        assert answer.completion is not None
        return pieces, answer.completion

    found: tuple[list[str], Completion] = on_loop(work())
    return found


Streamed = Callable[..., tuple[list[str], Completion]]
BOTH = pytest.mark.parametrize("way", [streamed, streamed_async], ids=["thread", "loop"])


def settled() -> Call:
    """Return the only call once it has ended; whoever left it to be read to its end is not waited for otherwise."""
    until = time.monotonic() + 10
    while (call := Call.objects.get()).state == "sent" and time.monotonic() < until:
        time.sleep(0.02)
    return call


@BOTH
def test_an_answer_in_pieces_is_one_call_and_one_exact_charge(either: Model, way: Streamed) -> None:
    pieces, done = way(either)
    call, charge = Call.objects.get(), Charge.objects.get()
    assert len(pieces) > 1
    assert (call.operation, call.state, call.body.text) == ("stream", "answered", "".join(pieces))
    assert (done.text, done.cost, charge.estimated) == (call.body.text, charge.cost, False)
    assert charge.cost == done.usage.input * INPUT_PRICE + done.usage.output * OUTPUT_PRICE
    assert 0 <= call.first_token_ms <= call.latency_ms  # type: ignore[operator]
    assert Lane.objects.get().in_flight == 0


@BOTH
def test_what_fails_before_the_first_piece_is_asked_again(
    either: Model, way: Streamed, set_provider: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_provider(retry_after=0.02)
    monkeypatch.setattr("apps.llm.attempts.BASE_WAIT", 0.001)
    _, done = way(either, "503x1;retry-after-ms=1")
    assert (done.attempts, [call.state for call in Call.objects.order_by("id")]) == (2, ["failed", "answered"])
    assert [charge.cost > 0 for charge in Charge.objects.order_by("id")] == [False, True]


@BOTH
def test_a_refusal_is_said_before_any_piece(either: Model, way: Streamed) -> None:
    with pytest.raises(ProviderError) as caught:
        way(either, "401")
    assert (caught.value.kind, caught.value.call_id) == (ErrorKind.AUTHENTICATION, Call.objects.get().pk)
    assert Charge.objects.get().cost == 0


@BOTH
def test_a_stream_that_is_cut_is_charged_for_what_came(either: Model, way: Streamed) -> None:
    with pytest.raises(ProviderError) as caught:
        way(either, "drop_stream", max_attempts=1)
    call, charge = Call.objects.get(), Charge.objects.get()
    assert caught.value.received
    assert (call.state, call.body.text) == ("failed", caught.value.received)
    assert (charge.estimated, charge.failed, charge.output_tokens > 0, charge.input_tokens > 0) == (True,) * 4
    assert Lane.objects.get().in_flight == 0


@BOTH
def test_a_stream_without_usage_is_counted(either: Model, way: Streamed) -> None:
    _, done = way(either, "no_usage")
    assert (done.usage.estimated, Charge.objects.get().estimated, done.usage.output > 0) == (True, True, True)


def test_who_leaves_early_leaves_the_rest_to_be_read(either: Model, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=5)
    with inference.stream(ask(either)) as answer:
        next(iter(answer))
    assert answer.completion is None
    call = settled()
    assert (call.state, Charge.objects.get().estimated) == ("answered", False)


def test_a_task_that_is_cancelled_leaves_the_rest_to_be_read(either: Model, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=5)
    request = ask(either)
    seen = []

    async def listen() -> None:
        async with inference.astream(request) as answer:
            seen.append(await anext(aiter(answer)))
            await asyncio.sleep(30)

    async def work() -> None:
        task = asyncio.ensure_future(listen())
        while not seen:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    on_loop(work())
    assert (settled().state, Charge.objects.get().estimated) == ("answered", False)


@pytest.mark.parametrize("on_a_loop", [False, True], ids=["thread", "loop"])
def test_an_endless_answer_that_nobody_reads_is_cut_and_counted(
    either: Model, set_provider: Callable[..., None], monkeypatch: pytest.MonkeyPatch, on_a_loop: bool
) -> None:
    set_provider(token_ms=60)
    for module in ("streams", "async_streams"):
        monkeypatch.setattr(f"apps.llm.{module}.DRAIN_SECONDS", 0.1)
    request = ask(either)

    async def look() -> None:
        async with inference.astream(request) as answer:
            await anext(aiter(answer))

    if on_a_loop:
        on_loop(look())
    else:
        with inference.stream(request) as answer:
            next(iter(answer))
    call = settled()
    assert (call.state, call.error_kind, Charge.objects.get().estimated) == ("failed", "interrupted", True)
    assert Lane.objects.get().in_flight == 0


def test_a_completion_on_a_loop_is_the_same_as_in_a_thread(either: Model) -> None:
    done = on_loop(inference.acomplete(ask(either)))
    call = Call.objects.get()
    assert (call.body.text, call.state, Charge.objects.get().cost) == (done.text, "answered", done.cost)


def test_a_cancelled_completion_is_charged_by_estimate(either: Model, set_provider: Callable[..., None]) -> None:
    set_provider(latency_ms=3_000)
    request = ask(either)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(inference.acomplete(request), 0.8)

    on_loop(work())
    call = settled()
    assert (call.state, call.error_kind, Charge.objects.get().estimated) == ("failed", "interrupted", True)
    assert Lane.objects.get().in_flight == 0


def test_who_is_cancelled_while_waiting_takes_no_place(model: Model) -> None:
    Lane.objects.create(model=model, width=1, in_flight=1)
    request = ask(model)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(inference.acomplete(request), 0.5)

    on_loop(work())
    assert not Call.objects.filter(state="sent").exists()
    assert Lane.objects.get().in_flight == 1


def test_two_hundred_streams_at_once_all_end(model: Model, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=10)
    model.connection.max_concurrency = 200
    Lane.objects.create(model=model, width=200)
    request = ask(model, timeout=60.0)

    async def one() -> int:
        async with inference.astream(request) as answer:
            return len("".join([delta.text async for delta in answer]))

    async def work() -> list[int]:
        return list(await asyncio.gather(*[one() for _ in range(200)]))

    lengths = on_loop(work())
    assert (len(lengths), len(set(lengths)) == 1, min(lengths) > 0) == (200, True, True)
    assert Call.objects.filter(state="answered").count() == Charge.objects.filter(estimated=False).count() == 200
    assert Lane.objects.get().in_flight == 0


def test_streams_in_threads_do_not_hold_a_connection_open(model: Model) -> None:
    def work() -> None:
        try:
            streamed(model)
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Call.objects.filter(state="answered").count() == 8


@pytest.mark.parametrize("on_a_loop", [False, True], ids=["thread", "loop"])
def test_texts_become_vectors_in_their_order(model: Model, on_a_loop: bool) -> None:
    request = EmbeddingRequest(
        model=model, texts=["one", "two", "one"], attribution=ask(model).attribution, dimensions=64
    )
    done = on_loop(inference.aembed(request)) if on_a_loop else inference.embed(request)
    assert [len(vector) for vector in done.vectors] == [64, 64, 64]
    assert done.vectors[0] == done.vectors[2] != done.vectors[1]
    call, charge = Call.objects.get(), Charge.objects.get()
    assert (call.operation, call.body.request["texts"], call.state) == ("embed", ["one", "two", "one"], "answered")
    assert (charge.input_tokens, charge.output_tokens) == (done.usage.input, 0)
    assert charge.input_tokens > 0


def test_a_provider_without_embeddings_says_so(claude: Model) -> None:
    with pytest.raises(DomainError, match="no embeddings"):
        inference.embed(EmbeddingRequest(model=claude, texts=["one"], attribution=ask(claude).attribution))
    assert not Call.objects.exists()


def broken(*_: Any, **__: Any) -> Any:
    raise KeyError("a fault of ours")


@pytest.mark.parametrize("way", ["complete", "acomplete", "stream", "astream"])
def test_a_fault_of_ours_gives_the_place_back_and_is_raised(
    model: Model, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.llm.dialects import DIALECTS, openai_stream

    monkeypatch.setattr(openai_stream.Assembler, "feed", broken)
    dialect = DIALECTS[model.connection.kind]
    monkeypatch.setitem(DIALECTS, model.connection.kind, dataclasses.replace(dialect, read=broken))
    ways: dict[str, Callable[[], Any]] = {
        "complete": lambda: inference.complete(ask(model)),
        "acomplete": lambda: on_loop(inference.acomplete(ask(model))),
        "stream": lambda: streamed(model),
        "astream": lambda: streamed_async(model),
    }
    with pytest.raises(KeyError, match="a fault of ours"):
        ways[way]()
    call = settled()
    assert (call.state, call.error_kind, Charge.objects.count()) == ("failed", "interrupted", 1)
    assert Lane.objects.get().in_flight == 0


def test_a_loop_that_ends_while_an_answer_is_read_loses_nothing(
    either: Model, set_provider: Callable[..., None]
) -> None:
    set_provider(token_ms=40)
    request = ask(either)

    async def work() -> None:
        async with inference.astream(request) as answer:
            await anext(aiter(answer))

    asyncio.run(work())  # nothing waits for what is left running
    call, charge = settled(), Charge.objects.get()
    assert (call.state, call.error_kind) == ("failed", "interrupted")
    assert (charge.estimated, charge.output_tokens > 0, bool(call.body.text)) == (True, True, True)
    assert Lane.objects.get().in_flight == 0


def test_who_leaves_on_the_last_piece_hears_of_no_error(either: Model, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=1)
    request = ask(either)

    async def work() -> None:
        async with inference.astream(request) as answer:
            attempt = answer._attempt
            assert attempt is not None
            while attempt._is_reading or not attempt.pieces.qsize():
                await asyncio.sleep(0.002)

    on_loop(work())
    assert settled().state == "answered"


def test_a_silent_provider_holds_no_drainer(
    model: Model, set_provider: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.llm.streams.DRAIN_SECONDS", 0.5)
    started = time.monotonic()
    with inference.stream(ask(model, "hang_stream", timeout=30.0)) as answer:
        next(iter(answer))
    call = settled()
    assert (call.error_kind, time.monotonic() - started < 5) == ("interrupted", True)
