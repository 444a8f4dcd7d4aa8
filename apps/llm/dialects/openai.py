"""OpenAI's chat completions, which most other providers speak too."""

from typing import Any

from apps.llm.completion import Answer, CompletionRequest, ToolCall, Usage
from apps.llm.dialects import reading
from apps.llm.models import Connection

# What a prompt's parameters may not change: the door sets these itself, or cannot read their answer.
OURS = frozenset({"model", "messages", "tools", "response_format", "stream", "stream_options", "n", "metadata", "user"})


def body(request: CompletionRequest) -> dict[str, Any]:
    """Return the body of a chat completions request."""
    found = {name: value for name, value in request.parameters.items() if name not in OURS and value is not None}
    if request.model.connection.kind == Connection.Kind.OPENAI and "max_tokens" in found:
        # OpenAI's reasoning models refuse the old name; its other models take both.
        found.setdefault("max_completion_tokens", found.pop("max_tokens"))
    found |= {"model": request.model.name, "messages": request.messages}
    if request.tools:
        found["tools"] = [_tool(tool) for tool in request.tools]
    if request.output_schema is not None:
        schema = {"name": "answer", "schema": request.output_schema, "strict": is_strict(request.output_schema)}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    return found


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    return tool if "function" in tool else {"type": "function", "function": tool}


def is_strict(schema: object) -> bool:
    """Tell whether the schema meets OpenAI's strict mode: every object is closed and requires all it names."""
    if isinstance(schema, list):
        return all(is_strict(part) for part in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        named = set(reading.mapping(schema.get("properties")))
        if schema.get("additionalProperties") is not False or set(reading.sequence(schema.get("required"))) != named:
            return False
    return all(is_strict(part) for part in schema.values())


def read(answer: dict[str, Any]) -> Answer:
    """Return the first choice. Raises ProviderError (malformed) when there is none."""
    choice = next(iter(reading.sequence(answer.get("choices"))), None)
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise reading.malformed("it holds no choice")
    message = choice["message"]
    return Answer(
        text=reading.text(message.get("content")) or reading.text(message.get("refusal")),
        tool_calls=[_tool_call(call) for call in reading.sequence(message.get("tool_calls"))],
        finish_reason=reading.text(choice.get("finish_reason"))[:40],
        usage=usage(answer.get("usage")),
    )


def _tool_call(call: object) -> ToolCall:
    fields = reading.mapping(call)
    function = reading.mapping(fields.get("function"))
    return ToolCall(
        id=reading.text(fields.get("id")),
        name=reading.text(function.get("name")),
        arguments=reading.text(function.get("arguments")),
    )


def usage(given: object) -> Usage | None:
    """Return disjoint meters: OpenAI's prompt includes what was cached, its completion includes the reasoning."""
    if not isinstance(given, dict) or given.get("prompt_tokens") is None or given.get("completion_tokens") is None:
        return None
    prompt_details = reading.mapping(given.get("prompt_tokens_details"))
    output_details = reading.mapping(given.get("completion_tokens_details"))
    found = reading.counts(
        given["prompt_tokens"],
        prompt_details.get("cached_tokens"),
        prompt_details.get("cache_write_tokens"),
        given["completion_tokens"],
        output_details.get("reasoning_tokens"),
    )
    if found is None:
        return None
    prompt, cached, written, completion, reasoning = found
    if cached + written > prompt or reasoning > completion:
        return None
    if given.get("total_tokens") not in {None, prompt + completion}:
        return None
    return Usage(
        input=prompt - cached - written, cache_read=cached, cache_write=written, output=completion, reasoning=reasoning
    )
