"""Addresses of this room's pages, for notices and evidence that are written outside a request."""

from django.conf import settings
from django.urls import reverse

from apps.accounts.models import Workspace
from apps.prompts.models import ChangeRequest, Prompt, Version


def change_request_url(change_request: ChangeRequest) -> str:
    slug = change_request.workspace.slug
    return reverse("change_request_detail", kwargs={"workspace": slug, "number": change_request.number})


def prompt_url(prompt: Prompt) -> str:
    return reverse("prompt_detail", kwargs={"workspace": prompt.workspace.slug, "prompt_id": prompt.pk})


def proposal_url(workspace: Workspace, prompt: Prompt | None, version: Version | None = None) -> str:
    """Return the whole address of the page where somebody asks for a version to go live, for programs to pass on."""
    if prompt is None:
        return settings.PUBLIC_URL + reverse("prompt_new", kwargs={"workspace": workspace.slug})
    page = reverse("change_request_new", kwargs={"workspace": workspace.slug, "prompt_id": prompt.pk})
    return f"{settings.PUBLIC_URL}{page}{f'?version={version.number}' if version else ''}"
