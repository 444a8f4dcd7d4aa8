"""The settings page that says what is kept of calls, and for how long."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.accounts.views.frame import posted, settings_page
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest
from apps.core.text import whole_number
from apps.llm import kept_answers, retention
from apps.llm.actions import keeping as actions
from apps.llm.forms.keeping import KeepingForm
from apps.llm.models import BodyPolicy


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def keeping(request: HttpRequest) -> HttpResponse:
    """Show what is kept, and change it."""
    policy = _policy(request)
    form = KeepingForm(posted(request), policy=policy)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_keeping(workspace=request.workspace, acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved. What is stored already follows within minutes.")
            return redirect("keeping", workspace=request.workspace.slug)
    context = {"form": form, "policy": policy, **_standing(request, policy, timezone.now())}
    return settings_page(request, "llm/keeping.html", context, here="keeping", status=422 if form.errors else 200)


def _policy(request: HttpRequest) -> BodyPolicy:
    # Not as this process remembers it: what was saved a moment ago is what the page shows.
    found = BodyPolicy.objects.filter(workspace=request.workspace).first()
    return found or BodyPolicy(workspace=request.workspace)


def _standing(request: HttpRequest, policy: BodyPolicy, now: datetime) -> dict[str, Any]:
    today = timezone.localtime(now).date()
    saved: Decimal = kept_answers.saved_between(request.workspace.pk, today.replace(day=1), today)
    return {
        "left": retention.left(policy, now),
        "answers": kept_answers.count(request.workspace.pk, now),
        "most_counted": kept_answers.COUNTED,
        "by_prompt": kept_answers.by_prompt(request.workspace.pk, now),
        "saved": saved,
    }


@require_POST
@requires(Right.ADMIN)
def keeping_purge(request: HttpRequest) -> HttpResponse:
    """Forget kept answers: all, or those to one prompt."""
    prompt = request.POST.get("prompt", "")
    prompt_id = whole_number(prompt) if prompt else None
    if prompt and prompt_id is None:
        raise DomainError("There is no such prompt.")
    purged = actions.purge_answers(workspace=request.workspace, prompt_id=prompt_id, acting_user=request.user)
    messages.success(request, f"{purged:,} kept answer{'' if purged == 1 else 's'} forgotten.")
    return redirect("keeping", workspace=request.workspace.slug)
