"""Who may enter a route. Every view carries one of these decorators; a test walks the URLs and fails on a bare one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.http import HttpRequest as DjangoRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.accounts.models import Membership
from apps.accounts.rights import Right

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Access:
    """What a route asks for: kind "public", "signed-in" or "workspace", and for the last any one of `rights`."""

    kind: str
    rights: frozenset[Right] = frozenset()


def requires(*rights: Right) -> Callable[[View], View]:
    """Let members of the workspace in who hold any one of `rights` (any member when none is named).

    The view gets `request.workspace` and `request.membership`. Anonymous people are sent to sign in, strangers to
    the workspace get 404 as if it did not exist, members without the right get 403.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: DjangoRequest, workspace: str, **kwargs: Any) -> HttpResponseBase:
            membership = (
                Membership.objects.filter(workspace__slug=workspace, user=request.user.pk)
                .select_related("workspace", "team")
                .first()
            )
            if membership is None:
                raise Http404
            membership.user = request.user  # type: ignore[assignment]
            if rights and not membership.may(*rights):
                wanted = " or ".join(right.label for right in rights)
                raise PermissionDenied(f"Your role does not let you {wanted}.")
            request.workspace = membership.workspace  # type: ignore[attr-defined]
            request.membership = membership  # type: ignore[attr-defined]
            # Days begin and clocks are read where the workspace is, not where the server stands.
            with timezone.override(membership.workspace.zone):
                return view(request, **kwargs)

        return _declare(login_required(guarded), Access("workspace", frozenset(rights)))

    return decorate


def signed_in(view: View) -> View:
    """Let any signed-in person in."""
    return _declare(login_required(view), Access("signed-in"))


def public(view: View) -> View:
    """Let everybody in."""
    return _declare(view, Access("public"))


def _declare(view: View, access: Access) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view
