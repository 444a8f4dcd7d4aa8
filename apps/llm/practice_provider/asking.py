"""One request, whichever wire format it came in, as the same plain question."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import tokens

PER_MESSAGE = 3
REASONING = {"none": 0, "minimal": 0, "low": 64, "medium": 256, "high": 1024, "xhigh": 2048, "max": 4096}


class BadAskError(ValueError):
    """The request is not one that a provider would accept; the message is for its sender."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass
class Ask:
    """What was asked, and under which conditions."""

    model: str
    fault: str
    system: str
    user: str
    transcript: str
    last_role: str
    key: str
    prompt_tokens: int
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    copies: int = 1
    variation: str = ""
    schema: Mapping[str, Any] | None = None
    wants_json: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    effort: int = 0
    cache_prefix: str = ""
    messages: list[Any] = field(default_factory=list)


def read_openai(body: Mapping[str, Any], header_key: str) -> Ask:
    """Read a chat completions body; raise BadAskError for what OpenAI would refuse."""
    ask, texts = _common(body, header_key, "")
    ask.system = "\n\n".join(text for role, text in texts if role in {"system", "developer"})
    ask.max_tokens = _whole(body, "max_completion_tokens") or _whole(body, "max_tokens")
    ask.stops = _strings(body, "stop")
    ask.include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    ask.copies = max(1, min(_whole(body, "n") or 1, 16))
    ask.effort = REASONING.get(str(body.get("reasoning_effort") or "none"), 0)
    ask.cache_prefix = ask.system
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        ask.schema = (form.get("json_schema") or {}).get("schema") or {}
    ask.wants_json = form.get("type") in {"json_schema", "json_object"}
    specs = [tool.get("function") or tool for tool in body.get("tools") or ()]
    ask.tools = tuple(
        Tool(spec.get("name", ""), spec.get("description") or "", spec.get("parameters") or {}) for spec in specs
    )
    choice = body.get("tool_choice") or "auto"
    ask.tool_choice = choice if isinstance(choice, str) else (choice.get("function") or choice).get("name", "required")
    _temperature(body, 2)
    return ask


def read_anthropic(body: Mapping[str, Any], header_key: str, *, counting: bool = False) -> Ask:
    """Read a messages body; raise BadAskError for what Anthropic would refuse."""
    ask, _ = _common(body, header_key, text_of(body.get("system")))
    ask.max_tokens = _whole(body, "max_tokens")
    if ask.max_tokens is None and not counting:
        raise BadAskError("max_tokens: Field required", "max_tokens")
    ask.stops = _strings(body, "stop_sequences")
    form = (body.get("output_config") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        ask.schema, ask.wants_json = form.get("schema") or {}, True
    ask.tools = tuple(
        Tool(tool.get("name", ""), tool.get("description") or "", tool.get("input_schema") or {})
        for tool in body.get("tools") or ()
    )
    choice = body.get("tool_choice") or {"type": "auto"}
    ask.tool_choice = {"any": "required", "tool": choice.get("name", "required")}.get(choice["type"], choice["type"])
    if _is_cached(body.get("system")):
        ask.cache_prefix = ask.system
    _temperature(body, 1)
    return ask


def text_of(content: object) -> str:
    """Return the text in a content field: a string, or a list of typed blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    found = [_block_text(block) for block in content if isinstance(block, dict)]
    return "\n".join(text for text in found if text)


def inputs_of(body: Mapping[str, Any]) -> list[str]:
    """Return the texts to embed; token lists are taken as text. Raise BadAskError when there are none."""
    given = body.get("input")
    if isinstance(given, str):
        given = [given]
    if isinstance(given, list) and given and isinstance(given[0], int):
        given = [given]
    if not isinstance(given, list) or not given:
        raise BadAskError("'input' must be a text or a list of texts", "input")
    return [item if isinstance(item, str) else json.dumps(item) for item in given]


def split_model(name: str) -> tuple[str, str]:
    """Split `practice-small!429` into the model and the fault wished for."""
    model, _, fault = name.partition("!")
    return model, fault


def call_key(body: Mapping[str, Any], header_key: str, said: str) -> str:
    """Return what identifies the same call made twice."""
    metadata = body.get("metadata")
    if header_key:
        return header_key
    if isinstance(metadata, dict) and metadata.get("bench_key"):
        return str(metadata["bench_key"])
    if str(body.get("user", "")).startswith("bench:"):
        return str(body["user"])
    return hashlib.blake2b(f"{body.get('model')}\0{said}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def _common(body: Mapping[str, Any], header_key: str, system: str) -> tuple[Ask, list[tuple[str, str]]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise BadAskError("messages: at least one message is required", "messages")
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise BadAskError("you must provide a model parameter", "model")
    model, fault = split_model(name)
    texts = [(str(message.get("role")), text_of(message.get("content"))) for message in messages]
    user = next((text for role, text in reversed(texts) if role == "user" and text), texts[-1][1])
    prompt = tokens.count(system) + sum(tokens.count(text) + PER_MESSAGE for _, text in texts)
    if body.get("tools"):
        prompt += tokens.count(json.dumps(body["tools"]))
    ask = Ask(
        model=model,
        fault=fault,
        system=system,
        user=user,
        transcript="\n".join(text for role, text in texts if role in {"user", "assistant", "tool"}),
        last_role=_last_role(messages[-1]),
        key=call_key(body, header_key, user),
        prompt_tokens=prompt,
        stream=bool(body.get("stream")),
        variation=_variation(body),
        messages=messages,
    )
    return ask, texts


def _last_role(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list) and any(isinstance(b, dict) and b.get("type") == "tool_result" for b in content):
        return "tool"
    return str(message.get("role"))


def _block_text(block: Mapping[str, Any]) -> str:
    if block.get("type") == "tool_result":
        return text_of(block.get("content"))
    text = block.get("text")
    return text if isinstance(text, str) else ""


def _variation(body: Mapping[str, Any]) -> str:
    """Say what may change the phrasing: only a temperature above 0 lets anything do so."""
    if not body.get("temperature"):
        return ""
    return f"{body['temperature']}|{body.get('seed')}|{body.get('user')}|{json.dumps(body.get('metadata'), sort_keys=True)}"


def _is_cached(system: object) -> bool:
    return isinstance(system, list) and any(isinstance(block, dict) and block.get("cache_control") for block in system)


def _strings(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = body.get(name) or ()
    return (given,) if isinstance(given, str) else tuple(text for text in given if isinstance(text, str) and text)


def _whole(body: Mapping[str, Any], name: str) -> int | None:
    given = body.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise BadAskError(f"{name}: must be a whole number of at least 1", name)
    return given


def _temperature(body: Mapping[str, Any], most: int) -> None:
    given = body.get("temperature")
    if given is not None and (isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= most):
        raise BadAskError(f"temperature: must be between 0 and {most}", "temperature")
