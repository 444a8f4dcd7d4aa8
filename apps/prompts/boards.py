"""What the pages of this room show, read in few queries: what is live, what was, whose turn it is."""

from dataclasses import dataclass

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.formats import date_format

from apps.accounts.models import Membership, Workspace
from apps.accounts.rights import Right
from apps.prompts import policy
from apps.prompts.models import ChangeRequest, Deployment, Environment, Prompt
from apps.prompts.models.changes import ChangeRequestQuerySet
from apps.prompts.models.deployments import DeploymentQuerySet

MOST_JUDGED = 200


@dataclass(frozen=True)
class Waiting:
    """A change request that is not closed, and the sentence that says whose turn it is."""

    request: ChangeRequest
    sentence: str
    mine: bool


def waiting_requests(membership: Membership, prompt: Prompt | None = None, limit: int = 20) -> list[Waiting]:
    """Return the open requests of the member's workspace (of one prompt), those that wait for this member first."""
    wanted = membership.workspace.change_requests.all()
    return waiting_of(membership, wanted.filter(items__prompt=prompt) if prompt else wanted, limit)


def waiting_of(membership: Membership, wanted: ChangeRequestQuerySet, limit: int) -> list[Waiting]:
    """Return which of these requests wait, with whose turn it is, those that wait for this member first.

    What waits for the member longest must not drop out behind newer ones of others, so many more are judged than shown.
    """
    requests = list(loaded(wanted.waiting().newest_first())[: max(limit, MOST_JUDGED)])
    if not requests:
        return []
    grounds = policy.grounds_of(membership.workspace, requests)
    live = _live_by_environment(requests)
    found = []
    for request in requests:
        standing = policy.standing(request, live.get(request.environment_id, {}), grounds)
        found.append(Waiting(request, *turn(request, standing, membership)))
    return sorted(found, key=lambda waiting: not waiting.mine)[:limit]


def standing_of(request: ChangeRequest) -> policy.Standing:
    """Return where one request stands now."""
    live = Deployment.objects.by_prompt(request.environment_id, [item.prompt_id for item in request.items.all()])
    return policy.standing(request, live, policy.grounds_of(request.workspace, [request]))


def standings_of(workspace: Workspace, requests: list[ChangeRequest]) -> list[policy.Standing]:
    """Return where each of the loaded requests stands now, in as many queries as for one."""
    live = _live_by_environment(requests)
    grounds = policy.grounds_of(workspace, requests)
    return [policy.standing(one, live.get(one.environment_id, {}), grounds) for one in requests]


def _live_by_environment(requests: list[ChangeRequest]) -> dict[int, dict[int, Deployment]]:
    """Return what is live where these requests want to go, in as many queries as for one."""
    prompts = {item.prompt_id for request in requests for item in request.items.all()}
    environments = {request.environment_id for request in requests}
    found: dict[int, dict[int, Deployment]] = {}
    rows = Deployment.objects.current().loaded().filter(environment__in=environments, prompt__in=prompts)
    for row in rows:
        found.setdefault(row.environment_id, {})[row.prompt_id] = row
    return found


def loaded(requests: ChangeRequestQuerySet) -> ChangeRequestQuerySet:
    """Load what `policy.standing` and the pages read."""
    return requests.select_related(
        "environment__workspace", "author", "workspace", "scheduled_by", "superseded_by"
    ).prefetch_related(
        "items__version__prompt",
        "items__version__author",
        "items__prompt",
        Prefetch("items__base", Deployment.objects.prefetch_related("arms__version")),
        "approvals__reviewer",
        "checks",
        "asked__user",
        "accepted_failures__accepted_by",
        "spend_approvals__decided_by",
    )


def turn(request: ChangeRequest, standing: policy.Standing, membership: Membership) -> tuple[str, bool]:
    """Say whose turn it is, and whether it is this member's."""
    user = membership.user
    if request.is_draft:
        return "A draft: add prompts, then open it.", request.author_id == user.pk
    if request.is_scheduled:
        return _scheduled_turn(request, standing), False
    if standing.may_apply:
        mine = request.environment.may_be_changed_by(membership)
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
    asked = {one.user_id for one in request.asked.all()}
    mine = membership.may(Right.REVIEW) and user.pk not in request.author_ids and (not asked or user.pk in asked)
    return ("Waits for your review." if mine else "Waits for a review."), mine


def _scheduled_turn(request: ChangeRequest, standing: policy.Standing) -> str:
    """Say when it goes live, and what would stop it as things are."""
    when = date_format(timezone.localtime(request.scheduled_at), "j F, H:i")
    if standing.may_apply:
        return f"Goes live on {when}."
    return f"Due on {when}, but as it stands it would not go live: {standing.blockers[0]}"


def live_prefetch() -> "Prefetch[str]":
    """Load what is live now as `prompt.live`, lowest environment first."""
    rows = Deployment.objects.current().loaded().order_by("environment__rank")
    return Prefetch("deployments", queryset=rows, to_attr="live")


def live_of(prompt: Prompt) -> list[Deployment]:
    """Return what is live of a prompt, lowest environment first."""
    return list(prompt.deployments.current().loaded().order_by("environment__rank"))


def tips_of(prompt: Prompt) -> list[Deployment]:
    """Return the last move of a prompt in each environment, lowest first: what is live, or that it was taken down."""
    return list(prompt.deployments.tips().loaded().order_by("environment__rank"))


def history(prompt: Prompt) -> DeploymentQuerySet:
    """Return every change of what was live, newest first."""
    return prompt.deployments.newest_first().loaded()


def undo_target(live: Deployment) -> Deployment | None:
    """Return the newest earlier state that nobody has undone: what one click puts back.

    After an undo that is the state before the one that was put back, never the one that was undone; after a take-down
    it is what was taken down.
    """
    if live.is_take_down and live.previous:
        return Deployment.objects.loaded().get(pk=live.previous.pk)
    here = Deployment.objects.filter(prompt=live.prompt_id, environment=live.environment_id, pk__lt=live.pk)
    promoted = here.filter(kind=Deployment.Kind.DEPLOY).exclude(next__kind=Deployment.Kind.ROLL_BACK)
    if live.kind == Deployment.Kind.ROLL_BACK:
        origin = here.filter(kind=Deployment.Kind.DEPLOY, arms__version=live.version).newest_first().first()
        promoted = promoted.filter(pk__lt=origin.pk) if origin else promoted
    return promoted.exclude(arms__version=live.version).newest_first().loaded().first()


def requests_of(prompt: Prompt) -> ChangeRequestQuerySet:
    """Return the requests about a prompt that were opened, newest first; drafts are their authors' own."""
    asked = ChangeRequest.objects.filter(items__prompt=prompt).exclude(state=ChangeRequest.State.DRAFT)
    return asked.newest_first().select_related("environment", "author")


def environments_of(workspace: Workspace) -> list[Environment]:
    return list(workspace.environments.ranked())
