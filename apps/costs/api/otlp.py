"""OTLP over HTTP: spans of calls to models, from any exporter of OpenTelemetry as it is."""

import json
from typing import IO, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_access import key_of, scoped
from apps.accounts.models import ApiKey
from apps.accounts.rights import Scope
from apps.core.errors import DomainError
from apps.core.text import MEGABYTE
from apps.costs.api.charges import BooksAway
from apps.costs.ingest import bodies, otlp_binary, otlp_json, telemetry
from apps.costs.ingest.drafts import Sender
from apps.costs.ingest.telemetry import SOURCE, Taken

PROTOBUF, JSON = "application/x-protobuf", "application/json"
# 200,000 spans with their texts are some 150 MB. JSON is held in memory, so less of it is taken at a time.
LONGEST = {PROTOBUF: 512 * MEGABYTE, JSON: 64 * MEGABYTE}
BACKLOGS: dict[str, type[otlp_binary.Backlog] | type[otlp_json.Backlog]] = {
    PROTOBUF: otlp_binary.Backlog,
    JSON: otlp_json.Backlog,
}


class AnyAnswer(BaseContentNegotiation):
    """Answer in the encoding of the request, whatever the client says it accepts: so the protocol wants it."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class TracesView(APIView):
    """Take spans as `ExportTraceServiceRequest`, in protobuf or JSON, plain or gzip.

    Spans that tell of a call to a model with its usage are booked; all others are accepted and forgotten.
    """

    permission_classes = [scoped(Scope.CHARGES_WRITE)]
    content_negotiation_class = AnyAnswer
    access = Scope.CHARGES_WRITE

    @extend_schema(operation_id="send_spans", request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> HttpResponse:
        kind = _kind(request)
        if kind not in BACKLOGS:
            raise exceptions.UnsupportedMediaType(kind, f"Send {PROTOBUF} or {JSON}.")
        if request.headers.get("Transfer-Encoding"):
            raise LengthRequired
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        with bodies.spooled(request._request, encoding, most=LONGEST[kind]) as file:
            taken = _taken(key_of(request), kind, file)
        return _answer(kind, taken)

    def handle_exception(self, exc: Exception) -> Response | HttpResponse:  # type: ignore[override]
        """Say in the request's own encoding what is wrong, as the protocol wants it."""
        refused = super().handle_exception(exc)
        status = _status(_kind(self.request), refused.status_code, _words(refused))
        for name in ("WWW-Authenticate", "Retry-After"):
            if name in refused.headers:
                status[name] = refused.headers[name]
        return status


class LengthRequired(DomainError):
    """The body comes without its length, so its end could not be told from a break."""

    status = 411
    code = "length-required"

    def __init__(self) -> None:
        super().__init__("Send the body with its Content-Length.")


def _kind(request: Request) -> str:
    return (request.content_type or "").partition(";")[0].strip().lower()


def _taken(key: ApiKey, kind: str, file: IO[bytes]) -> Taken:
    """Book the spans once the whole body was found sound. Raises BodyRefused before anything is booked."""
    backlog = BACKLOGS[kind](file)
    try:
        return telemetry.take_spans(
            Sender.of_key(key, SOURCE), backlog.spans(), own_servers=_own_servers(settings.PUBLIC_URL)
        )
    except (OperationalError, InterfaceError):
        raise BooksAway from None


def _own_servers(url: str) -> frozenset[str]:
    """Return how spans may name this desk as the server of a call: with its port, or without one that is the usual."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme, 0)
    host, port = (parts.hostname or "").lower(), parts.port or usual
    return frozenset({f"{host}:{port}", *([host] if port == usual else [])}) if host else frozenset()


def _answer(kind: str, taken: Taken) -> HttpResponse:
    if kind == JSON:
        partial = {"rejectedSpans": str(taken.rejected), "errorMessage": taken.message}
        body = json.dumps({"partialSuccess": partial} if taken.message else {}).encode()
        return HttpResponse(body, content_type=JSON)
    answer = ExportTraceServiceResponse()
    if taken.message:
        answer.partial_success.rejected_spans = taken.rejected
        answer.partial_success.error_message = taken.message
    return HttpResponse(answer.SerializeToString(), content_type=PROTOBUF)


def _words(refused: Response) -> str:
    data = refused.data if isinstance(refused.data, dict) else {}
    return str(data.get("detail") or data.get("title") or "The request was refused.")


def _status(kind: str, status: int, message: str) -> HttpResponse:
    """Return a google.rpc.Status with the message alone, which is all that the protocol asks for."""
    if kind != PROTOBUF:
        return HttpResponse(json.dumps({"message": message}), status=status, content_type=JSON)
    text = message.encode()[:2_000]
    size = bytes([len(text)]) if len(text) < 128 else bytes([len(text) & 127 | 128, len(text) >> 7])
    return HttpResponse(b"\x12" + size + text, status=status, content_type=PROTOBUF)
