"""What happened to a prompt, newest first: versions, requests, promotions and undos, read without the texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Subquery

from apps.prompts import boards
from apps.prompts.models import ChangeRequest, Deployment, DeploymentArm, Environment, Prompt, Version


@dataclass(frozen=True)
class Moment:
    """One line of a prompt's timeline."""

    at: datetime
    who: str
    what: str
    url_name: str
    number: int
    note: str = ""


def timeline(prompt: Prompt, versions: Sequence[Version], limit: int = 30) -> list[Moment]:
    """Return what happened, of deployments only those of the last environment; `versions` are the newest ones."""
    moments = [
        *map(_of_version, versions[:limit]),
        *map(_of_arm, _arms(prompt)[:limit]),
        *map(_of_request, boards.requests_of(prompt)[:limit]),
    ]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:limit]


def _arms(prompt: Prompt) -> "list[DeploymentArm]":
    top = Environment.objects.filter(workspace=prompt.workspace_id).order_by("-rank").values("pk")[:1]
    arms = (
        DeploymentArm.objects.filter(deployment__prompt=prompt)
        .filter(deployment__environment=Subquery(top))
        .select_related("deployment__environment", "deployment__actor", "deployment__actor_key")
        .annotate(number=F("version__number"))
        .order_by("-deployment", "-weight", "-pk")
    )
    first: dict[int, DeploymentArm] = {}
    for arm in arms[:60]:
        first.setdefault(arm.deployment_id, arm)
    return list(first.values())


def _of_version(version: Version) -> Moment:
    who = str(version.author or version.author_key or "Somebody")
    what = f"saved version {version.number}"
    return Moment(version.created_at, who, what, "version_detail", version.number, version.message)


def _of_arm(arm: DeploymentArm) -> Moment:
    deployment, number = arm.deployment, arm.number  # type: ignore[attr-defined]
    place = deployment.environment.name
    what = {
        Deployment.Kind.DEPLOY: f"promoted version {number} to {place}",
        Deployment.Kind.ROLL_BACK: f"rolled {place} back to version {number}",
        Deployment.Kind.TAKE_DOWN: f"took version {number} down in {place}",
    }[Deployment.Kind(deployment.kind)]
    who = str(deployment.actor or deployment.actor_key or "Galley")
    return Moment(deployment.at, who, what, "version_detail", number, deployment.reason)


def _of_request(request: ChangeRequest) -> Moment:
    what = f"asked to promote to {request.environment.name}"
    return Moment(request.created_at, str(request.author), what, "change_request_detail", request.number, request.title)
