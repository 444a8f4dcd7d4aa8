from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from apps.accounts import actions
from apps.accounts.access import requires
from apps.accounts.forms import ApiKeyForm
from apps.accounts.models import ApiKey
from apps.accounts.rights import Right, Scope
from apps.accounts.views import once
from apps.accounts.views.frame import posted, private, settings_page
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest

EXAMPLE_PATHS = (
    (Scope.PROMPTS_READ, "/api/v1/prompts/support/reply?environment=production"),
    (Scope.SPEND_READ, "/api/v1/spend"),
    (Scope.CALLS_READ, "/api/v1/calls"),
)


@require_safe
@requires(Right.ADMIN)
def key_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    keys = [(key, key.state(now)) for key in request.workspace.api_keys.newest_first()]
    return settings_page(request, "accounts/key_list.html", {"keys": keys}, here="key_list")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def key_create(request: HttpRequest) -> HttpResponse:
    form = ApiKeyForm(posted(request), initial={"scopes": [Scope.PROMPTS_READ]}, workspace=request.workspace)
    if form.is_valid():
        wanted = {name: form.cleaned_data[name] for name in ("name", "scopes", "team", "expires_at")}
        try:
            # A key whose secret could not be kept for the next page would be lost: then there is no key either.
            with transaction.atomic():
                key, secret = actions.create_api_key(workspace=request.workspace, acting_user=request.user, **wanted)
                once.keep(request, f"key:{key.pk}", secret)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return redirect("key_secret", workspace=request.workspace.slug, pk=key.pk)
    status = 422 if form.errors else 200
    return settings_page(request, "accounts/key_create.html", {"form": form}, here="key_list", status=status)


@require_GET
@requires(Right.ADMIN)
def key_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the secret of a key that was just made, to who made it, once."""
    key = get_object_or_404(request.workspace.api_keys.select_related("workspace", "team"), pk=pk)
    secret = once.take(request, f"key:{key.pk}")
    if not secret:
        messages.info(request, f"The secret of {key.name} was shown once. If it is lost, create another key.")
        return redirect("key_list", workspace=request.workspace.slug)
    context = {"key": key, "secret": secret, "snippet": _snippet(key, secret)}
    return private(settings_page(request, "accounts/key_secret.html", context, here="key_list"))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask first: programs that use the key stop at once."""
    key = get_object_or_404(request.workspace.api_keys.select_related("workspace", "team"), pk=pk)
    if request.method == "POST":
        actions.revoke_api_key(api_key=key, acting_user=request.user)
        messages.success(request, f"The key {key.name} does not work any more.")
        return redirect("key_list", workspace=request.workspace.slug)
    return settings_page(request, "accounts/key_revoke.html", {"key": key}, here="key_list")


def _snippet(key: ApiKey, secret: str) -> str:
    path = next((path for scope, path in EXAMPLE_PATHS if key.allows(scope)), "/api/v1/schema/")
    return f'curl -H "Authorization: Bearer {secret}" \\\n  "{settings.PUBLIC_URL}{path}"'
