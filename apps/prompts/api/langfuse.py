"""Langfuse's prompt API, so that its SDKs work against Galley unchanged.

The one deliberate difference: a label that names an environment moves only as the environment's policy lets it, and
the refusal says where to ask. Nothing is ever deleted.
"""

from typing import Any
from urllib.parse import unquote

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.urls import path, reverse
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_access import MayFetch, key_of
from apps.accounts.rights import Scope
from apps.core import problems, text
from apps.core.errors import DomainError
from apps.prompts import actions, delivery, langfuse, langfuse_reads
from apps.prompts.api.answers import answer
from apps.prompts.api.naming import MayDraft, prompt_of, version_of
from apps.prompts.api.questions import NO, require_fetch
from apps.prompts.delivery import Asked, Unknown
from apps.prompts.models import Prompt, Version
from apps.prompts.running import Fetched

ERRORS = {400: "InvalidRequestError", 401: "UnauthorizedError", 403: "ForbiddenError", 404: "LangfuseNotFoundError"}
ERRORS |= {405: "MethodNotAllowedError", 409: "LangfuseConflictError", 503: "ServiceUnavailableError"}
LIST_LIMIT, LIST_DEFAULT = 100, 10


def explain(error: Exception, context: dict[str, Any]) -> Response | None:
    """Say a refusal in the shape that the SDKs read."""
    response = problems.exception_handler(error, context)
    if response is None:
        return None
    found = response.data if isinstance(response.data, dict) else {}
    response.status_code = 400 if response.status_code == 422 else response.status_code
    message = found.get("detail") or "The request is not well formed."
    more = {name: found[name] for name in ("errors", "problems", "blockers", "change_request") if name in found}
    response.data = {"message": message, "error": ERRORS.get(response.status_code, "Error"), **more}
    response.content_type = "application/json"
    return response


class LangfuseView(APIView):
    access = Scope.PROMPTS_READ

    def get_permissions(self) -> list[Any]:
        return [MayDraft()] if self.request.method in ("POST", "PATCH") else [MayFetch()]

    def get_exception_handler(self) -> Any:
        return explain


class NewPrompt(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=255)
    type = serializers.ChoiceField(choices=Prompt.Kind.choices, required=False, allow_null=True)
    prompt = serializers.JSONField()
    config = serializers.JSONField(required=False, allow_null=True)
    labels = serializers.ListField(child=serializers.CharField(max_length=40), required=False, allow_null=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False, allow_null=True)
    commitMessage = serializers.CharField(max_length=500, required=False, allow_null=True, allow_blank=True)
    isActive = serializers.BooleanField(required=False)


class NewLabels(serializers.Serializer[Any]):
    newLabels = serializers.ListField(child=serializers.CharField(max_length=40))


@extend_schema(exclude=True)
class LangfusePrompts(LangfuseView):
    """The list, and where versions are created."""

    def get(self, request: Request) -> Response:
        key = key_of(request)
        require_fetch(key, None)
        asked = request.query_params
        found = langfuse_reads.listed(
            key.workspace,
            name=asked.get("name", ""),
            label=asked.get("label", ""),
            tag=asked.get("tag", ""),
            since=_moment(asked.get("fromUpdatedAt", "")),
            until=_moment(asked.get("toUpdatedAt", "")),
        )
        number, limit = _whole(asked.get("page"), 1), min(_whole(asked.get("limit"), LIST_DEFAULT), LIST_LIMIT)
        pages = Paginator(found, limit)
        rows = list(pages.page(number)) if number <= pages.num_pages else []
        about = {"page": number, "limit": limit, "totalItems": pages.count, "totalPages": pages.num_pages}
        return Response({"data": langfuse_reads.rows(rows), "meta": about, "pagination": about})

    def post(self, request: Request) -> Response:
        return Response(langfuse_reads.version_shown(create(request)), status=status.HTTP_201_CREATED)


def create(request: Request) -> Version:
    """Create a version, of a new prompt where there is none."""
    given = NewPrompt(data=request.data)
    given.is_valid(raise_exception=True)
    sent = given.validated_data
    kind = sent.get("type") or Prompt.Kind.TEXT
    labels = list(dict.fromkeys(sent.get("labels") or []))
    if sent.get("isActive"):
        labels.append(delivery.DEFAULT_ENVIRONMENT)
    key = key_of(request)
    return actions.publish(
        workspace=key.workspace,
        name=sent["name"],
        kind=kind,
        content=langfuse.content_from(kind, sent["prompt"], sent.get("config")),
        message=sent.get("commitMessage") or "",
        labels=labels,
        tags=sent.get("tags"),
        acting_key=key,
    )


@extend_schema(exclude=True)
class LangfusePrompt(LangfuseView):
    """One prompt: by version, by label, and production's when neither is given."""

    def get(self, request: Request, name: str) -> HttpResponse:
        return fetch(request, name, request.query_params.get("version"), request.query_params.get("label"))

    def delete(self, request: Request, name: str) -> Response:
        prompt = prompt_of(request, name)
        place = {"workspace": prompt.workspace.slug, "prompt_id": prompt.pk}
        page = settings.PUBLIC_URL + reverse("prompt_detail", kwargs=place)
        said = f"Versions are kept for ever, so nothing is deleted here. Archive the prompt at {page}"
        return Response({"message": said, "error": ERRORS[405]}, status=405, headers={"Allow": "GET"})


def fetch(request: Request, name: str, version: str | None, label: str | None) -> HttpResponse:
    """Answer with a version. Raises DomainError for an unclear question and Unknown, in the words that SDKs know."""
    if version and label:
        raise DomainError("Cannot specify both version and label")
    key = key_of(request)
    resolve = request.query_params.get("resolve", "true").lower() not in NO
    if version:
        number = text.whole_number(version)
        if not number:
            raise DomainError("The version must be a whole number above 0.")
        asked, words = Asked(version=number, resolve=resolve), f"version {number}"
    else:
        label = label or delivery.DEFAULT_ENVIRONMENT
        asked, words = langfuse_reads.place_of(key.workspace_id, label, resolve=resolve), f"label '{label}'"
    require_fetch(key, asked.environment or (label if label == delivery.DEFAULT_ENVIRONMENT else None))
    row = delivery.row_of(key.workspace_id, name, asked)
    if row is None:
        raise Unknown("unknown-prompt", f"Prompt not found: '{name}' with {words}")
    fetched = Fetched((delivery.line_of(row, asked.place),))
    return answer(request, langfuse_reads.shown(row, key.workspace_id, asked), fetched)


@extend_schema(exclude=True)
class LangfuseVersion(LangfuseView):
    """Where labels are moved to a version. It keeps those it has."""

    def get(self, request: Request, name: str, number: int) -> HttpResponse:
        """Answer for a prompt whose own name ends so."""
        asked = request.query_params
        return fetch(request, f"{name}/versions/{number}", asked.get("version"), asked.get("label"))

    def patch(self, request: Request, name: str, number: int) -> Response:
        given = NewLabels(data=request.data)
        given.is_valid(raise_exception=True)
        version = version_of(prompt_of(request, name), number)
        labels = list(dict.fromkeys(given.validated_data["newLabels"]))
        actions.point_at(version=version, labels=labels, acting_key=key_of(request))
        return Response(langfuse_reads.version_shown(version))


@extend_schema(exclude=True)
class LangfuseLegacy(LangfuseView):
    """The first form of the API: the name in the query, and active for live in production."""

    def get(self, request: Request) -> HttpResponse:
        return fetch(request, request.query_params.get("name", ""), request.query_params.get("version"), None)

    def post(self, request: Request) -> Response:
        return Response(langfuse_reads.version_shown(create(request)), status=status.HTTP_201_CREATED)


@extend_schema(exclude=True)
class LangfuseProjects(LangfuseView):
    """What an SDK asks to see whether its keys are good: the workspace as a project."""

    def get(self, request: Request) -> Response:
        workspace = key_of(request).workspace
        one = {"id": workspace.slug, "name": workspace.name}
        return Response({"data": [{**one, "organization": one, "metadata": {}, "retentionDays": None}]})


@extend_schema(exclude=True)
class LangfuseHealth(APIView):
    """That there is somebody, for everybody."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    def get(self, request: Request) -> Response:
        return Response({"status": "OK", "version": "3.0.0"})


def _moment(value: str) -> Any:
    found = parse_datetime(unquote(value)) if value else None
    if value and (found is None or found.tzinfo is None):
        raise DomainError("fromUpdatedAt and toUpdatedAt are times like 2026-03-01T10:00:00Z.")
    return found


def _whole(value: str | None, otherwise: int) -> int:
    number = text.whole_number(value) if value else otherwise
    if not number:
        raise DomainError("page and limit are whole numbers above 0.")
    return number


urlpatterns = [
    path("v2/prompts", LangfusePrompts.as_view(), name="langfuse_prompts"),
    path("v2/prompts/<path:name>/versions/<int:number>", LangfuseVersion.as_view(), name="langfuse_version"),
    path("v2/prompts/<path:name>", LangfusePrompt.as_view(), name="langfuse_prompt"),
    path("prompts", LangfuseLegacy.as_view(), name="langfuse_legacy"),
    path("projects", LangfuseProjects.as_view(), name="langfuse_projects"),
    path("health", LangfuseHealth.as_view(), name="langfuse_health"),
]
