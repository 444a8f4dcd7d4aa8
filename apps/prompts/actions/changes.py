"""Change requests: asking, proving, deciding, promoting."""

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import ApiKey, Membership, User, Workspace
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices import actions as notices
from apps.prompts import dossiers, policy, signals
from apps.prompts.actions.deployments import deploy, require_promotion
from apps.prompts.links import change_request_url
from apps.prompts.models import (
    Approval,
    ChangeRequest,
    ChangeRequestItem,
    Check,
    Comment,
    Deployment,
    Dossier,
    Environment,
    Version,
)


class NotReady(DomainError):
    """The environment asks for something that is missing; `details["blockers"]` lists it in sentences."""

    code = "not-ready"


@transaction.atomic
def open_change_request(
    *,
    version: Version,
    environment: Environment,
    title: str,
    why: str = "",
    acting_user: User,
    acting_key: ApiKey | None = None,
) -> ChangeRequest:
    """Ask for a version to go live, against what is live there now.

    Raises DomainError when it already is, when nothing is said, or when the same wish is waiting.
    """
    prompt = version.prompt
    title = text.clean(title, field="The title", max_bytes=800).strip()[:200]
    if not title:
        raise DomainError("Give the request a title: what gets better?")
    # The environment's row is the lock for numbering and for the two questions below.
    environment = Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
    live = Deployment.objects.by_prompt(environment.pk, [prompt.pk]).get(prompt.pk)
    if live and live.version.pk == version.pk:
        raise DomainError(f"Version {version.number} is already live in {environment.name}.")
    waiting = ChangeRequestItem.objects.filter(
        prompt=prompt, change_request__environment=environment, change_request__state__in=ChangeRequest.WAITING
    ).select_related("change_request")
    if found := waiting.first():
        raise DomainError(f"{found.change_request} already waits to change {prompt.name} in {environment.name}.")
    request = ChangeRequest.objects.create(
        workspace=environment.workspace,
        number=_next_number(environment.workspace),
        environment=environment,
        title=title,
        why=text.clean(why, field="The reason", max_bytes=20_000).strip(),
        author=acting_user,
        author_key=acting_key,
    )
    ChangeRequestItem.objects.create(change_request=request, prompt=prompt, version=version, base=live)
    signals.change_request_opened.send(sender=ChangeRequest, change_request=request, acting_user=acting_user)
    _tell_reviewers(request)
    after = {"version": version.number, "environment": environment.name, "content_hash": version.content_hash}
    actor = acting_key or acting_user
    audit.record(workspace=request.workspace, actor=actor, verb="proposed", target=request, after=after)
    return request


def _next_number(workspace: Workspace) -> int:
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    highest = workspace.change_requests.aggregate(highest=Max("number"))["highest"]
    return int(highest or 0) + 1


def _tell_reviewers(request: ChangeRequest) -> None:
    reviewers = Membership.objects.filter(workspace=request.workspace).with_right(Right.REVIEW).select_related("user")
    notices.notify(
        users=[member.user for member in reviewers if member.user_id != request.author_id],
        workspace=request.workspace,
        kind="review_wanted",
        title=f"{request.author} asks for your review: {request.title}",
        body=f"To go live in {request.environment.name}.",
        url=change_request_url(request),
    )


@transaction.atomic
def replace_version(*, change_request: ChangeRequest, version: Version, acting_user: User) -> ChangeRequest:
    """Ask for a newer version instead, against what is live now. Approvals and checks of the old one stop counting."""
    request = _locked(change_request)
    _require_waiting(request)
    item = request.items.select_related("prompt", "version").get(prompt=version.prompt_id)
    live = Deployment.objects.by_prompt(request.environment_id, [item.prompt_id]).get(item.prompt_id)
    if item.version_id == version.pk and item.base_id == (live.pk if live else None):
        raise DomainError("The request already asks for this version against what is live now.")
    before = {"version": item.version.number}
    item.version, item.base = version, live
    item.save(update_fields=["version", "base"])
    ChangeRequest.objects.filter(pk=request.pk).update(state=ChangeRequest.State.OPEN)
    request = _locked(request)
    signals.change_request_opened.send(sender=ChangeRequest, change_request=request, acting_user=acting_user)
    after = {"version": version.number, "content_hash": version.content_hash}
    audit.record(
        workspace=request.workspace, actor=acting_user, verb="updated", target=request, before=before, after=after
    )
    return request


@transaction.atomic
def report_check(
    *,
    change_request: ChangeRequest,
    name: str,
    status: str,
    summary: str,
    evidence: dict[str, Any] | None = None,
    url: str = "",
    content_hash: str = "",
) -> Check | None:
    """Set the named status of a request, as a commit status. It binds to `content_hash`, by default the present one.

    A report for a request that is closed is kept out: the dossier is frozen by then. Returns the check as it stands,
    None when that request closed without it.
    """
    request = _locked(change_request)
    existing = request.checks.filter(name=name).first()
    if not request.is_waiting:
        return existing
    fields: dict[str, Any] = {
        "status": Check.Status(status),
        "summary": summary[:500],
        "evidence": evidence or {},
        "url": url,
        "content_hash": content_hash or policy.content_hash(request),
        "reported_at": timezone.now(),
    }
    check, _ = Check.objects.update_or_create(change_request=request, name=name, defaults=fields)
    # Progress of a running check is not an event; a change of its status is.
    if existing is None or existing.status != status:
        after = {"check": name, "status": status, "content_hash": check.content_hash}
        audit.record(workspace=request.workspace, actor=None, verb="reported check", target=request, after=after)
    return check


@transaction.atomic
def review_change_request(
    *, change_request: ChangeRequest, decision: str, comment: str = "", content_hash: str = "", acting_user: User
) -> Approval:
    """Record what a reviewer decided about exactly the content they saw.

    Raises NotAllowed for one's own request where the environment forbids it, Conflict when the content changed while
    they read, and DomainError when a refusal has no reason.
    """
    request = _locked(change_request)
    _require_waiting(request)
    _require_other_eyes(request, acting_user)
    identity = policy.content_hash(request)
    if content_hash and content_hash != identity:
        raise Conflict("The request changed while you read it. Look at the difference again.")
    comment = text.clean(comment, field="The comment", max_bytes=20_000).strip()
    if decision != Approval.Decision.APPROVE and not comment:
        raise DomainError("Say what should change, or why not.")
    approval = Approval.objects.create(
        change_request=request,
        reviewer=acting_user,
        decision=Approval.Decision(decision),
        content_hash=identity,
        comment=comment,
    )
    _follow(request, approval)
    after = {"decision": decision, "content_hash": identity}
    audit.record(workspace=request.workspace, actor=acting_user, verb="reviewed", target=request, after=after)
    return approval


def _require_other_eyes(request: ChangeRequest, reviewer: User) -> None:
    if request.environment.allows_self_approval:
        return
    if reviewer.pk in request.author_ids:
        raise NotAllowed(f"You wrote or asked for this. {request.environment.name} wants the eyes of somebody else.")


def _follow(request: ChangeRequest, approval: Approval) -> None:
    """Move the request to where the decision leads, and tell its author."""
    states = {
        Approval.Decision.APPROVE: ChangeRequest.State.OPEN,
        Approval.Decision.REQUEST_CHANGES: ChangeRequest.State.CHANGES_REQUESTED,
        Approval.Decision.REJECT: ChangeRequest.State.REJECTED,
    }
    state = states[Approval.Decision(approval.decision)]
    closed_at = timezone.now() if state == ChangeRequest.State.REJECTED else None
    ChangeRequest.objects.filter(pk=request.pk).update(state=state, closed_at=closed_at)
    request.refresh_from_db()
    if closed_at:
        signals.change_request_closed.send(sender=ChangeRequest, change_request=request)
    if request.author_id != approval.reviewer_id:
        notices.notify(
            users=[request.author],
            workspace=request.workspace,
            kind="reviewed",
            title=f"{approval.reviewer} {approval.get_decision_display().lower()}: {request.title}",
            url=change_request_url(request),
        )


@transaction.atomic
def comment_on_change_request(*, change_request: ChangeRequest, remark: str, acting_user: User) -> Comment:
    """Add a remark to the discussion and tell the author. Raises DomainError when it is empty."""
    remark = text.clean(remark, field="The comment", max_bytes=20_000).strip()
    if not remark:
        raise DomainError("The comment is empty.")
    comment = Comment.objects.create(change_request=change_request, author=acting_user, text=remark)
    if change_request.author_id != acting_user.pk:
        notices.notify(
            users=[change_request.author],
            workspace=change_request.workspace,
            kind="comment",
            title=f"{acting_user} commented on {change_request.title}",
            url=change_request_url(change_request),
        )
    audit.record(workspace=change_request.workspace, actor=acting_user, verb="commented on", target=change_request)
    return comment


@transaction.atomic
def withdraw_change_request(*, change_request: ChangeRequest, acting_user: User) -> ChangeRequest:
    """Take one's own request back. Raises NotAllowed for anybody else's."""
    request = _locked(change_request)
    if request.author_id != acting_user.pk:
        raise NotAllowed("Only its author can withdraw a request.")
    _require_waiting(request)
    _close(request, ChangeRequest.State.WITHDRAWN)
    audit.record(workspace=request.workspace, actor=acting_user, verb="withdrew", target=request)
    return request


@transaction.atomic
def promote_change_request(*, change_request: ChangeRequest, acting_user: User, reason: str = "") -> list[Deployment]:
    """Put all that the request asks for live, all or nothing, and freeze the dossier.

    Raises NotAllowed without the right, NotReady with the list of what is missing, and Conflict when somebody
    promoted something else in the same moment.
    """
    request = _locked(change_request)
    require_promotion(request.environment, acting_user)
    items = list(request.items.select_related("version__prompt", "prompt", "base").order_by("prompt_id"))
    live = Deployment.objects.by_prompt(request.environment_id, [item.prompt_id for item in items])
    standing = policy.standing(request, live, policy.reviewers_of(request.workspace))
    if standing.conflicts:
        raise Conflict(standing.conflicts[0])
    if standing.blockers:
        raise NotReady(" ".join(standing.blockers), blockers=standing.blockers)
    deployments = [
        deploy(
            version=item.version,
            environment=request.environment,
            actor=acting_user,
            reason=reason,
            replaces=live.get(item.prompt_id),
            change_request=request,
        )
        for item in items
    ]
    body = dossiers.compose(request, standing, promoted_by=acting_user, now=timezone.now())
    Dossier.objects.create(change_request=request, body=body, hash=dossiers.digest(body))
    _close(request, ChangeRequest.State.APPLIED)
    _tell_author(request, acting_user)
    return deployments


def _tell_author(request: ChangeRequest, promoter: User) -> None:
    if request.author_id != promoter.pk:
        notices.notify(
            users=[request.author],
            workspace=request.workspace,
            kind="promoted",
            title=f"{promoter} promoted {request.title}",
            body=f"It is live in {request.environment.name}.",
            url=change_request_url(request),
        )


def _locked(change_request: ChangeRequest) -> ChangeRequest:
    """Take the request's row, so that deciding and promoting follow one another."""
    return (
        ChangeRequest.objects.select_for_update(of=("self",), no_key=True)
        .select_related("workspace", "environment", "author")
        .prefetch_related("items__version")
        .get(pk=change_request.pk)
    )


def _require_waiting(request: ChangeRequest) -> None:
    if not request.is_waiting:
        raise Conflict(f"This request is already {request.get_state_display().lower()}.")


def _close(request: ChangeRequest, state: ChangeRequest.State) -> None:
    ChangeRequest.objects.filter(pk=request.pk, state__in=ChangeRequest.WAITING).update(
        state=state, closed_at=timezone.now()
    )
    request.refresh_from_db()
    signals.change_request_closed.send(sender=ChangeRequest, change_request=request)
