"""Anthropic's messages."""

import json
from dataclasses import replace
from typing import Any

from apps.llm.completion import Answer, CompletionRequest, ToolCall, Usage
from apps.llm.dialects import reading

DEFAULT_MAX_TOKENS = 4096
ANSWER_TOOL = "give_structured_answer"
WRAPPED = "structured_answer"
# Requests of an answer that its whole usage leaves out.
BESIDE = frozenset({"compaction", "advisor_message"})
COUNTED = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
RENAMED = {"stop": "stop_sequences", "max_completion_tokens": "max_tokens"}
OURS = frozenset({"model", "messages", "system", "tools", "tool_choice", "stream", "metadata", "output_config"})
# Parameters that this provider has no counterpart for, and would refuse the request over.
FOREIGN = frozenset(
    {
        "n",
        "seed",
        "user",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "presence_penalty",
        "frequency_penalty",
        "response_format",
        "reasoning_effort",
        "parallel_tool_calls",
        "stream_options",
    }
)


def body(request: CompletionRequest) -> dict[str, Any]:
    """Return the body of a messages request. Output of a schema is asked for as a forced tool."""
    system, messages = _messages(request.messages)
    found = _parameters(request) | {"model": request.model.name, "messages": messages}
    if system:
        found["system"] = system
    tools = [_tool(tool) for tool in request.tools]
    if request.output_schema is not None:
        found["tool_choice"] = {"type": "any"} if tools else {"type": "tool", "name": ANSWER_TOOL}
        tools.append(_answer_tool(request.output_schema))
    if tools:
        found["tools"] = tools
    return found


def stream_body(request: CompletionRequest) -> dict[str, Any]:
    """Return the body of a streamed request; its usage comes unasked."""
    return body(request) | {"stream": True}


def _parameters(request: CompletionRequest) -> dict[str, Any]:
    given = {name: value for name, value in request.parameters.items() if value is not None}
    found = {RENAMED.get(name, name): value for name, value in given.items() if name not in OURS | FOREIGN}
    if isinstance(found.get("stop_sequences"), str):
        found["stop_sequences"] = [found["stop_sequences"]]
    ceiling = request.model.max_output_tokens or DEFAULT_MAX_TOKENS
    found.setdefault("max_tokens", min(DEFAULT_MAX_TOKENS, ceiling))
    return found


def _messages(given: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Split off the system text. A prompt of system text alone is asked as a user, for somebody has to speak."""
    system = "\n\n".join(_plain(message) for message in given if message.get("role") in {"system", "developer"})
    said = [_message(message) for message in given if message.get("role") not in {"system", "developer"}]
    if not said and system:
        return "", [{"role": "user", "content": system}]
    return system, said


def _plain(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(reading.text(part.get("text")) for part in reading.sequence(content) if isinstance(part, dict))


def _message(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("role") == "tool":
        result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id", ""), "content": _plain(message)}
        return {"role": "user", "content": [result]}
    content = message.get("content")
    if not message.get("tool_calls"):
        blocks = content if isinstance(content, str) else [_block(part) for part in reading.sequence(content)]
        return {"role": message.get("role"), "content": blocks}
    spoken = [{"type": "text", "text": text}] if (text := _plain(message)) else []
    return {"role": "assistant", "content": [*spoken, *map(_tool_use, message["tool_calls"])]}


def _block(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") != "image_url":
        return part
    url = str(reading.mapping(part.get("image_url")).get("url", ""))
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, _, data = url.removeprefix("data:").partition(";base64,")
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _tool_use(call: dict[str, Any]) -> dict[str, Any]:
    function = reading.mapping(call.get("function"))
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except ValueError:
        arguments = {}
    return {"type": "tool_use", "id": call.get("id", ""), "name": function.get("name", ""), "input": arguments}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if "input_schema" in tool:
        return tool
    function = reading.mapping(tool.get("function", tool))
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {"name": function.get("name", ""), "description": function.get("description", ""), "input_schema": schema}


def _answer_tool(schema: dict[str, Any]) -> dict[str, Any]:
    """A tool's input is always an object, so any other schema is wrapped in one."""
    if not _is_object(schema):
        schema = {"type": "object", "properties": {WRAPPED: schema}, "required": [WRAPPED]}
    return {"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": schema}


def _is_object(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" or "properties" in schema


def read(answer: dict[str, Any]) -> Answer:
    """Return the text and tool calls. Raises ProviderError (malformed) when there is no content."""
    if not isinstance(answer.get("content"), list):
        raise reading.malformed("it holds no content")
    blocks = [reading.mapping(block) for block in answer["content"]]
    used = [block for block in blocks if block.get("type") == "tool_use"]
    answers = [structured(block.get("input")) for block in used if block.get("name") == ANSWER_TOOL]
    spoken = [reading.text(block.get("text")) for block in blocks if block.get("type") == "text"]
    return Answer(
        text=answers[0] if answers else "".join(spoken),
        tool_calls=[_tool_call(block) for block in used if block.get("name") != ANSWER_TOOL],
        finish_reason=finish_reason(answer.get("stop_reason"), answered=bool(answers)),
        usage=usage(answer.get("usage")),
        answered_by=reading.name(answer.get("model")),
        **conditions(answer.get("usage")),
    )


def finish_reason(given: object, *, answered: bool) -> str:
    """Return OpenAI's word for why it ended, or the provider's own. The forced answer tool is no tool call."""
    reason = reading.label(given)
    return "stop" if answered and reason == "tool_use" else FINISH_REASONS.get(reason, reason)


def conditions(given: object) -> dict[str, str]:
    """Return under which conditions the answer was made, on which its price depends."""
    fields = reading.mapping(given)
    return {name: reading.label(fields.get(name)) for name in ("service_tier", "inference_geo", "speed")}


def structured(given: object) -> str:
    """Return the structured answer as JSON text, without the object that it may have been wrapped in."""
    if isinstance(given, dict) and set(given) == {WRAPPED}:
        given = given[WRAPPED]
    return reading.text(json.dumps(given, ensure_ascii=False))


def _tool_call(block: dict[str, Any]) -> ToolCall:
    return ToolCall(
        id=reading.text(block.get("id")),
        name=reading.text(block.get("name")),
        arguments=reading.text(json.dumps(block.get("input"), ensure_ascii=False)),
    )


def usage(given: object) -> Usage | None:
    """Return disjoint meters, with those of the requests that the whole leaves out: what was summed up, whom it asked.

    A call has one charge at its own model's price, so what another model was asked makes the charge an estimate.
    """
    found = _usage(given)
    for entry in reading.sequence(reading.mapping(given).get("iterations")) if found else []:
        kind = reading.mapping(entry).get("type")
        if found and kind in BESIDE and (more := _usage(entry)):
            counts = {name: getattr(found, name) + getattr(more, name) for name in COUNTED}
            found = replace(found, **counts, estimated=found.estimated or kind != "compaction")
    return found


def _usage(given: object) -> Usage | None:
    """Return disjoint meters: Anthropic's input leaves out what was read from or written to the cache."""
    if not isinstance(given, dict) or given.get("input_tokens") is None or given.get("output_tokens") is None:
        return None
    split = reading.mapping(given.get("cache_creation"))
    found = reading.counts(
        given["input_tokens"],
        given.get("cache_read_input_tokens"),
        given.get("cache_creation_input_tokens"),
        split.get("ephemeral_1h_input_tokens"),
        split.get("ephemeral_5m_input_tokens"),
        given["output_tokens"],
        reading.mapping(given.get("output_tokens_details")).get("thinking_tokens"),
        reading.mapping(given.get("server_tool_use")).get("web_search_requests"),
    )
    if found is None:
        return None
    fresh, cached, written, hour, minutes, output, reasoning, searches = found
    if reasoning > output or (split and hour + minutes != written):
        return None
    return Usage(
        input=fresh,
        cache_read=cached,
        cache_write=written - hour,
        cache_write_1h=hour,
        output=output,
        reasoning=reasoning,
        web_searches=searches,
    )
