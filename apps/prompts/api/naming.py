"""What every view under a prompt's name has in common."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.api_access import MayFetch, key_of, scoped
from apps.accounts.models import ApiKey
from apps.accounts.rights import PROMOTE_PREFIX, Scope
from apps.prompts import serving
from apps.prompts.api.answers import fetch
from apps.prompts.delivery import Unknown
from apps.prompts.models import Environment, Prompt, Version

MayDraft = scoped(Scope.PROMPTS_DRAFT)
MayPropose = scoped(Scope.PROMPTS_PROPOSE)


class MayPromote(BasePermission):
    """Let keys in that may change what is live somewhere; the action asks where."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        return key.allows(Scope.ADMIN) or any(scope.startswith(PROMOTE_PREFIX) for scope in key.scopes)


class Named(APIView):
    """A word under a prompt's name. GET there is a fetch, because a prompt's own last name may be that word."""

    access = Scope.PROMPTS_READ
    word = ""
    writes: ClassVar[Any] = MayFetch

    def get_permissions(self) -> list[Any]:
        return [MayFetch()] if self.request.method in ("GET", "HEAD", "OPTIONS") else [self.writes()]

    @extend_schema(exclude=True)
    def get(self, request: Request, name: str) -> HttpResponse:
        return fetch(request, f"{name}/{self.word}")


def prompt_of(request: Request, name: str) -> Prompt:
    """Return the prompt of the key's workspace. Raises Unknown."""
    workspace_id = key_of(request).workspace_id
    prompt = Prompt.objects.select_related("workspace").filter(workspace=workspace_id, name=name).first()
    if prompt is None:
        raise Unknown("unknown-prompt", f"There is no prompt called {name}.")
    return prompt


def version_of(prompt: Prompt, number: int) -> Version:
    """Return the prompt's version of that number. Raises Unknown."""
    found = prompt.versions.select_related("prompt__workspace").filter(number=number).first()
    if found is None:
        raise serving.no_version(prompt, number)
    return found


def environment_of(prompt: Prompt, name: str) -> Environment:
    """Return the workspace's environment of that name. Raises Unknown."""
    found = Environment.objects.filter(workspace=prompt.workspace_id, name=name).select_related("workspace").first()
    if found is None:
        raise serving.no_environment(prompt.workspace_id, name)
    return found
