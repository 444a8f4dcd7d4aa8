"""Streams put together event by event, and vectors in the order of their texts."""

import base64
import json
import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.llm.completion import Answer, Delta, EmbeddingRequest, Usage
from apps.llm.dialects import DIALECTS, Assembler, anthropic, openai
from apps.llm.errors import ProviderError
from apps.llm.models import Connection, Model
from tests.llm.conftest import ask
from tests.llm.test_dialects import JSON

START = {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 25, "output_tokens": 1}}}
STOP = {"type": "message_stop"}


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"model": "gpt", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def block(index: int, kind: str, *parts: str, **fields: Any) -> list[dict[str, Any]]:
    """Return the events of one block."""
    name = {"text": "text", "thinking": "thinking", "tool_use": "partial_json"}[kind]
    deltas = [
        {"type": "content_block_delta", "index": index, "delta": {"type": f"{name}_delta", name: part}}
        for part in parts
    ]
    opening = {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}
    return [opening, *deltas, {"type": "content_block_stop", "index": index}]


def total(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def fed(kind: str, *events: dict[str, Any]) -> tuple[Assembler, list[Delta]]:
    assembler = DIALECTS[kind].assembler()
    return assembler, [delta for event in events for delta in assembler.feed(event)]


def whole(kind: str, *events: dict[str, Any]) -> Answer:
    assembler, deltas = fed(kind, *events)
    answer = assembler.answer()
    assert assembler.is_complete
    assert "".join(delta.text for delta in deltas) == answer.text
    return answer


def test_openais_usage_comes_in_a_last_chunk_without_choices() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    tail = {"choices": [], "usage": usage, "service_tier": "flex"}
    answer = whole("openai", chunk(role="assistant", content=""), chunk(content="Hi"), chunk("stop"), tail)
    assert (answer.text, answer.finish_reason, answer.service_tier) == ("Hi", "stop", "flex")
    assert answer.usage == Usage(input=9, output=2)


def test_counts_that_grow_with_the_stream_count_once() -> None:
    """Some compatible servers send the counts so far with every chunk."""
    counts = [{"usage": {"prompt_tokens": 9, "completion_tokens": n, "total_tokens": 9 + n}} for n in (1, 2, 3)]
    chunks = [chunk("stop" if n == 2 else None, content="x") | counts[n] for n in range(3)]
    assert whole("openai", *chunks).usage == Usage(input=9, output=3)
    assert fed("openai", *chunks[:2])[0].answer().usage is None


def test_openais_tool_calls_grow_side_by_side() -> None:
    def part(index: int | None, arguments: str, ident: str = "", name: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {"function": {"name": name or None, "arguments": arguments}}
        return found | ({} if index is None else {"index": index}) | ({"id": ident} if ident else {})

    events = [
        chunk(tool_calls=[part(0, "", "a", "find"), part(1, "", "b", "send")]),
        chunk(tool_calls=[part(1, '{"x"')]),
        chunk(tool_calls=[part(0, "{}"), part(1, ": 1}")]),
    ]
    assembler, deltas = fed("openai", *events, chunk("tool_calls"))
    calls = assembler.answer().tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [("a", "find", "{}"), ("b", "send", '{"x": 1}')]
    assert deltas[0] == Delta(tool_call=0, tool_name="find")
    assert [delta.tool_arguments for delta in deltas if delta.tool_call == 1] == ["", '{"x"', ": 1}"]
    assert assembler.received == 'find{}send{"x": 1}'


@pytest.mark.parametrize("index", [{}, {"index": 0}], ids=["none", "same"])
def test_tool_calls_without_numbers_of_their_own_are_told_apart_by_their_ids(index: dict[str, Any]) -> None:
    sent = [{**index, "id": name, "function": {"name": name, "arguments": "{}"}} for name in ("a", "b")]
    answer = whole("openai", chunk(tool_calls=sent[:1]), chunk("tool_calls", tool_calls=sent[1:]))
    assert [call.name for call in answer.tool_calls] == ["a", "b"]


def test_thoughts_are_counted_and_not_shown() -> None:
    assembler, deltas = fed("openai", chunk(reasoning_content="Hmm. "), chunk(content="Yes"))
    assert ([delta.text for delta in deltas], assembler.received) == (["Yes"], "Hmm. Yes")
    thought = [*block(0, "thinking", "Let me see. "), *block(1, "text", "Yes")]
    assembler, deltas = fed("anthropic", START, *thought)
    assert ([delta.text for delta in deltas], assembler.received) == (["Yes"], "Let me see. Yes")


def test_anthropics_counts_are_cumulative_and_the_last_ones_hold() -> None:
    events = [START, *block(0, "text", "Hi"), total(None, output_tokens=7), total(output_tokens=15), STOP]
    answer = whole("anthropic", *events)
    assert answer.usage == Usage(input=25, output=15)
    assert answer.answered_by == "claude"


def test_later_counts_of_the_input_replace_those_of_the_start() -> None:
    told = total(input_tokens=900, output_tokens=15, server_tool_use={"web_search_requests": 2})
    assert whole("anthropic", START, *block(0, "text", "Hi"), told, STOP).usage == Usage(
        input=900, output=15, web_searches=2
    )


def test_what_was_cached_for_an_hour_is_known_from_the_start() -> None:
    split = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}
    usage = {"input_tokens": 5, "output_tokens": 1, "cache_creation_input_tokens": 300, "cache_creation": split}
    start = {"type": "message_start", "message": {"usage": usage | {"service_tier": "priority", "speed": "fast"}}}
    same = whole("anthropic", start, total(output_tokens=3, cache_creation_input_tokens=300), STOP)
    more = whole("anthropic", start, total(output_tokens=3, cache_creation_input_tokens=350), STOP)
    assert same.usage == Usage(input=5, cache_write=100, cache_write_1h=200, output=3)
    assert more.usage == Usage(input=5, cache_write=150, cache_write_1h=200, output=3)
    assert (same.service_tier, same.speed) == ("priority", "fast")


def test_a_message_cut_before_its_total_has_no_usage() -> None:
    assembler, _ = fed("anthropic", START, *block(0, "text", "Hi"))
    assert (assembler.is_complete, assembler.answer().usage, assembler.answer().text) == (False, None, "Hi")


def test_anthropics_tools_grow_as_text() -> None:
    events = block(1, "tool_use", '{"order"', ': "48213"}', id="t1", name="find", input={})
    assembler, deltas = fed("anthropic", START, *block(0, "text", "Looking."), *events, total("tool_use"), STOP)
    [call] = assembler.answer().tool_calls
    assert (call.id, call.name, call.arguments) == ("t1", "find", '{"order": "48213"}')
    assert deltas[1:] == [
        Delta(tool_call=0, tool_name="find"),
        Delta(tool_call=0, tool_arguments='{"order"'),
        Delta(tool_call=0, tool_arguments=': "48213"}'),
    ]


def test_a_tool_without_input_gets_an_empty_object() -> None:
    events = block(0, "tool_use", id="t1", name="now", input={})
    assert whole("anthropic", START, *events, total("tool_use"), STOP).tool_calls[0].arguments == "{}"


@given(
    value=JSON | st.dictionaries(st.text(), JSON),
    places=st.lists(st.integers(0, 10**6), max_size=8),
    wrapped=st.booleans(),
)
def test_a_structured_answer_is_shown_as_it_will_be_read(value: Any, places: list[int], wrapped: bool) -> None:
    """However it is cut: an object as it grows, anything else, which is wrapped, when it is whole."""
    text = json.dumps({anthropic.WRAPPED: value} if wrapped or not isinstance(value, dict) else value)
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    parts = [text[start:end] for start, end in pairwise(edges)]
    events = block(0, "tool_use", *parts, name=anthropic.ANSWER_TOOL, input={})
    answer = whole("anthropic", START, *events, total("tool_use"), STOP)
    same = anthropic.read({"content": [{"type": "tool_use", "name": anthropic.ANSWER_TOOL, "input": json.loads(text)}]})
    assert json.loads(answer.text) == json.loads(same.text)
    assert (answer.finish_reason, answer.tool_calls) == ("stop", [])


def test_an_object_is_shown_while_it_grows() -> None:
    events = block(0, "tool_use", '{"ok', '": ', "true}", name=anthropic.ANSWER_TOOL, input={})
    _, deltas = fed("anthropic", START, *events)
    assert [delta.text for delta in deltas] == ['{"ok', '": ', "true}"]


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_stream_that_ended_without_an_answer_is_malformed(kind: str) -> None:
    assembler, _ = fed(kind, {"choices": [], "usage": {"prompt_tokens": 1}}, STOP)
    if assembler.is_complete:
        with pytest.raises(ProviderError, match="it holds no content"):
            assembler.answer()
    else:
        assert assembler.answer().usage is None


@given(events=st.lists(st.dictionaries(st.sampled_from(["type", "index", "delta", "choices", "usage"]), JSON)))
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_hostile_events_are_taken_or_refused_but_never_break(kind: str, events: list[Any]) -> None:
    assembler = DIALECTS[kind].assembler()
    try:
        for event in events:
            assembler.feed(event)
            DIALECTS[kind].is_last(event)
        json.dumps(assembler.answer().text).encode()
    except ProviderError:
        pass
    assert isinstance(assembler.received, str)


PARTS = st.sampled_from(["content_block_start", "content_block_delta", "content_block_stop", "message_delta"])


@given(kinds=st.lists(st.tuples(PARTS, JSON, JSON)))
def test_hostile_blocks_are_taken_or_refused_but_never_break(kinds: list[Any]) -> None:
    events = [
        {"type": kind, "content_block": one, "delta": one, "usage": two, "index": two} for kind, one, two in kinds
    ]
    assembler, _ = fed("anthropic", *events)
    json.dumps(assembler.received).encode()


@given(deltas=st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(("content", "tool_calls", "refusal"), JSON))))
def test_hostile_deltas_are_taken_or_refused_but_never_break(deltas: list[dict[str, Any]]) -> None:
    assembler, _ = fed("openai", *[chunk(**delta) for delta in deltas])
    json.dumps([call.arguments for call in assembler.answer().tool_calls]).encode()


def embedding(index: int | None, *numbers: Any) -> dict[str, Any]:
    return {"embedding": list(numbers)} | ({} if index is None else {"index": index})


def test_vectors_come_in_the_order_of_their_texts() -> None:
    found = openai.read_embeddings(
        {"data": [embedding(1, 2.0), embedding(0, 1)], "model": "e", "usage": {"prompt_tokens": 4, "total_tokens": 4}},
        2,
    )
    assert (found.vectors, found.usage, found.answered_by) == ([[1.0], [2.0]], Usage(input=4), "e")


def test_vectors_without_numbers_of_their_own_stay_in_order() -> None:
    assert openai.read_embeddings({"data": [embedding(None, 1), embedding(None, 2)]}, 2).vectors == [[1.0], [2.0]]


def test_packed_vectors_are_unpacked() -> None:
    packed = base64.b64encode(struct.pack("<3f", 0.5, -1.0, 2.0)).decode()
    assert openai.read_embeddings({"data": [{"index": 0, "embedding": packed}]}, 1).vectors == [[0.5, -1.0, 2.0]]


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [embedding(0, 1)],
        [embedding(0, 1), embedding(0, 2)],
        [embedding(0, 1), embedding(5, 2)],
        [embedding(0, 1), embedding(1, 1, 2)],
        [embedding(0, 1), embedding(1)],
        [embedding(0, 1), embedding(1, "x")],
        [embedding(0, 1), embedding(1, True)],
        [embedding(0, 1), embedding(1, float("nan"))],
        [embedding(0, 1), embedding(1, 10**400)],
        [embedding(0, 1), {"index": 1, "embedding": "!"}],
        [embedding(0, 1), {"index": 1, "embedding": "AAAA"}],
        [embedding(0, 1), {"index": "1", "embedding": [1]}],
    ],
)
def test_vectors_that_do_not_fit_their_texts_are_malformed(data: Any) -> None:
    with pytest.raises(ProviderError, match="could not be read"):
        openai.read_embeddings({"data": data}, 2)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1}, {"prompt_tokens": 5, "total_tokens": 9}])
def test_an_embedding_usage_that_makes_no_sense_is_none(usage: Any) -> None:
    assert openai.read_embeddings({"data": [embedding(0, 1)], "usage": usage}, 1).usage is None


@pytest.mark.parametrize(("kind", "encoding"), [("openai", "base64"), ("openai-compatible", "float")])
def test_an_embeddings_body_asks_for_what_the_server_knows(kind: str, encoding: str) -> None:
    model = Model(connection=Connection(kind=kind, name="X"), name="e")
    request = EmbeddingRequest(model=model, texts=["a"], attribution=ask(model).attribution, dimensions=64)
    assert openai.embed_body(request) == {"model": "e", "input": ["a"], "encoding_format": encoding, "dimensions": 64}
