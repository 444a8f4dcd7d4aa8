"""What goes out and what comes back in each wire format."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.llm.completion import CompletionRequest, Usage
from apps.llm.dialects import DIALECTS, anthropic, openai, reading
from apps.llm.errors import ProviderError
from apps.llm.models import Connection, Model
from tests.llm.conftest import ask

SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


def request(kind: str, **fields: Any) -> CompletionRequest:
    connection = Connection(kind=kind, provider="x", name="X")
    return ask(Model(connection=connection, name="m", max_output_tokens=fields.pop("longest", None)), **fields)


@pytest.mark.parametrize(
    ("given_usage", "expected"),
    [
        # o1 to o3: prompt includes what was cached, completion includes the reasoning
        ({"prompt_tokens": 1000, "completion_tokens": 500}, Usage(input=1000, output=500)),
        (
            {"prompt_tokens": 2006, "completion_tokens": 300, "prompt_tokens_details": {"cached_tokens": 1920}},
            Usage(input=86, cache_read=1920, output=300),
        ),
        (
            {"prompt_tokens": 17, "completion_tokens": 482, "completion_tokens_details": {"reasoning_tokens": 448}},
            Usage(input=17, output=482, reasoning=448),
        ),
        (
            {
                "prompt_tokens": 10000,
                "completion_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 6000, "cache_write_tokens": 3000},
            },
            Usage(input=1000, cache_read=6000, cache_write=3000, output=100),
        ),
        (
            {
                "prompt_tokens": 1200,
                "completion_tokens": 900,
                "prompt_tokens_details": {"audio_tokens": 1000},
                "completion_tokens_details": {"audio_tokens": 700},
            },
            Usage(input=200, audio_input=1000, output=200, audio_output=700),
        ),
        (
            {
                "prompt_tokens": 2000,
                "completion_tokens": 300,
                "total_tokens": 2300,
                "prompt_tokens_details": {
                    "cached_tokens": 600,
                    "audio_tokens": 800,
                    "image_tokens": 50,
                    "cached_tokens_details": {"audio_tokens": 500},
                },
                "completion_tokens_details": {"image_tokens": 200},
            },
            Usage(
                input=1050,
                cache_read=100,
                audio_input=300,
                audio_cache_read=500,
                image_input=50,
                output=100,
                image_output=200,
            ),
        ),
    ],
)
def test_openai_counts_become_disjoint_meters(given_usage: dict[str, Any], expected: Usage) -> None:
    assert openai.usage(given_usage) == expected


@pytest.mark.parametrize(
    ("given_usage", "expected"),
    [
        ({"input_tokens": 1000, "output_tokens": 500}, Usage(input=1000, output=500)),
        (
            {
                "input_tokens": 21,
                "cache_read_input_tokens": 188086,
                "cache_creation_input_tokens": 3000,
                "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
                "output_tokens": 393,
            },
            Usage(input=21, cache_read=188086, cache_write=1000, cache_write_1h=2000, output=393),
        ),
        (
            {
                "input_tokens": 5,
                "cache_read_input_tokens": 128955,
                "cache_creation_input_tokens": 1253,
                "output_tokens": 100,
            },
            Usage(input=5, cache_read=128955, cache_write=1253, output=100),
        ),
        (
            {"input_tokens": 105, "output_tokens": 6039, "server_tool_use": {"web_search_requests": 1}},
            Usage(input=105, output=6039, web_searches=1),
        ),
    ],
)
def test_anthropic_counts_become_disjoint_meters(given_usage: dict[str, Any], expected: Usage) -> None:
    assert anthropic.usage(given_usage) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"prompt_tokens": 5},
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": 1.5, "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 11},
        {"prompt_tokens": 5, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}},
        {"prompt_tokens": 5, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}},
        {
            "prompt_tokens": 5,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 3},
        },
        {
            "prompt_tokens": 5,
            "completion_tokens": 5,
            "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 3},
        },
    ],
)
def test_openai_counts_that_do_not_add_up_are_none(wrong: Any) -> None:
    assert openai.usage(wrong) is None


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"input_tokens": 5},
        {"input_tokens": -5, "output_tokens": 5},
        {
            "input_tokens": 5,
            "output_tokens": 5,
            "cache_creation_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 2},
        },
        {"input_tokens": 5, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 6}},
        {"input_tokens": 5, "output_tokens": 5, "server_tool_use": {"web_search_requests": -1}},
    ],
)
def test_anthropic_counts_that_do_not_add_up_are_none(wrong: Any) -> None:
    assert anthropic.usage(wrong) is None


@pytest.mark.parametrize("many", [10**9 + 1, 2**31, 3 * 10**9, 2**63, 10**30])
def test_counts_beyond_all_reason_are_none(many: int) -> None:
    assert openai.usage({"prompt_tokens": 5, "completion_tokens": many}) is None
    assert anthropic.usage({"input_tokens": many, "output_tokens": 5}) is None
    searched = {"input_tokens": 5, "output_tokens": 5, "server_tool_use": {"web_search_requests": many}}
    assert anthropic.usage(searched) is None
    vectors = {"data": [{"embedding": [1.0]}], "usage": {"prompt_tokens": many}}
    assert openai.read_embeddings(vectors, 1).usage is None


def test_counts_that_are_beyond_all_reason_only_together_are_none() -> None:
    """Each of them would fit a column, and their sum would not."""
    told = {"input_tokens": 10**9, "output_tokens": 10**9, "cache_read_input_tokens": 10**9}
    assert anthropic.usage(told) is None


@given(
    fresh=st.integers(0, 10**8), cached=st.integers(0, 10**8), written=st.integers(0, 10**8), out=st.integers(0, 10**8)
)
def test_meters_always_sum_to_the_providers_total(fresh: int, cached: int, written: int, out: int) -> None:
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    prompt = fresh + cached + written
    usage = openai.usage({"prompt_tokens": prompt, "completion_tokens": out, "prompt_tokens_details": details})
    assert usage
    assert (usage.total, sum(usage.meters.values())) == (prompt + out, prompt + out)


def test_system_text_goes_where_anthropic_wants_it() -> None:
    body = anthropic.body(request("anthropic"))
    assert body["system"] == "Be brief."
    assert body["messages"] == [{"role": "user", "content": "Where is my order?"}]


def test_a_prompt_of_system_text_alone_is_asked_as_a_user() -> None:
    body = anthropic.body(request("anthropic", messages=[{"role": "system", "content": "Say hello."}]))
    assert body["messages"] == [{"role": "user", "content": "Say hello."}]
    assert "system" not in body


def test_anthropic_always_gets_a_limit_that_the_model_allows() -> None:
    assert anthropic.body(request("anthropic"))["max_tokens"] == anthropic.DEFAULT_MAX_TOKENS
    assert anthropic.body(request("anthropic", longest=1000))["max_tokens"] == 1000
    assert anthropic.body(request("anthropic", parameters={"max_completion_tokens": 7}))["max_tokens"] == 7


def test_parameters_take_anthropics_names_or_stay_away() -> None:
    body = anthropic.body(request("anthropic", parameters={"stop": "END", "seed": 1, "temperature": 0.2, "top_k": 5}))
    assert (body["stop_sequences"], body["temperature"], body["top_k"]) == (["END"], 0.2, 5)
    assert "seed" not in body
    assert "stop" not in body


def test_openai_itself_gets_the_limits_new_name_and_others_the_old() -> None:
    assert openai.body(request("openai", parameters={"max_tokens": 5}))["max_completion_tokens"] == 5
    assert openai.body(request("openai-compatible", parameters={"max_tokens": 5}))["max_tokens"] == 5


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_parameters_cannot_replace_the_model_or_the_messages(kind: str) -> None:
    dialect = {"openai": openai, "anthropic": anthropic}[kind]
    body = dialect.body(request(kind, parameters={"model": "dear", "messages": [], "stream": True, "n": 9}))
    assert body["model"] == "m"
    assert body["messages"]
    assert not {"stream", "n"} & set(body)


def test_a_schema_is_strict_only_when_openai_would_accept_it_so() -> None:
    strict = openai.body(request("openai", output_schema=SCHEMA))["response_format"]["json_schema"]["strict"]
    loose = openai.body(request("openai", output_schema={"type": "object"} | {"properties": {"a": {}}}))
    assert strict is True
    assert loose["response_format"]["json_schema"]["strict"] is False


def test_a_schema_that_is_no_object_is_wrapped_for_anthropic_and_unwrapped_again() -> None:
    body = anthropic.body(request("anthropic", output_schema={"type": "array"}))
    assert body["tools"][0]["input_schema"]["type"] == "object"
    assert body["tool_choice"] == {"type": "tool", "name": anthropic.ANSWER_TOOL}
    block = {"type": "tool_use", "name": anthropic.ANSWER_TOOL, "input": {anthropic.WRAPPED: [1, 2]}}
    assert anthropic.read({"content": [block], "stop_reason": "tool_use"}).text == "[1, 2]"


def test_a_conversation_with_tools_is_put_in_anthropics_words() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"n": 1}'}}
    said = [
        {"role": "user", "content": "Find it"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
    ]
    _, asked, told = anthropic.body(request("anthropic", messages=said))["messages"]
    assert asked["content"] == [{"type": "tool_use", "id": "c1", "name": "find", "input": {"n": 1}}]
    assert told["content"] == [{"type": "tool_result", "tool_use_id": "c1", "content": "found"}]


def test_finish_reasons_are_openais_and_unknown_ones_stay() -> None:
    reasons = ["end_turn", "max_tokens", "tool_use", "something_new"]
    read = [anthropic.read({"content": [], "stop_reason": reason}).finish_reason for reason in reasons]
    assert read == ["stop", "length", "tool_calls", "something_new"]


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": [{}]}, {"choices": "x"}, {"choices": [{"message": 1}]}]
)
def test_an_openai_answer_without_a_choice_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="no choice"):
        openai.read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(message=JSON, usage=JSON, choice=st.dictionaries(st.sampled_from(["finish_reason", "message"]), JSON))
def test_hostile_openai_answers_are_read_or_refused_but_never_break(message: Any, usage: Any, choice: Any) -> None:
    for body in (
        {"choices": [choice], "usage": usage},
        {"choices": [{"message": {"content": message, "tool_calls": message}}]},
    ):
        try:
            answer = openai.read(body)
        except ProviderError:
            continue
        json.dumps(answer.text).encode()


@given(content=JSON, usage=JSON, reason=JSON)
def test_hostile_anthropic_answers_are_read_or_refused_but_never_break(content: Any, usage: Any, reason: Any) -> None:
    for body in (
        {"content": content, "usage": usage},
        {"content": [{"type": "tool_use", "input": content}], "stop_reason": reason},
    ):
        try:
            anthropic.read(body)
        except ProviderError:
            continue


def test_text_that_no_database_takes_is_mended() -> None:
    assert reading.text("a\x00b\ud800") == "a\ufffdb?"


def test_the_conditions_that_decide_the_price_are_kept() -> None:
    message = {"role": "assistant", "content": "hi"}
    fast = openai.read({"choices": [{"message": message}], "service_tier": "priority", "model": "gpt-5-2025-08-07"})
    assert (fast.service_tier, fast.answered_by) == ("priority", "gpt-5-2025-08-07")
    usage = {"input_tokens": 1, "output_tokens": 1, "service_tier": "batch", "inference_geo": "us", "speed": "fast"}
    near = anthropic.read({"content": [], "model": "claude-opus-5", "usage": usage})
    assert (near.service_tier, near.inference_geo, near.speed) == ("batch", "us", "fast")
    assert near.answered_by == "claude-opus-5"


def test_arguments_sent_as_an_object_become_text() -> None:
    call = {"id": "c1", "function": {"name": "find", "arguments": {"order": "é"}}}
    [read] = openai.read({"choices": [{"message": {"tool_calls": [call]}}]}).tool_calls
    assert read.arguments == '{"order": "é"}'


@pytest.mark.parametrize("kind", ["openai", "openai-compatible", "anthropic"])
def test_a_streamed_body_is_the_body_and_the_wish_to_stream(kind: str) -> None:
    dialect = DIALECTS[kind]
    asked = request(kind, parameters={"stream": False, "stream_options": {"include_usage": False}})
    extra = {"stream": True} | ({} if kind == "anthropic" else {"stream_options": {"include_usage": True}})
    assert dialect.stream_body(asked) == dialect.body(asked) | extra
