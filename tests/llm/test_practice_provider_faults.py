"""What only our practice provider can do on demand: fail in every way, slowly, and on the named call."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest

from apps.llm.practice_provider import process, server
from apps.llm.practice_provider.provider import Provider
from apps.llm.practice_provider.settings import Settings
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

LONG = "You are a support agent. Reply to the customer. " * 120
USER_ONLY: Any = [{"role": "user", "content": MESSAGE}]


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with provider_named("ours") as url:
        yield url


@pytest.fixture
def provider(served: str) -> str:
    settings = control(served, "config", {})
    calm = {name: 0 for name in settings if name.startswith("fault_")}
    calm |= {"latency_ms": 0, "token_ms": 0, "jitter_ms": 0, "concurrency": 0, "retry_after": 1, "hang_s": 30}
    calm |= {"accepted_keys": ""}
    control(served, "config", {**calm, "retry_after_unit": "s", "drip_ms": 20})
    control(served, "reset", {})
    return served


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("400", openai.BadRequestError),
        ("401", openai.AuthenticationError),
        ("404", openai.NotFoundError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("503", openai.InternalServerError),
        ("reset", openai.APIConnectionError),
    ],
)
def test_a_model_suffix_demands_a_fault_of_openai(provider: str, fault: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        chat(provider, model=f"practice-small!{fault}")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("401", anthropic.AuthenticationError),
        ("404", anthropic.NotFoundError),
        ("429", anthropic.RateLimitError),
        ("500", anthropic.InternalServerError),
        ("529", "OverloadedError"),
        ("reset", anthropic.APIConnectionError),
    ],
)
def test_a_header_demands_a_fault_of_anthropic(provider: str, fault: str, error: Any) -> None:
    expected = getattr(anthropic._exceptions, error) if isinstance(error, str) else error
    with pytest.raises(expected):
        message(provider, extra_headers={"x-practice-fault": fault})


def test_a_revoked_key_is_an_authentication_error(provider: str) -> None:
    with openai_client(provider, api_key="sk-revoked-1") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="practice-small", messages=USER_ONLY)
    with anthropic_client(provider, api_key="sk-revoked-1") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model="practice-claude", messages=USER_ONLY, max_tokens=50)


def test_one_key_can_be_refused_while_the_provider_runs(provider: str) -> None:
    control(provider, "config", {"accepted_keys": "sk-first, sk-second"})
    with openai_client(provider, api_key="sk-second") as client:
        assert client.models.list().data
    control(provider, "config", {"accepted_keys": "sk-first"})
    with openai_client(provider, api_key="sk-second") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="practice-small", messages=USER_ONLY)
    with anthropic_client(provider, api_key="sk-second") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.count_tokens(model="practice-claude", messages=USER_ONLY)
    with anthropic_client(provider, api_key="sk-first") as client:
        assert client.messages.create(model="practice-claude", messages=USER_ONLY, max_tokens=50).content


def test_the_accepted_keys_are_text(provider: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control(provider, "config", {"accepted_keys": ["sk-first"]})


def test_a_call_without_a_key_is_refused(provider: str) -> None:
    request = urllib.request.Request(f"{provider}/v1/chat/completions", data=b"{}")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)


def test_an_unknown_model_is_not_found(provider: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        chat(provider, model="no-such-model")
    assert caught.value.code == "model_not_found"
    with pytest.raises(anthropic.NotFoundError):
        message(provider, model="no-such-model")


@pytest.mark.parametrize("name", ["gpt-4o-mini", "claude-sonnet-4-5", "practice-large"])
def test_any_other_model_answers_under_its_own_name(provider: str, name: str) -> None:
    assert chat(provider, model=name).model == name


def test_a_fault_may_spare_the_later_attempts(provider: str) -> None:
    with openai_client(provider, max_retries=2) as client:
        done = client.chat.completions.create(
            model="practice-small!429x2;retry-after-ms=5",
            messages=USER_ONLY,
            extra_headers={"x-bench-key": "k"},
        )
    assert done.choices[0].message.content
    assert control(provider, "stats?keys=1")["keys"] == {"k": [3, 1]}


def test_the_next_calls_fail_and_then_no_more(provider: str) -> None:
    control(provider, "config", {"fault_529_next": 2})
    for _ in range(2):
        with pytest.raises(anthropic.InternalServerError):
            message(provider)
    assert message(provider).stop_reason == "end_turn"


def test_a_wait_may_be_told_in_milliseconds(provider: str) -> None:
    control(provider, "config", {"fault_429_next": 1, "retry_after": 0.25, "retry_after_unit": "ms"})
    with pytest.raises(openai.RateLimitError) as caught:
        chat(provider)
    assert caught.value.response.headers["retry-after-ms"] == "250"
    assert "retry-after" not in caught.value.response.headers


def test_a_call_above_the_concurrency_cap_is_rate_limited(provider: str) -> None:
    control(provider, "config", {"concurrency": 1, "latency_ms": 600})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(chat, provider)
        wait_for_flight(provider, 1)
        with pytest.raises(openai.RateLimitError):
            chat(provider)
        assert first.result().choices[0].finish_reason == "stop"
    assert control(provider, "stats")["in_flight_peak"] == 2


def test_latency_is_kept(provider: str) -> None:
    control(provider, "config", {"latency_ms": 60, "jitter_ms": 100})
    assert seconds_of(provider) >= 0.06


def test_jitter_repeats_for_a_call_and_differs_between_calls() -> None:
    made = Provider(Settings(latency_ms=60, jitter_ms=100))
    assert made.delay("a") == made.delay("a")
    assert len({made.delay(key) for key in "abcdef"}) == 6
    assert all(0.06 <= made.delay(key) < 0.16 for key in "abcdef")


def test_tokens_take_their_time_in_a_stream(provider: str) -> None:
    control(provider, "config", {"token_ms": 4})
    begun = time.monotonic()
    seen = [(time.monotonic() - begun, chunk) for chunk in streamed_live(provider)]
    assert seen[-1][0] - seen[0][0] > 0.08


def test_a_slow_drip_arrives_whole(provider: str) -> None:
    begun = time.monotonic()
    assert chat(provider, model="practice-small!slow").choices[0].message.content
    assert time.monotonic() - begun > 0.15


def test_a_truncated_answer_is_a_connection_error(provider: str) -> None:
    with pytest.raises(openai.APIConnectionError):
        chat(provider, model="practice-small!drop_stream")


def test_malformed_json_is_no_answer(provider: str) -> None:
    with pytest.raises((json.JSONDecodeError, openai.APIError)):
        chat(provider, model="practice-small!malformed")
    assert control(provider, "stats")["ok"] == 0


def test_a_wrong_usage_does_not_add_up(provider: str) -> None:
    usage = chat(provider, model="practice-small!wrong_usage").usage
    assert usage.prompt_tokens + usage.completion_tokens != usage.total_tokens


def test_a_missing_usage_is_missing_in_the_stream_too(provider: str) -> None:
    assert chat(provider, model="practice-small!no_usage").usage is None
    chunks = streamed(provider, model="practice-small!no_usage", stream_options={"include_usage": True})
    assert not [chunk for chunk in chunks if chunk.usage]


def test_an_unknown_fault_is_refused_by_name(provider: str) -> None:
    with pytest.raises(openai.BadRequestError, match="unknown fault"):
        chat(provider, model="practice-small!explode")


def test_an_unknown_setting_is_refused_and_changes_nothing(provider: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control(provider, "config", {"latency_ms": 9, "colour": "red"})
    assert control(provider, "stats")["config"]["latency_ms"] == 0


def test_a_caller_who_hangs_up_is_not_counted_as_answered(provider: str) -> None:
    control(provider, "config", {"latency_ms": 2000})
    with openai_client(provider, timeout=0.2) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="practice-small", messages=USER_ONLY)
    wait_for_flight(provider, 0)
    stats = control(provider, "stats")
    assert (stats["ok"], stats["client_gone"], stats["distinct_completed"]) == (0, 1, 0)


def test_max_tokens_cuts_the_answer_and_says_so(provider: str) -> None:
    done = chat(provider, max_tokens=7)
    assert (done.choices[0].finish_reason, done.usage.completion_tokens) == ("length", 7)
    said = message(provider, max_tokens=7)
    assert (said.stop_reason, said.usage.output_tokens) == ("max_tokens", 7)


def test_a_stop_sequence_ends_the_answer_before_it(provider: str) -> None:
    assert "regards" not in chat(provider, stop=["Kind regards"]).choices[0].message.content
    said = message(provider, stop_sequences=["Kind regards"])
    assert (said.stop_reason, said.stop_sequence) == ("stop_sequence", "Kind regards")


def test_a_repeated_long_prompt_is_billed_as_cached_by_openai(provider: str) -> None:
    first, second = (chat(provider, system=LONG).usage for _ in range(2))
    assert first.prompt_tokens_details.cached_tokens == 0
    assert second.prompt_tokens_details.cached_tokens >= 1024
    assert first.prompt_tokens == second.prompt_tokens


def test_a_marked_long_prompt_is_written_and_then_read_by_anthropic(provider: str) -> None:
    marked = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    first, second = (message(provider, system=marked).usage for _ in range(2))
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens >= 1024
    assert (first.cache_read_input_tokens, second.cache_creation_input_tokens) == (0, 0)
    assert first.input_tokens == second.input_tokens


def test_reasoning_effort_is_billed_within_the_completion(provider: str) -> None:
    plain, thought = chat(provider).usage, chat(provider, reasoning_effort="low").usage
    assert thought.completion_tokens_details.reasoning_tokens > 0
    assert thought.completion_tokens == plain.completion_tokens + thought.completion_tokens_details.reasoning_tokens


def test_counted_tokens_are_those_that_a_message_is_billed(provider: str) -> None:
    with anthropic_client(provider) as client:
        counted = client.messages.count_tokens(model="practice-claude", system=SYSTEM, messages=USER_ONLY)
    assert counted.input_tokens == message(provider).usage.input_tokens


def test_anthropic_lists_and_finds_models(provider: str) -> None:
    with anthropic_client(provider) as client:
        assert "practice-claude" in [model.id for model in client.models.list()]
        assert client.models.retrieve("practice-large").type == "model"


def test_several_choices_are_billed_together(provider: str) -> None:
    done = chat(provider, n=3)
    assert [choice.index for choice in done.choices] == [0, 1, 2]
    assert done.usage.completion_tokens > chat(provider).usage.completion_tokens


def test_a_tool_result_is_used_in_the_answer(provider: str) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": "{}"}}
    messages: Any = [
        *USER_ONLY,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Shipped on 3 May."},
    ]
    tool: Any = {"type": "function", "function": {"name": "find_order", "parameters": {"type": "object"}}}
    with openai_client(provider) as client:
        done = client.chat.completions.create(model="practice-small", messages=messages, tools=[tool])
    assert "Shipped on 3 May." in str(done.choices[0].message.content)


def test_a_second_provider_on_a_taken_port_is_refused(provider: str) -> None:
    port = int(provider.rsplit(":", 1)[1])
    with pytest.raises(process.NotStartedError, match="cannot listen"), process.running(port=port):
        pass


def test_only_loopback_is_served() -> None:
    with pytest.raises(process.NotStartedError, match="not loopback"), process.running(host="0.0.0.0"):
        pass


def test_flags_are_settings() -> None:
    with process.running(latency_ms=5, fault_429_every=3, always_usage=True) as url:
        settings = control(url, "stats")["config"]
    assert (settings["latency_ms"], settings["fault_429_every"], settings["always_usage"]) == (5.0, 3, True)


def test_the_environment_may_allow_more_than_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(server.ALLOW_REMOTE, raising=False)
    with pytest.raises(server.NotServableError):
        server.check_host("0.0.0.0")
    monkeypatch.setenv(server.ALLOW_REMOTE, "1")
    server.check_host("0.0.0.0")


def test_the_provider_ends_with_the_process_that_started_it() -> None:
    parts = [*process.command(0), "--until-stdin-closes"]
    started = subprocess.Popen(parts, cwd=process.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert started.stdin
    assert started.stdout
    with started.stdout, started.stdin:
        assert b"http://127.0.0.1" in started.stdout.readline()
    assert started.wait(10) == 0


def test_the_provider_stops_while_a_call_hangs() -> None:
    with process.running(fault_hang_every=1) as url, openai_client(url, timeout=0.5) as client:
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model="practice-small", messages=USER_ONLY)
        pool = ThreadPoolExecutor()
        hung = pool.submit(chat, url)
        wait_for_flight(url, 1)
    assert isinstance(hung.exception(10), openai.OpenAIError)


def test_the_management_command_serves_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "only for this test")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
    port = server.claim("127.0.0.1", 0)
    parts = [sys.executable, str(process.ROOT / "manage.py"), "practice_provider", "--port", str(port)]
    with process.running_command(parts, f"http://127.0.0.1:{port}") as url:
        assert chat(url).choices[0].finish_reason == "stop"


def wait_for_flight(url: str, wanted: int) -> None:
    """Wait until so many calls are in flight."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and control(url, "stats")["in_flight"] != wanted:
        time.sleep(0.01)
    assert control(url, "stats")["in_flight"] == wanted


def seconds_of(url: str) -> float:
    """Return how long one chat completion takes on a warm client."""
    with openai_client(url) as client:
        client.models.list()
        begun = time.monotonic()
        client.chat.completions.create(model="practice-small", messages=USER_ONLY)
        return time.monotonic() - begun


def streamed_live(url: str) -> Iterator[Any]:
    """Yield the chunks as they arrive."""
    with openai_client(url) as client:
        yield from client.chat.completions.create(model="practice-small", messages=USER_ONLY, stream=True)
