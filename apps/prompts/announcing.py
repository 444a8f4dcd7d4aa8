"""What other systems and people hear of this room: ids, names and numbers, never prompt text."""

from typing import Any

from django.conf import settings

from apps.accounts import audit
from apps.accounts.models import Membership, User
from apps.accounts.rights import Right
from apps.notices import actions as notices
from apps.notices.models.webhooks import Event
from apps.prompts.links import change_request_url, prompt_url
from apps.prompts.models import ChangeRequest, Deployment


def deployed(deployment: Deployment) -> None:
    """Announce that something else is live, and mail those who answer for it when it is where all traffic goes."""
    environment, before = deployment.environment, deployment.replaced
    is_down = deployment.is_take_down
    data = {
        "deployment": deployment.pk,
        "kind": deployment.kind,
        "prompt": deployment.prompt.name,
        "environment": environment.name,
        "version": None if is_down else deployment.version.number,
        "content_hash": None if is_down else deployment.version.content_hash,
        "previous_version": before.number if before else None,
        "change_request": deployment.change_request.number if deployment.change_request else None,
        "actor": audit.name_of(deployment.actor or deployment.actor_key),
        "reason": deployment.reason,
        "emergency": deployment.emergency,
        "at": deployment.at.isoformat(),
        "url": settings.PUBLIC_URL + prompt_url(deployment.prompt),
    }
    notices.announce(workspace=environment.workspace, event=Event.DEPLOYED, data=data, environment=environment.name)
    if not environment.workspace.environments.filter(rank__gt=environment.rank).exists():
        _mail(deployment)


def _mail(deployment: Deployment) -> None:
    """Tell the owner, all who may promote there and whose release is undone, except who did it."""
    environment, prompt = deployment.environment, deployment.prompt
    members = Membership.objects.filter(workspace=environment.workspace).with_right(Right.PROMOTE)
    told: dict[int, User] = {
        member.user_id: member.user for member in members.select_related("user") if member.may_promote(environment.name)
    }
    if prompt.owner:
        told[prompt.owner.pk] = prompt.owner
    told.pop(deployment.actor_id or 0, None)
    if (request := deployment.change_request) and deployment.kind == Deployment.Kind.DEPLOY:
        told.pop(request.author_id, None)  # who asked for it is told so
    elif request:
        told[request.author_id] = request.author
        told.pop(deployment.actor_id or 0, None)
    number = deployment.version.number
    deed, now = {
        Deployment.Kind.DEPLOY: (f"promoted {prompt.name} to version {number}", "It is live in"),
        Deployment.Kind.ROLL_BACK: (f"rolled back {prompt.name} to version {number}", "It is live in"),
        Deployment.Kind.TAKE_DOWN: (f"took down {prompt.name}, version {number}", "Nothing of it is live in"),
    }[Deployment.Kind(deployment.kind)]
    who = audit.name_of(deployment.actor or deployment.actor_key)
    notices.notify(
        users=told.values(),
        workspace=environment.workspace,
        kind="deployed",
        title=f"{who} {deed}",
        body=f"{now} {environment.name}.",
        url=prompt_url(prompt),
    )


def request_opened(request: ChangeRequest) -> None:
    _announce_request(Event.REQUEST_OPENED, request)


def request_closed(request: ChangeRequest) -> None:
    _announce_request(Event.REQUEST_CLOSED, request)


def _announce_request(event: Event, request: ChangeRequest) -> None:
    data: dict[str, Any] = {
        "number": request.number,
        "title": request.title,
        "state": request.state,
        "environment": request.environment.name,
        "author": str(request.author),
        "prompts": [
            {"prompt": item.prompt.name, "version": item.version.number}
            for item in request.items.select_related("prompt", "version").order_by("prompt_id")
        ],
        "url": settings.PUBLIC_URL + change_request_url(request),
    }
    notices.announce(workspace=request.workspace, event=event, data=data, environment=request.environment.name)
