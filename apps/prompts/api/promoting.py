"""Asking by key for a version to go live, and putting it live where the environment and the key allow that."""

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_access import key_of
from apps.core.errors import Conflict, DomainError
from apps.prompts import actions, boards
from apps.prompts.api.naming import MayPromote, MayPropose, Named, environment_of, prompt_of, version_of
from apps.prompts.links import change_request_url
from apps.prompts.models import Deployment, Environment, Prompt

MOST = 999_999_999


class NewChangeRequest(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, max_value=MOST)
    environment = serializers.CharField(max_length=40)
    title = serializers.CharField(max_length=200, help_text="What gets better?")
    why = serializers.CharField(max_length=20_000, required=False, allow_blank=True, default="")


class NewDeployment(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, max_value=MOST)
    environment = serializers.CharField(max_length=40)
    reason = serializers.CharField(max_length=4_000, required=False, allow_blank=True, default="")
    replaces = serializers.IntegerField(
        required=False, allow_null=True, help_text="The version that you saw live there, null for none; else not asked."
    )


class NewRollBack(serializers.Serializer[Any]):
    environment = serializers.CharField(max_length=40)
    reason = serializers.CharField(max_length=4_000, help_text="It stands in the history.")


class NewTakeDown(serializers.Serializer[Any]):
    environment = serializers.CharField(max_length=40)
    reason = serializers.CharField(max_length=4_000, help_text="It stands in the history.")


class PromptChangeRequests(Named):
    """Open a change request. Who made the key is its author, and does not approve it where that is asked."""

    word = "change-requests"
    writes = MayPropose

    @extend_schema(request=NewChangeRequest, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, name: str) -> Response:
        given = NewChangeRequest(data=request.data)
        given.is_valid(raise_exception=True)
        prompt, key = prompt_of(request, name), key_of(request)
        made = actions.open_change_request(
            version=version_of(prompt, given.validated_data["version"]),
            environment=environment_of(prompt, given.validated_data["environment"]),
            title=given.validated_data["title"],
            why=given.validated_data["why"],
            acting_user=actions.person_behind(key),
            acting_key=key,
        )
        url = settings.PUBLIC_URL + change_request_url(made)
        return Response({"number": made.number, "state": made.state, "url": url}, status=status.HTTP_201_CREATED)


class PromptDeployments(Named):
    """Put a version live where the environment asks for no change request."""

    word = "deployments"
    writes = MayPromote

    @extend_schema(request=NewDeployment, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, name: str) -> Response:
        given = NewDeployment(data=request.data)
        given.is_valid(raise_exception=True)
        prompt = prompt_of(request, name)
        environment = environment_of(prompt, given.validated_data["environment"])
        live = _live(prompt, environment)
        _require_seen(live, given.validated_data)
        made = actions.deploy(
            version=version_of(prompt, given.validated_data["version"]),
            environment=environment,
            actor=key_of(request),
            reason=given.validated_data["reason"],
            replaces=live,
        )
        return Response(_body(made), status=status.HTTP_201_CREATED)


class PromptRollBack(Named):
    """Put back what was live before, as one click on the page does."""

    word = "roll-back"
    writes = MayPromote

    @extend_schema(request=NewRollBack, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, name: str) -> Response:
        given = NewRollBack(data=request.data)
        given.is_valid(raise_exception=True)
        prompt = prompt_of(request, name)
        environment = environment_of(prompt, given.validated_data["environment"])
        tip = next((one for one in boards.tips_of(prompt) if one.environment == environment), None)
        to = boards.undo_target(tip) if tip else None
        if tip is None or to is None:
            raise DomainError(f"There is nothing before it to go back to in {environment.name}.")
        made = actions.roll_back(
            prompt=prompt,
            environment=environment,
            to=to,
            replaces=None if tip.is_take_down else tip,
            actor=key_of(request),
            reason=given.validated_data["reason"],
        )
        return Response(_body(made), status=status.HTTP_201_CREATED)


class PromptTakeDown(Named):
    """Let nothing of a prompt be live in an environment any more."""

    word = "take-down"
    writes = MayPromote

    @extend_schema(request=NewTakeDown, responses={204: None})
    def post(self, request: Request, name: str) -> Response:
        given = NewTakeDown(data=request.data)
        given.is_valid(raise_exception=True)
        prompt = prompt_of(request, name)
        environment = environment_of(prompt, given.validated_data["environment"])
        live = _live(prompt, environment)
        if live is None:
            raise DomainError(f"Nothing of {prompt.name} is live in {environment.name}.")
        actions.take_down(
            prompt=prompt,
            environment=environment,
            replaces=live,
            actor=key_of(request),
            reason=given.validated_data["reason"],
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


def _live(prompt: Prompt, environment: Environment) -> Deployment | None:
    return Deployment.objects.by_prompt(environment.pk, [prompt.pk]).get(prompt.pk)


def _require_seen(live: Deployment | None, given: dict[str, Any]) -> None:
    """Raise Conflict when the program says what it replaces and something else is live."""
    number = live.version.number if live else None
    if "replaces" in given and given["replaces"] != number:
        raise Conflict(f"{f'Version {number}' if number else 'Nothing'} is live there now. Look at it and try again.")


def _body(made: Deployment) -> dict[str, Any]:
    return {
        "name": made.prompt.name,
        "environment": made.environment.name,
        "version": made.version.number,
        "live_since": made.at,
    }
