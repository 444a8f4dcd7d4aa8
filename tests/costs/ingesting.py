"""What the tests of ingest share: a key, an item, spans and the ways to send them."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from apps.accounts.models import Workspace
from apps.costs.models import Meter, Price

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)
PROTOBUF, JSON = "application/x-protobuf", "application/json"
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 500,
}


def price_of(workspace: Workspace, model: str = "gpt-4o", provider: str = "openai", **meters: str) -> None:
    """Put prices per million tokens in the list."""
    meters = meters or {"input": "2.5", "cache_read": "1.25", "output": "10"}
    for meter, amount in meters.items():
        Price.objects.create(
            workspace=workspace,
            provider=provider,
            model=model,
            meter=Meter(meter),
            unit_price=Decimal(amount) / 1_000_000,
            valid_from=datetime(2020, 1, 1, tzinfo=UTC),
            source="test",
        )


def item(source_id: str = "call-1", **values: Any) -> dict[str, Any]:
    """Return a call of 1,000 and 500 tokens of gpt-4o, which costs 0.0075."""
    facts = {
        "source_id": source_id,
        "at": NOON.isoformat(),
        "provider": "openai",
        "model": "gpt-4o",
        "meters": {"input": 1000, "output": 500},
        **values,
    }
    return {name: value for name, value in facts.items() if value is not None}


def send(secret: str, *items: Any, source: str = "billing", packed: bool = False, **more: Any) -> Any:
    body = json.dumps({"source": source, "charges": list(items), **more}).encode()
    headers = {"Authorization": f"Bearer {secret}"}
    if packed:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    return Client().post("/api/v1/charges", body, content_type=JSON, headers=headers)


def attributes(facts: dict[str, Any]) -> list[KeyValue]:
    kinds = {str: "string_value", int: "int_value", float: "double_value", bool: "bool_value"}
    return [KeyValue(key=name, value=AnyValue(**{kinds[type(value)]: value})) for name, value in facts.items()]


def span(facts: dict[str, Any], number: int = 1, at: datetime = NOON, **values: Any) -> Span:
    start = int(at.timestamp() * 1000) * 1_000_000
    return Span(
        trace_id=bytes(15) + b"\x07",
        span_id=number.to_bytes(8),
        name="chat",
        start_time_unix_nano=start,
        end_time_unix_nano=start + 400_000_000,
        attributes=attributes(facts),
        **values,
    )


def backlog(*spans: Span, resource: dict[str, Any] | None = None) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(attributes(resource or {}))
    group.scope_spans.add().spans.extend(spans)
    return request


def export(secret: str, body: bytes | ExportTraceServiceRequest, kind: str = PROTOBUF, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else body.SerializeToString()
    allowed = {"Authorization": f"Bearer {secret}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return Client().post("/v1/traces", data, content_type=kind, headers=allowed)
