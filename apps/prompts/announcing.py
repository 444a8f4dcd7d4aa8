"""What other systems and people hear of this room: ids, names and numbers, never prompt text."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from apps.accounts import audit
from apps.accounts.models import Membership, User
from apps.accounts.rights import Right
from apps.notices import actions as notices
from apps.notices.models.webhooks import Event
from apps.prompts.links import change_request_url, prompt_url
from apps.prompts.models import ChangeRequest, Deployment, Environment

NAMED = 5


def deployed(deployment: Deployment) -> None:
    """Announce that something else is live, and tell those who answer for it."""
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
    if not is_part_of_release(deployment):
        mail([deployment])


def is_part_of_release(deployment: Deployment) -> bool:
    """Tell whether others move with it, as one: then whoever moves them tells people of all together."""
    request = deployment.change_request
    return request is not None and request.items.count() > 1


def mails(environment: Environment, ranked: Sequence[Environment] | None = None) -> bool:
    """Tell whether people hear of what goes live in a place: where its policy asks for anything, else in the last one.

    `ranked` are all places in their order, for who has them.
    """
    if not environment.rules.is_open:
        return True
    ranked = ranked if ranked is not None else list(environment.workspace.environments.ranked())
    return all(one.rules.is_open for one in ranked) and bool(ranked) and ranked[-1].pk == environment.pk


def mail(deployments: Sequence[Deployment]) -> None:
    """Tell the owners, all who may promote there and whose release is undone, except who did it: once of all together."""
    deployment, environment = deployments[0], deployments[0].environment
    if not mails(environment):
        return
    members = Membership.objects.filter(workspace=environment.workspace).with_right(Right.PROMOTE)
    told: dict[int, User] = {
        member.user_id: member.user
        for member in members.select_related("user")
        if environment.may_be_changed_by(member)
    }
    told |= {one.prompt.owner.pk: one.prompt.owner for one in deployments if one.prompt.owner}
    told.pop(deployment.actor_id or 0, None)
    if (request := deployment.change_request) and deployment.kind == Deployment.Kind.DEPLOY:
        told.pop(request.author_id, None)  # who asked for it is told so
    elif request:
        told[request.author_id] = request.author
        told.pop(deployment.actor_id or 0, None)
    who = audit.name_of(deployment.actor or deployment.actor_key)
    down = all(one.is_take_down for one in deployments)
    request = deployment.change_request if len(deployments) > 1 else None
    notices.notify(
        users=told.values(),
        workspace=environment.workspace,
        kind="deployed",
        title=f"{who} {_deed(deployments)}",
        body=f"{'Nothing of it is' if down else 'It is'} live in {environment.name}.",
        url=change_request_url(request) if request else prompt_url(deployment.prompt),
    )


def _deed(deployments: Sequence[Deployment]) -> str:
    first = deployments[0]
    name, number = first.prompt.name, first.version.number
    if len(deployments) == 1:
        return {
            Deployment.Kind.DEPLOY: f"promoted {name} to version {number}",
            Deployment.Kind.ROLL_BACK: f"rolled back {name} to version {number}",
            Deployment.Kind.TAKE_DOWN: f"took down {name}, version {number}",
        }[Deployment.Kind(first.kind)]
    names = ", ".join(one.prompt.name for one in deployments[:NAMED])
    rest = f" and {len(deployments) - NAMED} more" if len(deployments) > NAMED else ""
    verb = "promoted" if first.kind == Deployment.Kind.DEPLOY else "took back"
    return f"{verb} {len(deployments)} prompts as one: {names}{rest}"


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
