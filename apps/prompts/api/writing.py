"""Writing by key: prompts, drafts, versions and labels, under the rules that hold for people."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_access import key_of
from apps.core.errors import DomainError
from apps.prompts import actions, serving
from apps.prompts.api.naming import MayDraft, Named, prompt_of, version_of
from apps.prompts.delivery import Asked
from apps.prompts.models import Prompt, Version


class NewPrompt(serializers.Serializer[Prompt]):
    name = serializers.CharField(max_length=255)
    kind = serializers.ChoiceField(choices=Prompt.Kind.choices, default=Prompt.Kind.CHAT)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=50)


class NewContent(serializers.Serializer[Version]):
    """A content in the shape that a fetch with `resolve=false` answers; a text prompt may send `text` alone."""

    text = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    messages = serializers.ListField(child=serializers.DictField(), required=False)
    examples = serializers.ListField(child=serializers.DictField(), required=False)
    format = serializers.CharField(default="mustache")
    variables = serializers.ListField(child=serializers.DictField(), required=False)
    model = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    parameters = serializers.DictField(required=False)
    config = serializers.JSONField(required=False)
    output_schema = serializers.JSONField(required=False, allow_null=True)
    tools = serializers.ListField(child=serializers.DictField(), required=False)

    def content(self) -> dict[str, Any]:
        """Return it as drafts and versions hold it. Raises DomainError without any text."""
        given = self.validated_data
        messages = given.get("messages")
        if messages is None and "text" in given:
            messages = [{"role": "user", "content": given["text"]}]
        if not messages:
            raise DomainError("Send messages, or text for a text prompt.")
        return {
            "messages": messages,
            "format": given["format"],
            "model_config": {name: given.get(name) for name in ("model", "parameters", "config")},
            "output_schema": given.get("output_schema"),
            **{name: given.get(name, []) for name in ("examples", "variables", "tools")},
        }


class NewVersion(NewContent):
    message = serializers.CharField(max_length=500, help_text="What changed, in a few words.")


class NewLabel(serializers.Serializer[Any]):
    label = serializers.CharField(max_length=36)  # type: ignore[assignment]
    version = serializers.IntegerField(min_value=1, max_value=999_999_999)


def create_prompt(request: Request) -> Response:
    """Make a prompt that holds nothing yet."""
    given = NewPrompt(data=request.data)
    given.is_valid(raise_exception=True)
    key = key_of(request)
    prompt = actions.create_prompt(
        workspace=key.workspace, acting_user=key.created_by, acting_key=key, **given.validated_data
    )
    body = {"name": prompt.name, "kind": prompt.kind, "description": prompt.description, "tags": prompt.tags}
    return Response(body, status=status.HTTP_201_CREATED)


class PromptVersions(Named):
    """Save a version. It is live nowhere yet."""

    word = "versions"
    writes = MayDraft

    @extend_schema(request=NewVersion, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, name: str) -> Response:
        given = NewVersion(data=request.data)
        given.is_valid(raise_exception=True)
        prompt, key = prompt_of(request, name), key_of(request)
        version = actions.publish_version(
            prompt=prompt, content=given.content(), message=given.validated_data["message"], acting_key=key
        )
        served = serving.one(key.workspace_id, name, Asked(version=version.number, resolve=False))
        return Response(served.body, status=status.HTTP_201_CREATED)


class PromptDraft(Named):
    """Keep a draft, finished or not, for people to see that a program prepares something. One for each key."""

    word = "draft"
    writes = MayDraft

    @extend_schema(request=NewContent, responses={200: OpenApiTypes.OBJECT})
    def put(self, request: Request, name: str) -> Response:
        given = NewContent(data=request.data)
        given.is_valid(raise_exception=True)
        prompt = prompt_of(request, name)
        draft = actions.save_key_draft(prompt=prompt, content=given.content(), acting_key=key_of(request))
        return Response({"name": name, "revision": draft.revision, "updated_at": draft.updated_at})


class PromptLabels(Named):
    """Move a label, or take it away. The names of environments are no labels: what is live there is promoted."""

    word = "labels"
    writes = MayDraft

    @extend_schema(request=NewLabel, responses={200: OpenApiTypes.OBJECT})
    def put(self, request: Request, name: str) -> Response:
        given = NewLabel(data=request.data)
        given.is_valid(raise_exception=True)
        version = version_of(prompt_of(request, name), given.validated_data["version"])
        label = actions.move_label(version=version, name=given.validated_data["label"], actor=key_of(request))
        return Response({"name": name, "label": label.name, "version": version.number})

    @extend_schema(parameters=[OpenApiParameter("label", str, required=True)], responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        label = request.query_params.get("label", "")
        actions.remove_label(prompt=prompt_of(request, name), name=label, actor=key_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
