"""The front door: where a person lands, and the pages for when something is not there."""

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest as DjangoRequest
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny

from apps.accounts.access import public, requires, signed_in
from apps.accounts.models import Workspace
from apps.core.htmx import HttpRequest
from llmops_site import navigation


class ApiSchema(SpectacularAPIView):
    """The API's own description; it holds nothing of any workspace."""

    authentication_classes = []
    permission_classes = [AllowAny]


@require_safe
@signed_in
def home(request: HttpRequest) -> HttpResponse:
    """Send a person to their workspace: the one they used last, else the first."""
    workspaces = list(Workspace.objects.of(request.user))
    if not workspaces:
        return render(request, "no_workspace.html")
    last = request.session.get("workspace")
    chosen = next((workspace for workspace in workspaces if workspace.slug == last), workspaces[0])
    return redirect("workspace_home", workspace=chosen.slug)


@require_safe
@requires()
def workspace_home(request: HttpRequest) -> HttpResponse:
    """Send a member to the room where what needs them now is waiting."""
    request.session["workspace"] = request.workspace.slug
    return redirect(navigation.home_of(request.membership), workspace=request.workspace.slug)


@require_GET
@never_cache
@public
def healthz(request: DjangoRequest) -> JsonResponse:
    """Answer as long as the process serves. `manage.py doctor` looks at everything behind it."""
    return JsonResponse({"status": "ok"})


def bad_request(request: DjangoRequest, exception: Exception) -> HttpResponse:
    """Say what made a request unreadable; Django itself refuses what is too large or has too many fields."""
    words: dict[type[Exception], str] = {
        TooManyFieldsSent: "This form has more fields than can be sent at once. Use fewer variables.",
        RequestDataTooBig: "This is more than can be sent at once. 8 MB fit.",
    }
    text = words.get(type(exception), "The request could not be read. Go back, reload the page and try again.")
    return render(request, "errors/refused.html", {"exception": text}, status=400)


def forbidden(request: DjangoRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", {"exception": str(exception)}, status=403)


def not_found(request: DjangoRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def broken(request: DjangoRequest) -> HttpResponse:
    # Without context processors: they might be what broke.
    return render(None, "500.html", status=500)
