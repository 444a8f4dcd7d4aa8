"""What every settings page carries: the list of sections that this member may open."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import NoReverseMatch, reverse

from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page

FOR_ALL = (
    ("profile", "You", "user-circle"),
    ("notice_preferences", "Notifications", "bell"),
    ("workspace_list", "Your workspaces", "switch-horizontal"),
)
FOR_ADMINS = (
    ("settings_home", "Overview", "settings"),
    ("workspace_edit", "Workspace", "building"),
    ("member_list", "Members", "users"),
    ("invitation_list", "Invitations", "mail-forward"),
    ("team_list", "Teams", "users-group"),
    ("key_list", "API keys", "key"),
    ("connection_list", "Connections", "plug-connected"),
    ("keeping", "What is kept", "archive"),
    ("environment_list", "Environments", "server-2"),
    ("webhook_list", "Webhooks", "webhook"),
    ("mail_list", "E-mails", "mail"),
    ("audit_list", "Audit log", "history"),
)


def settings_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    here: str,
    fragment: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a settings page with its sections; `here` is the URL name of the section that it belongs to."""
    return page(
        request, template, {**context, "sections": sections_of(request, here)}, fragment=fragment, status=status
    )


def sections_of(request: HttpRequest, here: str) -> list[dict[str, Any]]:
    rows = (*FOR_ADMINS, *FOR_ALL) if request.membership.may(Right.ADMIN) else FOR_ALL
    found = []
    for name, label, icon in rows:
        if url := url_if_there(name, request.workspace.slug):
            found.append({"label": label, "icon": icon, "url": url, "active": name == here})
    return found


def url_if_there(name: str, workspace: str) -> str | None:
    """Return the address of a page that another room may host."""
    try:
        return reverse(name, kwargs={"workspace": workspace})
    except NoReverseMatch:
        return None


def posted(request: HttpRequest) -> QueryDict | None:
    """Return what a form is bound to: an empty POST is still one."""
    return request.POST if request.method == "POST" else None


def private(response: HttpResponse) -> HttpResponse:
    """Keep a page that shows a secret once out of every cache."""
    response["Cache-Control"] = "no-store, private"
    return response
