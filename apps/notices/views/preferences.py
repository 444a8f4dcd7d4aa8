from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from apps.accounts.access import requires
from apps.accounts.views.frame import settings_page
from apps.core.htmx import HttpRequest
from apps.notices import actions
from apps.notices.kinds import GROUPS
from apps.notices.models import MailPreference


@require_http_methods(["GET", "HEAD", "POST"])
@requires()
def notice_preferences(request: HttpRequest) -> HttpResponse:
    """Let a member choose what comes by e-mail as well."""
    if request.method == "POST":
        wanted = request.POST.getlist("mail")
        actions.choose_mail(workspace=request.workspace, wanted=wanted, acting_user=request.user)
        messages.success(request, "Saved.")
        return redirect("notice_preferences", workspace=request.workspace.slug)
    kept = MailPreference.objects.filter(workspace=request.workspace, user=request.user).first()
    quiet = set(kept.quiet) if kept else set()
    groups = {
        name: [{"kind": kind, "label": label, "checked": kind not in quiet} for kind, label in kinds.items()]
        for name, kinds in GROUPS.items()
    }
    return settings_page(request, "notices/notice_preferences.html", {"groups": groups}, here="notice_preferences")
