"""Prompt delivery: any program fetches what is live, and pays nothing when it has not changed."""

import json
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.api_access import key_of, scoped
from apps.accounts.rights import Scope
from apps.core import canonical, text
from apps.core.errors import DomainError
from apps.prompts import delivery

CACHE_CONTROL = "private, no-cache"


class PromptFetch(APIView):
    """One prompt: what is live in an environment (production when none is named), or one version."""

    permission_classes = [scoped(Scope.PROMPTS_READ)]
    access = Scope.PROMPTS_READ

    @extend_schema(
        parameters=[
            OpenApiParameter("environment", str, description="Which environment; production when absent."),
            OpenApiParameter("version", int, description="A version's number, instead of an environment."),
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The ETag you have."),
        ],
        responses={200: OpenApiTypes.OBJECT, 304: None},
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        served = _served(request, name)
        etag = f'"{served.etag}"'
        return _answer(request, etag, served.body)


class PromptBulk(APIView):
    """All prompts that are live in an environment, in one answer."""

    permission_classes = [scoped(Scope.PROMPTS_READ)]
    access = Scope.PROMPTS_READ

    @extend_schema(
        parameters=[OpenApiParameter("environment", str, description="Which environment; production when absent.")],
        responses={200: OpenApiTypes.OBJECT, 304: None},
    )
    def get(self, request: Request) -> HttpResponse:
        environment = request.query_params.get("environment", delivery.DEFAULT_ENVIRONMENT)
        served = delivery.live_in(key_of(request).workspace_id, environment)
        if served is None:
            raise Http404
        etag = f'"{canonical.sha256([one.etag for one in served])[:32]}"'
        return _answer(request, etag, {"environment": environment, "prompts": [one.body for one in served]})


def _answer(request: Request, etag: str, body: dict[str, Any]) -> HttpResponse:
    """Answer 304 to a caller who has it. The body is written here: a renderer would only be negotiated about."""
    headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
    if etag in _candidates(request):
        return HttpResponse(status=304, headers=headers)
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpResponse(content, content_type="application/json", headers=headers)


def _served(request: Request, name: str) -> delivery.Served:
    workspace_id = key_of(request).workspace_id
    version, environment = request.query_params.get("version"), request.query_params.get("environment")
    if version is not None and environment is not None:
        raise DomainError("Name a version or an environment, not both.")
    if version is not None:
        number = text.whole_number(version)
        if number is None:
            raise DomainError("The version must be a whole number.")
        found = delivery.version(workspace_id, name, number)
    else:
        found = delivery.live(workspace_id, name, environment or delivery.DEFAULT_ENVIRONMENT)
    if found is None:
        raise Http404
    return found


def _candidates(request: Request) -> set[str]:
    """Return the ETags the caller has; a weak mark from a proxy does not matter for a body that never varies."""
    header: Any = request.headers.get("If-None-Match", "")
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


urlpatterns = [
    path("prompts", PromptBulk.as_view(), name="api_prompt_bulk"),
    path("prompts/<path:name>", PromptFetch.as_view(), name="api_prompt_fetch"),
]
