"""Addresses of this room's pages, for notices and evidence that are written outside a request."""

from django.urls import reverse

from apps.prompts.models import ChangeRequest, Prompt


def change_request_url(change_request: ChangeRequest) -> str:
    slug = change_request.workspace.slug
    return reverse("change_request_detail", kwargs={"workspace": slug, "number": change_request.number})


def prompt_url(prompt: Prompt) -> str:
    return reverse("prompt_detail", kwargs={"workspace": prompt.workspace.slug, "prompt_id": prompt.pk})
