"""E-mails: what was sent to whom, what waits, and what the mail server said."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.accounts.views.frame import settings_page
from apps.core.htmx import HttpRequest
from apps.notices import actions
from apps.notices.models import Notification

SECTION = "mail_list"
PAGE = 50


@require_safe
@requires(Right.ADMIN)
def mail_list(request: HttpRequest) -> HttpResponse:
    mails = Notification.objects.mails(request.workspace).select_related("user").newest_first()
    context = {"page_obj": Paginator(mails, PAGE).get_page(request.GET.get("page"))}
    return settings_page(request, "notices/mail_list.html", context, here=SECTION)


@require_POST
@requires(Right.ADMIN)
def mail_again(request: HttpRequest, pk: int) -> HttpResponse:
    mail = get_object_or_404(Notification.objects.mails(request.workspace), pk=pk)
    actions.send_mail_again(notification=mail, acting_user=request.user)
    messages.success(request, "The e-mail is on its way once more.")
    return redirect("mail_list", workspace=request.workspace.slug)
