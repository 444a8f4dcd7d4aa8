"""What the pages of this room show, read in few queries: the list, the timeline, whose turn it is."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Prefetch, Q

from apps.accounts.models import Membership, User, Workspace
from apps.accounts.rights import Right
from apps.prompts import policy
from apps.prompts.models import ChangeRequest, Deployment, Environment, Prompt, Version
from apps.prompts.models.changes import ChangeRequestQuerySet
from apps.prompts.models.deployments import DeploymentQuerySet
from apps.prompts.models.prompts import PromptQuerySet


def live_prefetch() -> "Prefetch[str]":
    """Load what is live now as `prompt.live`, lowest environment first."""
    rows = Deployment.objects.current().loaded().order_by("environment__rank")
    return Prefetch("deployments", queryset=rows, to_attr="live")


def for_list(prompts: PromptQuerySet) -> PromptQuerySet:
    """Load what a row of the list shows: pills, open requests and the newest version with its author."""
    return (
        prompts.select_related("owner")
        .annotate(
            open_requests=Count(
                "change_request_items",
                filter=Q(change_request_items__change_request__state__in=ChangeRequest.WAITING),
                distinct=True,
            ),
            newest_number=Max("versions__number"),
        )
        .prefetch_related(live_prefetch())
        .order_by("name", "id")
    )


def folders_of(workspace: Workspace) -> list[tuple[str, int]]:
    """Return the first-level folders with the number of prompts below each."""
    counts: dict[str, int] = {}
    for name in workspace.prompts.active().values_list("name", flat=True):
        folder = name.split("/")[0] if "/" in name else ""
        counts[folder] = counts.get(folder, 0) + 1
    return sorted((folder, count) for folder, count in counts.items() if folder)


@dataclass(frozen=True)
class Waiting:
    """A change request that is not closed, and the sentence that says whose turn it is."""

    request: ChangeRequest
    sentence: str
    mine: bool


def waiting_requests(workspace: Workspace, membership: Membership, limit: int = 20) -> list[Waiting]:
    """Return the open requests of a workspace, those that wait for this member first."""
    requests = list(loaded(workspace.change_requests.waiting().newest_first())[:limit])
    found = [_waiting(request, membership) for request in requests]
    return sorted(found, key=lambda waiting: not waiting.mine)


def loaded(requests: ChangeRequestQuerySet) -> ChangeRequestQuerySet:
    """Load what `policy.standing` and the pages read."""
    return requests.select_related("environment", "author", "workspace").prefetch_related(
        "items__version__prompt",
        "items__version__author",
        "items__prompt",
        Prefetch("items__base", Deployment.objects.prefetch_related("arms__version")),
        "approvals__reviewer",
        "checks",
    )


def live_for(request: ChangeRequest) -> dict[int, Deployment]:
    """Return what is live in the request's environment, by prompt id."""
    return Deployment.objects.by_prompt(request.environment_id, [item.prompt_id for item in request.items.all()])


def _waiting(request: ChangeRequest, membership: Membership) -> Waiting:
    standing = policy.standing(request, live_for(request))
    sentence, mine = turn(request, standing, membership)
    return Waiting(request, sentence, mine)


def turn(request: ChangeRequest, standing: policy.Standing, membership: Membership) -> tuple[str, bool]:
    """Say whose turn it is, and whether it is this member's."""
    user = membership.user
    if standing.may_apply:
        mine = membership.may_promote(request.environment.name)
        return ("Ready: you can promote it." if mine else "Ready to be promoted."), mine
    if standing.objections or standing.conflicts:
        mine = request.author_id == user.pk
        return ((standing.objections and "Changes were asked for.") or "What is live moved since."), mine
    failed = [check for check in standing.checks if check.required and check.check and check.check.status != "pending"]
    failed = [check for check in failed if check.problem]
    if failed:
        return failed[0].problem, request.author_id == user.pk
    if not standing.evidence_is_in:
        names = [check.name for check in standing.checks if check.required and check.problem]
        return f"Waits for {' and '.join(names)}.", False
    mine = membership.may(Right.REVIEW) and not _is_author(request, user)
    return ("Waits for your review." if mine else "Waits for a review."), mine


def _is_author(request: ChangeRequest, user: User) -> bool:
    return user.pk in {request.author_id, *(item.version.author_id for item in request.items.all())}


@dataclass(frozen=True)
class Moment:
    """One line of a prompt's timeline."""

    at: datetime
    icon: str
    who: str
    what: str
    url_name: str
    number: int
    note: str = ""


def timeline(prompt: Prompt, limit: int = 30) -> list[Moment]:
    """Return versions, requests, promotions and undos of a prompt, newest first."""
    moments = [
        *(_of_version(version) for version in prompt.versions.select_related("author").order_by("-number")[:limit]),
        *(_of_deployment(deployment) for deployment in history(prompt)[:limit]),
        *(
            Moment(
                r.created_at,
                "git-pull-request",
                str(r.author),
                f"asked to promote to {r.environment.name}",
                "change_request_detail",
                r.number,
                r.title,
            )
            for r in requests_of(prompt)[:limit]
        ),
    ]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:limit]


def _of_version(version: Version) -> Moment:
    who = str(version.author) if version.author else "Somebody"
    return Moment(
        version.created_at,
        "file-plus",
        who,
        f"saved version {version.number}",
        "version_detail",
        version.number,
        version.message,
    )


def _of_deployment(deployment: Deployment) -> Moment:
    version, place = deployment.version.number, deployment.environment.name
    undone = deployment.kind == Deployment.Kind.ROLL_BACK
    what = f"rolled {place} back to version {version}" if undone else f"promoted version {version} to {place}"
    who = str(deployment.actor or deployment.actor_key or "Galley")
    return Moment(
        deployment.at, "arrow-back-up" if undone else "rocket", who, what, "version_detail", version, deployment.reason
    )


def live_of(prompt: Prompt) -> list[Deployment]:
    """Return what is live of a prompt, lowest environment first."""
    return list(prompt.deployments.current().loaded().order_by("environment__rank"))


def history(prompt: Prompt) -> DeploymentQuerySet:
    """Return every change of what was live, newest first."""
    return prompt.deployments.newest_first().loaded()


def requests_of(prompt: Prompt) -> ChangeRequestQuerySet:
    return ChangeRequest.objects.filter(items__prompt=prompt).newest_first().select_related("environment", "author")


def environments_of(workspace: Workspace) -> list[Environment]:
    return list(workspace.environments.ranked())
