"""Judging a change request: checks that report, people who decide."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit import Actor
from apps.accounts.models import ApiKey, User
from apps.core import text
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.prompts import policy
from apps.prompts.actions import steps
from apps.prompts.models import Approval, ChangeRequest, Check
from apps.prompts.models.changes import State


@transaction.atomic
def report_check(  # noqa: PLR0913  a report's own fields
    *,
    change_request: ChangeRequest,
    name: str,
    status: str,
    summary: str,
    evidence: dict[str, Any] | None = None,
    url: str = "",
    content_hash: str = "",
    actor: Actor = None,
) -> Check | None:
    """Set the named status of a request, as a commit status. It binds to `content_hash`, by default the present one.

    A report for a request that is closed is kept out: the dossier is frozen by then. Returns the check as it stands,
    None when that request closed without it.
    """
    request = steps.locked(change_request)
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
        "reported_by": actor if isinstance(actor, ApiKey) else None,
    }
    check, _ = Check.objects.update_or_create(change_request=request, name=name, defaults=fields)
    # Progress of a running check is not an event; a change of its status is.
    if existing is None or existing.status != status:
        request = steps.settle(request)
        after = {"check": name, "status": status, "content_hash": check.content_hash, "state": request.state}
        audit.record(workspace=request.workspace, actor=actor, verb="reported check", target=request, after=after)
    elif existing.report_hash != check.report_hash:
        steps.settle(request)
    return check


@transaction.atomic
def review_change_request(
    *, change_request: ChangeRequest, decision: str, comment: str = "", content_hash: str = "", acting_user: User
) -> Approval:
    """Record what a reviewer decided about exactly the content they saw.

    Raises NotAllowed for one's own request where the environment forbids it, Conflict when the content changed while
    they read, and DomainError when a refusal has no reason.
    """
    request = steps.locked(change_request)
    steps.require_waiting(request)
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
    said = f"{acting_user} {approval.get_decision_display().lower()}: {request.title}"
    if decision == Approval.Decision.REJECT:
        steps.close(request, State.REJECTED)
    else:
        request = steps.settle(request, by=acting_user)
    steps.tell_author(request, acting_user, "reviewed", said)
    after = {"decision": decision, "content_hash": identity, "state": request.state}
    audit.record(workspace=request.workspace, actor=acting_user, verb="reviewed", target=request, after=after)
    return approval


def _require_other_eyes(request: ChangeRequest, reviewer: User) -> None:
    if request.environment.allows_self_approval:
        return
    if reviewer.pk in request.author_ids:
        raise NotAllowed(f"You wrote or asked for this. {request.environment.name} wants the eyes of somebody else.")


@transaction.atomic
def settle_change_requests(*, requests: list[ChangeRequest]) -> None:
    """Derive anew where requests stand after something outside them changed: a policy, a membership, the time."""
    # All locks first: the audit chain comes last.
    for before in [steps.locked(request) for request in sorted(requests, key=lambda one: one.pk)]:
        after = steps.settle(before)
        if after.state != before.state:
            facts = {"state": after.state}
            audit.record(workspace=after.workspace, actor=None, verb="settled", target=after, after=facts)
