"""One way to answer a page: whole, or the fragment that htmx asked for."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest as DjangoRequest
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from apps.accounts.models import Membership, User, Workspace


class HttpRequest(DjangoRequest):
    """The request as our views see it: signed in, inside a workspace, with htmx's headers read."""

    htmx: HtmxDetails
    user: "User"
    workspace: "Workspace"
    membership: "Membership"


def page(
    request: DjangoRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    fragment: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render `template`, or only its partial `fragment` when htmx asks for a part of the page.

    A boosted link or a restored history entry replaces the whole body, so both get the whole page.
    """
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    partial = bool(htmx) and not htmx.boosted and not htmx.history_restore_request
    name = f"{template}#{fragment}" if fragment and partial else template
    response = render(request, name, context or {}, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
