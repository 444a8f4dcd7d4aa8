"""What the frame around every page shows: the rooms a member may enter, and what waits in them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import Membership, Workspace
from apps.accounts.rights import Right
from apps.core import counting
from apps.experiments import waiting as runs_waiting
from apps.llm import outages
from apps.notices.models import Notification
from apps.prompts import spend_board
from apps.reviews import desk


@dataclass(frozen=True)
class Room:
    """A section of the rail: who may enter, and which pages light it up."""

    label: str
    url_name: str
    icon: str
    path: str
    rights: frozenset[Right]
    waiting: "Callable[[Membership], QuerySet[Any, Any]] | None" = None


def requests_waiting(membership: Membership) -> "QuerySet[Any, Any]":
    return membership.workspace.change_requests.waiting()


def ratings_waiting(membership: Membership) -> "QuerySet[Any, Any]":
    return desk.reviews_waiting(membership.workspace, membership.user)


ROOMS = (
    Room("Prompts", "prompt_list", "file-text", "prompts", frozenset({Right.VIEW}), requests_waiting),
    Room("Experiments", "experiments_home", "flask", "experiments", frozenset({Right.VIEW})),
    Room("Reviews", "review_desk", "stars", "reviews", frozenset({Right.RATE}), ratings_waiting),
    Room("Reviews", "queue_list", "stars", "reviews", frozenset({Right.VIEW, Right.MANAGE_QUEUES})),
    Room("Spend", "spend_month", "coins", "spend", frozenset({Right.VIEW_SPEND}), spend_board.waiting_for),
    Room("Models", "model_list", "cpu", "models", frozenset({Right.VIEW, Right.VIEW_SPEND})),
    Room("Settings", "settings_home", "settings", "settings", frozenset({Right.ADMIN})),
)


def rooms_of(membership: Membership) -> list[Room]:
    """Return the rooms this member may enter, one for each section."""
    found: dict[str, Room] = {}
    for room in ROOMS:
        if membership.may(*room.rights):
            found.setdefault(room.label, room)
    return list(found.values())


def home_of(membership: Membership) -> str:
    """Return the URL name of the member's inbox: the first room that they may enter."""
    rooms = rooms_of(membership)
    return rooms[0].url_name if rooms else "profile"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Give every page inside a workspace its rail, bell and workspace switch."""
    workspace: Workspace | None = getattr(request, "workspace", None)
    membership: Membership | None = getattr(request, "membership", None)
    if workspace is None or membership is None or getattr(request, "htmx", None):
        return {"workspace": workspace, "membership": membership}
    rooms = rooms_of(membership)
    asked = [room for room in rooms if room.waiting]
    unread = Notification.objects.unread_of(membership.user, workspace)
    unread_notices, *waiting = counting.counts(unread, *(room.waiting(membership) for room in asked if room.waiting))
    numbers = {room.label: number for room, number in zip(asked, waiting, strict=True)}
    return {
        "workspace": workspace,
        "membership": membership,
        "nav": [_entry(room, membership, request.path, numbers.get(room.label, 0)) for room in rooms],
        "workspaces": list(Workspace.objects.of(membership.user)),
        "unread_notices": unread_notices,
        "outages": outages_of(membership),
    }


def outages_of(membership: Membership) -> list[dict[str, Any]]:
    """Return which providers do not answer and what waits for them, for those who may see the work."""
    if not membership.may(Right.VIEW):
        return []
    workspace = membership.workspace
    return [
        {"outage": outage, "runs": runs_waiting.count(workspace.pk, outage.model_ids, outage.since)}
        for outage in outages.of_workspace(workspace)
    ]


def _entry(room: Room, membership: Membership, path: str, count: int) -> dict[str, Any]:
    slug = membership.workspace.slug
    prefix = reverse("workspace_home", kwargs={"workspace": slug}) + room.path + "/"
    return {
        "label": room.label,
        "url": reverse(room.url_name, kwargs={"workspace": slug}),
        "icon": room.icon,
        "active": path.startswith(prefix),
        "count": count,
    }
