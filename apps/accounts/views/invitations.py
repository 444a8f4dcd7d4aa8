from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest as DjangoRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from apps.accounts import actions, adapter
from apps.accounts.access import public, requires
from apps.accounts.forms import InvitationForm
from apps.accounts.models import Invitation, User
from apps.accounts.models.keys import hash_of
from apps.accounts.rights import ROLE_HELP, Right, Role
from apps.accounts.views import once
from apps.accounts.views.frame import posted, private, settings_page
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page

SHOWN = 200


@require_safe
@requires(Right.ADMIN)
def invitation_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    invitations = request.workspace.invitations.newest_first()[:SHOWN]
    context = {"invitations": [(invitation, invitation.state(now)) for invitation in invitations]}
    return settings_page(request, "accounts/invitation_list.html", context, here="invitation_list")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def invitation_create(request: HttpRequest) -> HttpResponse:
    form = InvitationForm(posted(request), initial={"environments": "*"}, workspace=request.workspace)
    if form.is_valid():
        try:
            with transaction.atomic():
                invitation, token = actions.invite_member(
                    workspace=request.workspace, acting_user=request.user, **form.cleaned_data
                )
                once.keep(request, f"invitation:{invitation.pk}", token)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return redirect("invitation_link", workspace=request.workspace.slug, pk=invitation.pk)
    status = 422 if form.errors else 200
    template = "accounts/invitation_create.html"
    return settings_page(request, template, {"form": form}, here="invitation_list", status=status)


@require_GET
@requires(Right.ADMIN)
def invitation_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the link of an invitation that was just written, to who wrote it, once."""
    invitation = get_object_or_404(request.workspace.invitations, pk=pk)
    token = once.take(request, f"invitation:{invitation.pk}")
    if not token:
        messages.info(request, f"The link for {invitation.email} was shown once; the same link went out by e-mail.")
        return redirect("invitation_list", workspace=request.workspace.slug)
    context = {"invitation": invitation, "link": settings.PUBLIC_URL + reverse("join", kwargs={"token": token})}
    return private(settings_page(request, "accounts/invitation_link.html", context, here="invitation_list"))


@require_POST
@requires(Right.ADMIN)
def invitation_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    invitation = get_object_or_404(request.workspace.invitations.select_related("workspace"), pk=pk)
    actions.revoke_invitation(invitation=invitation, acting_user=request.user)
    messages.success(request, f"The link for {invitation.email} does not work any more.")
    return redirect("invitation_list", workspace=request.workspace.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@public
def join(request: DjangoRequest, token: str) -> HttpResponse:
    """Show what an invitation offers, and accept it. A link that does not work never tells why, or for where."""
    invitation = _open_invitation(token)
    if invitation is None:
        return page(request, "accounts/join_closed.html", status=404)
    adapter.remember_invitation(request, invitation)
    if request.method == "POST" and isinstance(request.user, User):
        membership = actions.accept_invitation(invitation=invitation, acting_user=request.user)
        request.session.pop(adapter.SESSION_KEY, None)
        messages.success(request, f"Welcome to {membership.workspace}.")
        return redirect("workspace_home", workspace=membership.workspace.slug)
    context = {
        "invitation": invitation,
        "roles": [(Role(role).label, ROLE_HELP[role]) for role in Role.values if role in invitation.roles],
        "has_account": User.objects.filter(email__iexact=invitation.email).exists(),
        "is_theirs": isinstance(request.user, User) and request.user.email.lower() == invitation.email,
    }
    return page(request, "accounts/join.html", context)


def _open_invitation(token: str) -> Invitation | None:
    open_ones = Invitation.objects.open(timezone.now()).select_related("workspace", "team", "invited_by")
    return open_ones.filter(token_hash=hash_of(token)).first()
