"""OpenAI's chat completions and embeddings, which most other providers speak too."""

import base64
import binascii
import math
import struct
from typing import Any

from apps.costs import pricing
from apps.costs.models import Meter
from apps.llm.completion import Answer, CompletionRequest, EmbeddingAnswer, EmbeddingRequest, ToolCall, Usage
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


def stream_body(request: CompletionRequest) -> dict[str, Any]:
    """Return the body of a streamed request that asks for the usage at its end."""
    return body(request) | {"stream": True, "stream_options": {"include_usage": True}}


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
        finish_reason=reading.label(choice.get("finish_reason")),
        usage=usage(answer.get("usage")),
        service_tier=reading.label(answer.get("service_tier")),
        answered_by=reading.name(answer.get("model")),
    )


def _tool_call(call: object) -> ToolCall:
    fields = reading.mapping(call)
    function = reading.mapping(fields.get("function"))
    return ToolCall(
        id=reading.text(fields.get("id")),
        name=reading.text(function.get("name")),
        arguments=reading.arguments(function.get("arguments")),
    )


def usage(given: object) -> Usage | None:
    """Return disjoint meters: OpenAI's prompt includes what was cached, heard or seen, its completion the reasoning."""
    if not isinstance(given, dict) or given.get("prompt_tokens") is None or given.get("completion_tokens") is None:
        return None
    prompt_details = reading.mapping(given.get("prompt_tokens_details"))
    output_details = reading.mapping(given.get("completion_tokens_details"))
    cached_details = reading.mapping(prompt_details.get("cached_tokens_details"))
    found = reading.counts(
        given["prompt_tokens"],
        prompt_details.get("cached_tokens"),
        prompt_details.get("cache_write_tokens"),
        prompt_details.get("audio_tokens"),
        prompt_details.get("image_tokens"),
        cached_details.get("audio_tokens"),
        cached_details.get("image_tokens"),
        given["completion_tokens"],
        output_details.get("reasoning_tokens"),
        output_details.get("audio_tokens"),
        output_details.get("image_tokens"),
    )
    if found is None:
        return None
    prompt, cached, written, heard, seen, heard_before, seen_before, completion, reasoning, spoken, drawn = found
    if given.get("total_tokens") not in {None, prompt + completion}:
        return None
    try:
        meters = pricing.split_inclusive(
            prompt=prompt,
            output=completion,
            cached=cached,
            cache_write=written,
            audio_input=heard,
            audio_output=spoken,
            audio_cached=heard_before,
            image_input=seen,
            image_output=drawn,
            image_cached=seen_before,
        )
    except pricing.UsageError:
        return None
    return Usage.of(meters, reasoning=reasoning) if reasoning <= meters[Meter.OUTPUT] else None


def embed_body(request: EmbeddingRequest) -> dict[str, Any]:
    """Return the body of an embeddings request. Packed vectors are a quarter of the size, but few others know them."""
    packed = request.model.connection.kind == Connection.Kind.OPENAI
    found: dict[str, Any] = {
        "model": request.model.name,
        "input": request.texts,
        "encoding_format": "base64" if packed else "float",
    }
    if request.dimensions is not None:
        found["dimensions"] = request.dimensions
    return found


def read_embeddings(answer: dict[str, Any], wanted: int) -> EmbeddingAnswer:
    """Return the vectors in the order of their texts. Raises ProviderError (malformed) unless there is one for each."""
    entries = [reading.mapping(entry) for entry in reading.sequence(answer.get("data"))]
    places = [entry.get("index", place) for place, entry in enumerate(entries)]
    if len(entries) != wanted or any(type(place) is not int for place in places):
        raise reading.malformed(f"it holds {len(entries)} vectors for {wanted} texts")
    by_place = {place: _vector(entry.get("embedding")) for place, entry in zip(places, entries, strict=True)}
    if sorted(by_place) != list(range(wanted)) or len({len(vector) for vector in by_place.values()}) > 1:
        raise reading.malformed("its vectors do not belong together")
    return EmbeddingAnswer(
        vectors=[by_place[place] for place in range(wanted)],
        usage=_embedding_usage(answer.get("usage")),
        answered_by=reading.name(answer.get("model")),
    )


def _vector(given: object) -> list[float]:
    if isinstance(given, str):
        try:
            packed = base64.b64decode(given, validate=True)
            given = list(struct.unpack(f"<{len(packed) // 4}f", packed))
        except (binascii.Error, struct.error, ValueError):
            raise reading.malformed("a vector is not packed as it should be") from None
    numbers = [_number(value) for value in reading.sequence(given)]
    if not numbers or not all(map(math.isfinite, numbers)):
        raise reading.malformed("a vector holds something that is not a number")
    return numbers


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _embedding_usage(given: object) -> Usage | None:
    """Return what was read: nothing is written, so a total that differs makes no sense."""
    fields = reading.mapping(given)
    prompt, total = reading.count(fields.get("prompt_tokens")), fields.get("total_tokens")
    if fields.get("prompt_tokens") is None or prompt is None or total not in (None, prompt):
        return None
    return Usage(input=prompt)
