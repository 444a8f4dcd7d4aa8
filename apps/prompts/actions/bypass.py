"""In an emergency: live at once, without approvals and checks, loudly, and with a look back that somebody else owes."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Membership, User
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices import actions as notices
from apps.prompts.actions import gate, steps
from apps.prompts.actions.promoting import promote_change_request
from apps.prompts.links import change_request_url
from apps.prompts.models import ChangeRequest, Deployment, FollowUp

LOOK_BACK = timedelta(days=2)
REMIND_EVERY = timedelta(days=1)
SHORTEST_REASON = 10


@transaction.atomic
def promote_in_emergency(
    *, change_request: ChangeRequest, typed: str, reason: str, content_hash: str, acting_user: User
) -> list[Deployment]:
    """Put a request live without what is missing. It passes the same door, and everybody hears of it.

    Raises NotAllowed without the right, DomainError without a reason or the environment's name typed out, and Conflict
    when live moved or the request asks for something else than was seen: nothing goes live that nobody looked at.
    """
    environment = gate.take(change_request.environment)
    request = gate.locked(change_request)
    gate.require_emergency(environment, acting_user)
    reason = text.clean(reason, field="The reason", max_bytes=4_000).strip()
    if len(reason) < SHORTEST_REASON:
        raise DomainError("Say what the emergency is, in a sentence: others will read it first.")
    if typed.strip() != environment.name:
        raise DomainError(f"Type {environment.name} to confirm where this goes.")
    steps.require_waiting(request)
    standing = gate.standing_of(request)
    if content_hash != standing.content_hash:
        raise Conflict("The request changed while you read it. Look at the difference again.")
    if standing.conflicts:
        raise Conflict(standing.conflicts[0])
    skipped = [*standing.blockers, *standing.holds]
    if not skipped:
        raise DomainError("Nothing is missing. Promote it the usual way.")
    now = timezone.now()
    follow_up = FollowUp.objects.create(
        change_request=request,
        reason=reason,
        skipped=skipped,
        opened_by=acting_user,
        opened_at=now,
        due_at=now + LOOK_BACK,
    )
    made = promote_change_request(change_request=request, actor=acting_user, reason=reason, emergency=True)
    _shout(request, follow_up)
    audit.record(
        workspace=request.workspace,
        actor=acting_user,
        verb="went round the policy of",
        target=environment,
        after={"request": request.number, "skipped": len(skipped), "content_hash": standing.content_hash},
        reason=reason,
    )
    return made


def _others(follow_up: FollowUp) -> list[User]:
    """Return everybody who reviews and everybody who runs the desk, but who went round the policy."""
    workspace_id = follow_up.change_request.workspace_id
    members = Membership.objects.filter(workspace=workspace_id, user__is_active=True).select_related("user")
    who = {member.user for right in (Right.REVIEW, Right.ADMIN) for member in members.with_right(right)}
    return [user for user in who if user != follow_up.opened_by]


@transaction.atomic
def remind_of_look_back(*, follow_up: FollowUp) -> bool:
    """Remind those who could look back at an emergency, once a day; return whether this call did."""
    now = timezone.now()
    if not FollowUp.objects.filter(pk=follow_up.pk).to_remind(now, REMIND_EVERY).update(reminded_at=now):
        return False
    request = follow_up.change_request
    notices.notify(
        users=_others(follow_up),
        workspace=request.workspace,
        kind="look_back_overdue",
        title=f"Nobody has looked back at {request.title}",
        body=f"{follow_up.opened_by} put it live in {request.environment.name} in an emergency.",
        url=change_request_url(request),
    )
    return True


def _shout(request: ChangeRequest, follow_up: FollowUp) -> None:
    notices.notify(
        users=_others(follow_up),
        workspace=request.workspace,
        kind="emergency",
        title=f"EMERGENCY: {follow_up.opened_by} put {request.title} live in {request.environment.name}",
        body=f"Skipped of what it asks for: {len(follow_up.skipped)}. Somebody who reviews has to look at it in two days.",
        url=change_request_url(request),
    )


@transaction.atomic
def close_follow_up(*, follow_up: FollowUp, verdict: str, note: str, acting_user: User) -> FollowUp:
    """Say what a look back found. Raises NotAllowed for who went round the policy, Conflict when it is closed."""
    if verdict not in FollowUp.Verdict.values:
        raise DomainError("Choose what you found.")
    note = text.clean(note, field="The note", max_bytes=4_000).strip()
    if verdict != FollowUp.Verdict.RIGHT and not note:
        raise DomainError("Say what has to be mended, or why it should not have gone live.")
    if follow_up.opened_by_id == acting_user.pk:
        raise NotAllowed("You went round the policy. Somebody else has to look back at it.")
    closed = FollowUp.objects.filter(pk=follow_up.pk).open()
    if not closed.update(verdict=verdict, note=note, closed_by=acting_user, closed_at=timezone.now()):
        raise Conflict("Somebody has looked at it already.")
    follow_up.refresh_from_db()
    request = follow_up.change_request
    notices.notify(
        users=[follow_up.opened_by],
        workspace=request.workspace,
        kind="looked_back",
        title=f"{acting_user} looked back at {request.title}: {follow_up.get_verdict_display().lower()}",
        body=note,
        url=change_request_url(request),
    )
    audit.record(
        workspace=request.workspace,
        actor=acting_user,
        verb="looked back at",
        target=request,
        after={"verdict": verdict},
        reason=note,
    )
    return follow_up
