"""OpenTelemetry's own Python exporter, as it comes, against a live server."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from apps.accounts.models import Workspace
from apps.accounts.rights import Scope
from apps.costs.models import Charge
from tests import factories
from tests.costs.ingesting import CHAT, price_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[1]


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    made = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    yield made
    made.shutdown()


def traced(provider: TracerProvider, exporter: OTLPSpanExporter, calls: int) -> bool:
    provider.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=40))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("answer a customer", attributes={"http.route": "/reply"}):
        for _ in range(calls):
            with tracer.start_as_current_span("chat gpt-4o", attributes=CHAT):
                pass
    return provider.force_flush()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_exporter_books_its_calls(
    compression: Compression, provider: TracerProvider, live_server: Any, secret: str
) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    exporter = OTLPSpanExporter(f"{live_server.url}/v1/traces", headers=headers, compression=compression)
    assert traced(provider, exporter, 100)
    assert (Charge.objects.count(), set(Charge.objects.values_list("cost", flat=True))) == (100, {Decimal("0.0075")})
    assert Charge.objects.first().tags["service"] == "shop"


def test_the_exporter_needs_only_its_environment(
    provider: TracerProvider, live_server: Any, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", live_server.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"Authorization=Bearer%20{secret}")
    assert traced(provider, OTLPSpanExporter(), 3)
    assert Charge.objects.count() == 3


def test_the_exporter_hears_that_its_key_is_refused(provider: TracerProvider, live_server: Any, secret: str) -> None:
    exporter = OTLPSpanExporter(f"{live_server.url}/v1/traces", headers={"Authorization": "Bearer sk-gly-nobody"})
    with provider.get_tracer("test").start_as_current_span("chat", attributes=CHAT) as span:
        pass
    assert exporter.export([span]) is SpanExportResult.FAILURE
    assert not Charge.objects.exists()
