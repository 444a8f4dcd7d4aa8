"""The official clients against our practice provider, and against a second implementation when one is named."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.llm.provider_client import (
    MESSAGE,
    SYSTEM,
    anthropic_client,
    chat,
    control,
    message,
    openai_client,
    provider_named,
    streamed,
)

MESSAGES: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": MESSAGE}]
USER_ONLY: Any = [{"role": "user", "content": MESSAGE}]
PARAMETERS = {
    "type": "object",
    "properties": {"order_number": {"type": "string"}, "urgent": {"type": "boolean"}},
    "required": ["order_number", "urgent"],
    "additionalProperties": False,
}
OPENAI_TOOL: Any = {
    "type": "function",
    "function": {"name": "find_order", "description": "Find an order", "parameters": PARAMETERS},
}
ANTHROPIC_TOOL: Any = {"name": "find_order", "description": "Find an order", "input_schema": PARAMETERS}
VERDICT = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["pass", "fail"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 5},
        "reason": {"type": "string"},
    },
    "required": ["verdict", "score", "reason"],
    "additionalProperties": False,
}
CALM = {
    "latency_ms": 0,
    "fault_429_every": 0,
    "fault_500_every": 0,
    "fault_hang_every": 0,
    "fault_drop_stream_every": 0,
    "retry_after": 1,
}


@pytest.fixture(scope="module", params=["ours", "second"])
def served(request: pytest.FixtureRequest) -> Iterator[str]:
    with provider_named(request.param) as url:
        yield url


@pytest.fixture
def provider(served: str) -> str:
    control(served, "config", CALM)
    control(served, "reset", {})
    return served


def test_a_chat_completion_has_text_and_a_usage_that_adds_up(provider: str) -> None:
    done = chat(provider)
    assert done.choices[0].finish_reason == "stop"
    assert len(done.choices[0].message.content) > 10
    assert done.usage.prompt_tokens > 0
    assert done.usage.prompt_tokens + done.usage.completion_tokens == done.usage.total_tokens


def test_the_same_chat_twice_gives_the_same_answer(provider: str) -> None:
    assert chat(provider).choices[0].message.content == chat(provider).choices[0].message.content


def test_a_different_message_gives_a_different_answer(provider: str) -> None:
    other = chat(provider, user="Where is my parcel? Order 77120 is late.")
    assert other.choices[0].message.content != chat(provider).choices[0].message.content


def test_a_streamed_chat_spells_the_whole_answer_and_ends_with_its_usage(provider: str) -> None:
    whole = chat(provider)
    chunks = streamed(provider, stream_options={"include_usage": True})
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_a_streamed_chat_without_the_option_carries_no_usage(provider: str) -> None:
    assert not [chunk for chunk in streamed(provider) if chunk.usage]


def test_an_async_chat_answers_as_the_sync_one(provider: str) -> None:
    async def ask() -> Any:
        async with openai.AsyncOpenAI(base_url=f"{provider}/v1", api_key="sk-practice", max_retries=0) as client:
            return await client.chat.completions.create(model="practice-small", messages=MESSAGES)

    assert asyncio.run(ask()).choices[0].message.content == chat(provider).choices[0].message.content


def test_an_async_chat_stream_spells_the_same_answer(provider: str) -> None:
    async def ask() -> str:
        async with openai.AsyncOpenAI(base_url=f"{provider}/v1", api_key="sk-practice", max_retries=0) as client:
            stream = await client.chat.completions.create(model="practice-small", messages=MESSAGES, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    assert asyncio.run(ask()) == chat(provider).choices[0].message.content


def test_a_required_tool_is_called_with_arguments_that_fit_its_schema(provider: str) -> None:
    done = chat(provider, tools=[OPENAI_TOOL], tool_choice="required")
    called = done.choices[0].message.tool_calls[0].function
    assert (done.choices[0].finish_reason, called.name) == ("tool_calls", "find_order")
    assert {key: type(value) for key, value in json.loads(called.arguments).items()} == {
        "order_number": str,
        "urgent": bool,
    }


def test_a_streamed_tool_call_assembles_to_the_same_call(provider: str) -> None:
    whole = chat(provider, tools=[OPENAI_TOOL], tool_choice="required").choices[0].message.tool_calls[0].function
    chunks = streamed(provider, tools=[OPENAI_TOOL], tool_choice="required")
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert deltas[0].function.name == whole.name
    assert json.loads("".join(delta.function.arguments or "" for delta in deltas)) == json.loads(whole.arguments)


def test_a_json_schema_is_satisfied(provider: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": VERDICT}}
    verdict = json.loads(chat(provider, response_format=form).choices[0].message.content)
    assert set(verdict) == {"verdict", "score", "reason"}
    assert verdict["verdict"] in {"pass", "fail"}
    assert verdict["score"] in range(1, 6)


def test_a_json_object_is_an_object(provider: str) -> None:
    done = chat(provider, response_format={"type": "json_object"}, system="Respond in JSON.")
    assert isinstance(json.loads(done.choices[0].message.content), dict)


def test_embeddings_are_the_same_as_floats_and_packed(provider: str) -> None:
    with openai_client(provider) as client:
        texts = ["a kettle", "a tent"]
        packed = client.embeddings.create(model="practice-embed", input=texts)
        plain = client.embeddings.create(model="practice-embed", input=texts, encoding_format="float")
    assert len(plain.data) == 2
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert sum(value * value for value in plain.data[0].embedding) == pytest.approx(1.0, abs=1e-3)


def test_embeddings_have_the_dimensions_asked_for(provider: str) -> None:
    with openai_client(provider) as client:
        found = client.embeddings.create(model="practice-embed", input="a kettle", dimensions=64)
    assert len(found.data[0].embedding) == 64


def test_the_models_are_listed(provider: str) -> None:
    with openai_client(provider) as client:
        assert len(list(client.models.list())) >= 3


def test_a_message_has_text_and_a_usage(provider: str) -> None:
    done = message(provider)
    assert (done.role, done.stop_reason, done.content[0].type) == ("assistant", "end_turn", "text")
    assert len(done.content[0].text) > 10
    assert done.usage.input_tokens > 0
    assert done.usage.output_tokens > 0
    assert (done.usage.cache_read_input_tokens, done.usage.cache_creation_input_tokens) == (0, 0)


def test_a_streamed_message_spells_the_whole_answer_and_its_usage(provider: str) -> None:
    whole = message(provider)
    with (
        anthropic_client(provider) as client,
        client.messages.stream(model="practice-claude", system=SYSTEM, messages=USER_ONLY, max_tokens=500) as stream,
    ):
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text
    assert (final.usage.input_tokens, final.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )
    assert final.stop_reason == "end_turn"


def test_an_async_streamed_message_spells_the_same_answer(provider: str) -> None:
    async def ask() -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=provider, api_key="sk-practice", max_retries=0) as client,
            client.messages.stream(model="practice-claude", system=SYSTEM, messages=USER_ONLY, max_tokens=500) as s,
        ):
            return "".join([text async for text in s.text_stream])

    assert asyncio.run(ask()) == message(provider).content[0].text


def test_a_message_uses_the_tool_that_it_must(provider: str) -> None:
    done = message(provider, tools=[ANTHROPIC_TOOL], tool_choice={"type": "any"})
    assert (done.stop_reason, done.content[0].type, done.content[0].name) == ("tool_use", "tool_use", "find_order")
    assert set(done.content[0].input) == {"order_number", "urgent"}


def test_a_streamed_tool_use_assembles_to_the_same_input(provider: str) -> None:
    whole = message(provider, tools=[ANTHROPIC_TOOL], tool_choice={"type": "any"})
    options: Any = {"tools": [ANTHROPIC_TOOL], "tool_choice": {"type": "any"}, "max_tokens": 500}
    with (
        anthropic_client(provider) as client,
        client.messages.stream(model="practice-claude", system=SYSTEM, messages=USER_ONLY, **options) as stream,
    ):
        assert stream.get_final_message().content[0].input == whole.content[0].input


def test_a_rate_limit_is_the_typed_error_with_its_wait(provider: str) -> None:
    control(provider, "config", {"fault_429_every": 1, "retry_after": 3})
    with pytest.raises(openai.RateLimitError) as caught:
        chat(provider)
    assert caught.value.response.headers["retry-after"] == "3"
    with pytest.raises(anthropic.RateLimitError):
        message(provider)


def test_a_fractional_wait_is_kept(provider: str) -> None:
    control(provider, "config", {"fault_429_every": 1, "retry_after": 0.25})
    with pytest.raises(openai.RateLimitError) as caught:
        chat(provider)
    assert float(caught.value.response.headers["retry-after"]) == 0.25


def test_a_server_error_is_the_typed_error(provider: str) -> None:
    control(provider, "config", {"fault_500_every": 1})
    with pytest.raises(openai.InternalServerError):
        chat(provider)
    with pytest.raises(anthropic.InternalServerError):
        message(provider)


def test_a_hung_call_times_out_and_is_counted_as_left(provider: str) -> None:
    control(provider, "config", {"fault_hang_every": 1})
    with openai_client(provider, timeout=0.3) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="practice-small", messages=MESSAGES)
    with anthropic_client(provider, timeout=0.3) as client, pytest.raises(anthropic.APITimeoutError):
        client.messages.create(model="practice-claude", messages=USER_ONLY, max_tokens=50)
    assert control(provider, "stats")["ok"] == 0


def test_a_dropped_stream_never_finishes(provider: str) -> None:
    control(provider, "config", {"fault_drop_stream_every": 1})
    seen: list[Any] = []
    with openai_client(provider) as client:
        stream = client.chat.completions.create(model="practice-small", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIConnectionError):
            seen.extend(stream)
    assert len(seen) > 1
    assert "stop" not in [chunk.choices[0].finish_reason for chunk in seen]
    assert control(provider, "stats")["distinct_completed"] == 0


def test_missing_messages_are_a_bad_request(provider: str) -> None:
    with openai_client(provider) as client, pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="practice-small", messages=[])
    with anthropic_client(provider) as client, pytest.raises(anthropic.BadRequestError):
        client.messages.create(model="practice-claude", messages=[], max_tokens=50)


def test_the_counts_tell_a_retried_call_from_a_repeated_one(provider: str) -> None:
    control(provider, "config", {"fault_500_every": 2, "retry_after": 0})
    chat(provider, user="first", extra_headers={"x-bench-key": "one"})
    with openai_client(provider, max_retries=1) as client:
        client.chat.completions.create(model="practice-small", messages=MESSAGES, extra_headers={"x-bench-key": "two"})
    stats = control(provider, "stats?keys=1")
    assert stats["keys"] == {"one": [1, 1], "two": [2, 1]}
    assert (stats["distinct"], stats["repeated"], stats["completed_twice"]) == (2, 1, 0)


def test_a_call_key_may_come_in_the_metadata_or_as_the_user(provider: str) -> None:
    chat(provider, metadata={"bench_key": "from-metadata"})
    chat(provider, user="other", extra_body={"user": "bench:from-user"})
    assert set(control(provider, "stats?keys=1")["keys"]) == {"from-metadata", "bench:from-user"}
