"""Prompt delivery: any program fetches what is live, and pays nothing when it has not changed."""

from typing import Any

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
from apps.prompts.api.answers import answer, fetch
from apps.prompts.api.naming import MayDraft, Named
from apps.prompts.api.questions import asked_of
from apps.prompts.api.writing import NewPrompt, create_prompt
from apps.prompts.running import Fetched

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

    permission_classes = [MayFetch]
    access = Scope.PROMPTS_READ

    @extend_schema(parameters=[*PLACE, RESOLVE, TAG], responses={200: OpenApiTypes.OBJECT, 304: None})
    def get(self, request: Request, name: str) -> HttpResponse:
        return fetch(request, name)


class PromptBulk(APIView):
    """All prompts that are live in an environment, in one answer; and where new ones are made."""

    access = Scope.PROMPTS_READ

    def get_permissions(self) -> list[Any]:
        return [MayDraft()] if self.request.method == "POST" else [MayFetch()]

    @extend_schema(parameters=[PLACE[0], PLACE[3], RESOLVE, TAG], responses={200: OpenApiTypes.OBJECT, 304: None})
    def get(self, request: Request) -> HttpResponse:
        asked = asked_of(request)
        if asked.environment is None:
            raise DomainError("All prompts come by environment. Name one, or none for production.")
        served, broken = serving.all_live(key_of(request).workspace_id, asked)
        body = {"environment": asked.environment, "prompts": [one.body for one in served], "broken": broken}
        return answer(request, body, delivery.fetched(served))

    @extend_schema(request=NewPrompt, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        return create_prompt(request)


class PromptRender(Named):
    """The messages with `values` filled in; every variable that is missing, unknown or ill-typed is named."""

    word = "render"

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
