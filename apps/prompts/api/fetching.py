"""Prompt delivery: any program fetches what is live, and pays nothing when it has not changed."""

import hashlib
import json
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_access import MayFetch, key_of
from apps.accounts.rights import Scope
from apps.core.errors import DomainError
from apps.prompts import delivery, rendering, running, serving
from apps.prompts.api.questions import asked_of
from apps.prompts.running import Fetched

CACHE_CONTROL = "private, no-cache"
# Where an answer says in the request's environment what it held: who sends it again counts it again.
FETCHED = "galley.fetched"
PLACE = [
    OpenApiParameter("environment", str, description="Which environment; production when nothing is named."),
    OpenApiParameter("version", int, description="A version's number, instead of an environment."),
    OpenApiParameter("label", str, description="A label, instead of an environment; latest is the newest version."),
    OpenApiParameter("key", str, description="Who it is for: of several versions with weights, always the same one."),
]
RESOLVE = OpenApiParameter("resolve", bool, description="false: as written, references and examples not put in.")
TAG = OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The ETag you have.")


class PromptFetch(APIView):
    """One prompt: what is live in an environment (production when none is named), a version or a label.

    Where several versions share an environment, `arms` has their weights: the first 8 hexadecimal digits of the
    SHA-256 of "salt:key" modulo the sum of the weights, counted through them in order, is what `?key=` chooses.
    """

    permission_classes: ClassVar[list[Any]] = [MayFetch]
    access = Scope.PROMPTS_READ

    @extend_schema(parameters=[*PLACE, RESOLVE, TAG], responses={200: OpenApiTypes.OBJECT, 304: None})
    def get(self, request: Request, name: str) -> HttpResponse:
        served = serving.one(key_of(request).workspace_id, name, asked_of(request))
        return answer(request, served.body, Fetched((served.line,)))


class PromptBulk(APIView):
    """All prompts that are live in an environment, in one answer."""

    permission_classes: ClassVar[list[Any]] = [MayFetch]
    access = Scope.PROMPTS_READ

    @extend_schema(parameters=[PLACE[0], PLACE[3], RESOLVE, TAG], responses={200: OpenApiTypes.OBJECT, 304: None})
    def get(self, request: Request) -> HttpResponse:
        asked = asked_of(request)
        if asked.environment is None:
            raise DomainError("All prompts come by environment. Name one, or none for production.")
        served, broken = serving.all_live(key_of(request).workspace_id, asked)
        body = {"environment": asked.environment, "prompts": [one.body for one in served], "broken": broken}
        return answer(request, body, delivery.fetched(served))


class PromptRender(APIView):
    """The messages with `values` filled in; every variable that is missing, unknown or ill-typed is named."""

    permission_classes: ClassVar[list[Any]] = [MayFetch]
    access = Scope.PROMPTS_READ

    @extend_schema(exclude=True)
    def get(self, request: Request, name: str) -> HttpResponse:
        """A prompt's last name may be render as well."""
        return PromptFetch().get(request, f"{name}/render")

    @extend_schema(parameters=PLACE, request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def post(self, request: Request, name: str) -> Response:
        values = request.data.get("values", {}) if isinstance(request.data, dict) else None
        if not isinstance(values, dict):
            raise DomainError('Send a JSON object: {"values": {"name": "…"}}.')
        served = serving.one(key_of(request).workspace_id, name, asked_of(request))
        body = served.body
        messages = rendering.render(body["messages"], body["variables"], body["format"], values)
        running.note(key_of(request).pk, Fetched((served.line,)))
        left_out = {"messages", "text", "variables", "format", "arms", "salt", "resolved"}
        return Response({**{k: v for k, v in body.items() if k not in left_out}, "messages": messages})


def answer(request: Request, body: dict[str, Any], fetched: Fetched) -> HttpResponse:
    """Answer 304 to a caller who has it. The body is written here: a renderer would only be negotiated about."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    request.META[FETCHED] = fetched
    running.note(key_of(request).pk, fetched)
    headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
    if etag in tags_in(request.headers.get("If-None-Match", "")):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(content, content_type="application/json", headers=headers)


def tags_in(header: str) -> set[str]:
    """Return the ETags the caller has; a weak mark from a proxy does not matter for a body that never varies."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
