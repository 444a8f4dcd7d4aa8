from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import requires
from apps.core.htmx import HttpRequest, page
from apps.notices import actions
from apps.notices.models import Notification, is_own_path

PAGE = 30


@require_safe
@requires()
def inbox(request: HttpRequest) -> HttpResponse:
    """Show what is new, then what was read: two lists in one walk, each newest first."""
    mine = Notification.objects.of(request.user, request.workspace)
    section, before = _cursor(request)
    unread = list(mine.unread().before(before).newest_first()[: PAGE + 1]) if section == "unread" else []
    room = PAGE + 1 - len(unread)
    after = before if section == "read" else None
    read = list(mine.read().before(after).newest_first()[:room]) if room else []
    shown = [*unread, *read][:PAGE]
    context = {
        "unread": [notice for notice in shown if notice.read_at is None],
        "read": [notice for notice in shown if notice.read_at is not None],
        "next": _cursor_after(shown) if len(unread) + len(read) > PAGE else "",
        "is_first_page": not request.GET.get("after"),
    }
    return page(request, "notices/inbox.html", context, fragment="notices")


@require_safe
@requires()
def notice_bell(request: HttpRequest) -> HttpResponse:
    """Return the bell with the number of unread notices, for the frame to poll."""
    count = Notification.objects.unread_of(request.user, request.workspace).count()
    return page(request, "notices/bell.html", {"unread_notices": count})


@require_POST
@requires()
def notice_open(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark a notice as read and go where it leads."""
    notice = get_object_or_404(Notification.objects.of(request.user, request.workspace), pk=pk)
    actions.mark_read(notification=notice, acting_user=request.user)
    if is_own_path(notice.url) and url_has_allowed_host_and_scheme(notice.url, allowed_hosts=None):
        return redirect(notice.url)
    return redirect("inbox", workspace=request.workspace.slug)


@require_POST
@requires()
def notices_read(request: HttpRequest) -> HttpResponse:
    actions.mark_all_read(workspace=request.workspace, acting_user=request.user)
    return redirect("inbox", workspace=request.workspace.slug)


def _cursor(request: HttpRequest) -> tuple[str, int | None]:
    """Return the list and the id after which to go on; the start for anything else."""
    section, _, pk = request.GET.get("after", "").partition("-")
    if section in {"unread", "read"} and pk.isascii() and pk.isdigit() and len(pk) < 19:
        return section, int(pk)
    return "unread", None


def _cursor_after(shown: list[Notification]) -> str:
    last = shown[-1]
    return f"{'unread' if last.read_at is None else 'read'}-{last.pk}"
