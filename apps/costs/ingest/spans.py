"""What a span says of a call to a model, by the conventions of OpenTelemetry (new and old), OpenInference and pydantic.

Only the attributes named here are ever looked at: prompts, messages and answers stay in the span and go with it.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from apps.costs.ingest.items import LONGEST, MOST_TAGS, TAG_NAME, TAG_VALUE, TEXTS

Value = str | int | Decimal | bool
Facts = Mapping[str, Value]

COUNTS = {
    "input": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
    ),
    "output": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "audio_input": ("gen_ai.usage.details.input_audio_tokens", "llm.token_count.prompt_details.audio"),
    "audio_output": ("gen_ai.usage.details.output_audio_tokens", "llm.token_count.completion_details.audio"),
    "total": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),
}
WORDS = {
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "model": ("gen_ai.response.model", "llm.response.model", "llm.model_name", "embedding.model_name"),
    "requested_model": ("gen_ai.request.model", "llm.request.model", "model_name"),
    "tier": ("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
    "purpose": ("galley.purpose",),
    "environment": ("deployment.environment.name", "deployment.environment"),
    "team": ("galley.team",),
    "customer": ("galley.customer", "customer.id", "tenant.id", "enduser.id", "user.id"),
    "user": ("galley.user",),
    "prompt": ("galley.prompt", "gen_ai.prompt.name", "langfuse.observation.prompt.name"),
}
VERSION = ("galley.prompt.version", "gen_ai.prompt.version", "langfuse.observation.prompt.version")
COST = ("gen_ai.usage.cost", "llm.cost.total", "operation.cost")
TAGS = {"service.name": "service", "service.version": "service_version"}
TAG_PREFIX = "galley.tag."
OPERATION, INFERENCE_KIND, TRACELOOP_KIND = "gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind"
AGENT = ("gen_ai.agent.name", "agent_name")
SERVER, PORT = "server.address", "server.port"
# Spans that sum up the calls inside them: with these, every token would be paid for twice.
SUMS = frozenset(
    {"invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "agent", "workflow", "task", "tool"}
)
CALL_KINDS = frozenset({"LLM", "EMBEDDING", "RERANKER"})
WANTED = frozenset(
    {
        *(name for names in (*COUNTS.values(), *WORDS.values(), VERSION, COST, AGENT) for name in names),
        *TAGS,
        *(OPERATION, INFERENCE_KIND, TRACELOOP_KIND, SERVER, PORT),
    }
)
ERROR = 2
MANY = 1_000


def _meanings() -> dict[str, list[tuple[str, int]]]:
    """Return, for each attribute, what it says in our words, and its rank among those that say the same."""
    found: dict[str, list[tuple[str, int]]] = {}
    for ours, names in {**COUNTS, **WORDS, "version": VERSION, "cost": COST}.items():
        for rank, name in enumerate(names):
            found.setdefault(name, []).append((ours, rank))
    return found


MEANINGS = _meanings()


class SpanRead(NamedTuple):
    """What a span is to the books: an item, or no charge at all. `is_silent` marks a call without its usage."""

    item: dict[str, Any] | None
    is_silent: bool = False
    server: str = ""


class Moments(NamedTuple):
    start: int
    end: int


def facts_of(attributes: Iterable[KeyValue]) -> dict[str, Value]:
    """Return the attributes that we look at, and no other."""
    found: dict[str, Value] = {}
    for attribute in attributes:
        name = attribute.key
        if (name in WANTED or name.startswith(TAG_PREFIX)) and (value := _value(attribute.value)) is not None:
            found[name] = value
    return found


def _value(given: AnyValue) -> Value | None:
    kind = given.WhichOneof("value")
    if kind == "int_value":
        return given.int_value
    if kind == "string_value":
        return given.string_value
    if kind == "double_value":
        return _number(given.double_value)
    return given.bool_value if kind == "bool_value" else None


def facts_of_json(given: Mapping[str, Any]) -> dict[str, Value]:
    """Return the attributes of a span or resource in JSON that we look at, and no other."""
    found: dict[str, Value] = {}
    attributes = given.get("attributes")
    for attribute in attributes if isinstance(attributes, list) else []:
        name = attribute.get("key") if isinstance(attribute, dict) else None
        if isinstance(name, str) and (name in WANTED or name.startswith(TAG_PREFIX)):
            value = _json_value(attribute.get("value"))
            if value is not None:
                found[name] = value
    return found


def _json_value(given: object) -> Value | None:
    """Return a value of OTLP's JSON, in which whole numbers are texts."""
    if not isinstance(given, dict) or len(given) != 1:
        return None
    kind, value = next(iter(given.items()))
    if kind in ("intValue", "int_value"):
        return _whole(value)
    if kind in ("doubleValue", "double_value"):
        return _number(value)
    return value if isinstance(value, str | bool) else None


def _whole(value: object) -> int | str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    digits = value.removeprefix("-")
    return int(value) if digits.isascii() and digits.isdigit() and len(digits) < 20 else value


def _number(value: object) -> Value | None:
    """Return a fraction exactly as it was written, a whole one as a whole number."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return int(number) if abs(number) < 2**63 and number == int(number) else number


def span_of(span: Span, resource: Facts) -> SpanRead:
    """Return what a span in protobuf is to the books."""
    facts = facts_of(span.attributes)
    moments = Moments(span.start_time_unix_nano, span.end_time_unix_nano)
    return _read(facts, resource, f"{span.trace_id.hex()}:{span.span_id.hex()}", moments, span.status.code == ERROR)


def span_of_json(span: Mapping[str, Any], resource: Facts) -> SpanRead:
    """Return what a span in JSON is to the books. Its ids are hexadecimal already."""
    ids = ":".join(
        str(span.get(name) or span.get(other) or "").lower()
        for name, other in (("traceId", "trace_id"), ("spanId", "span_id"))
    )
    moments = Moments(
        *(
            _nanoseconds(span.get(name) or span.get(other))
            for name, other in (
                ("startTimeUnixNano", "start_time_unix_nano"),
                ("endTimeUnixNano", "end_time_unix_nano"),
            )
        )
    )
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    return _read(facts_of_json(span), resource, ids, moments, code in (ERROR, "STATUS_CODE_ERROR"))


def _nanoseconds(value: object) -> int:
    number = _whole(value)
    return number if isinstance(number, int) and 0 <= number < 2**64 else 0


def _read(facts: Facts, resource: Facts, ids: str, moments: Moments, is_error: bool) -> SpanRead:
    if _is_sum(facts):
        return SpanRead(None)
    said = _said(facts)
    usage = {name: said[name] for name in COUNTS if name in said}
    if not usage:
        return SpanRead(None, is_silent=bool(facts.get(OPERATION)) or facts.get(INFERENCE_KIND) == "LLM")
    item: dict[str, Any] = {
        "source_id": ids if len(ids) > 1 else "",
        "dialect": "opentelemetry",
        "usage": usage,
        "failed": is_error,
        **_timing(moments),
        **_words(said, _said(resource) if resource else {}),
    }
    if tags := _tags(facts, resource):
        item["tags"] = tags
    if (cost := said.get("cost")) is not None and (amount := _amount(cost)) is not None:
        item["cost"] = amount
    return SpanRead(item, server=_server(facts))


def _is_sum(facts: Facts) -> bool:
    """Tell whether the span sums up calls, or is none at all: an agent, a chain, a tool."""
    if operation := facts.get(OPERATION):
        return operation in SUMS
    if kind := facts.get(INFERENCE_KIND):
        return str(kind).upper() not in CALL_KINDS
    if facts.get(TRACELOOP_KIND) in SUMS:
        return True
    named = _first(WORDS["model"], facts) or _first(WORDS["requested_model"][:2], facts)
    return named is None and _first(AGENT, facts) is not None


def _first(names: Iterable[str], *sources: Facts) -> Value | None:
    for facts in sources:
        for name in names:
            if (value := facts.get(name)) is not None:
                return value
    return None


def _said(facts: Facts) -> dict[str, Value]:
    """Return what attributes say, by our name of it; of several that say the same, the one that comes first counts."""
    found: dict[str, Value] = {}
    ranks: dict[str, int] = {}
    for name, value in facts.items():
        for ours, rank in MEANINGS.get(name, ()):
            if rank < ranks.get(ours, MANY):
                found[ours], ranks[ours] = value, rank
    return found


def _words(said: Facts, resource: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in {**resource, **said}.items():
        # What is longer than such a name can be is something else, and may be the prompt itself: it is left out, not cut.
        if name in WORDS and len(str(value)) <= TEXTS[name]:
            found[name] = str(value)
    version = said.get("version", resource.get("version"))
    number = _whole(version) if isinstance(version, int | str) else None
    if isinstance(number, int) and 0 <= number < 2**31:
        found["version"] = number
    return found


def _timing(moments: Moments) -> dict[str, Any]:
    start, end = moments
    if not (start or end):
        return {}
    at = datetime.fromtimestamp((start or end) // 1_000_000 / 1000, tz=UTC)
    latency = (end - start) // 1_000_000
    return {"at": at, "latency_ms": latency} if start and 0 <= latency <= LONGEST else {"at": at}


def _tags(facts: Facts, resource: Facts) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in (resource, facts):
        for name, value in source.items():
            label = TAGS.get(name) or (name.removeprefix(TAG_PREFIX) if name.startswith(TAG_PREFIX) else "")
            fits = 0 < len(label) <= TAG_NAME and len(str(value)) <= TAG_VALUE
            if fits and len(found) < MOST_TAGS:
                found[label] = str(value)
    return found


def _amount(value: Value) -> Decimal | None:
    try:
        exact = Decimal(str(value))
        cost = round(exact, 12)
    except InvalidOperation:
        return None
    if cost < 0:
        return None
    return exact if exact == cost else cost


def _server(facts: Facts) -> str:
    """Return whom the call went to, with the port where it is told."""
    address, port = str(facts.get(SERVER) or "").lower(), facts.get(PORT)
    return f"{address}:{port}" if address and port else address
