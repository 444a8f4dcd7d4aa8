"""What every step of a change request has in common: locks in one order, moves by the table, and telling people.

The order of locks is the same for everybody: environments by id, then requests by id, then the workspace's row (the
counter of requests), then prompts by id, then `composition.lock` (who takes in whom, and labels); the audit chain last.
Reviewing and reporting touch one request and begin there.
"""

from collections.abc import Iterable

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Membership, User
from apps.accounts.rights import Right
from apps.core.errors import Conflict
from apps.notices import actions as notices
from apps.prompts import boards, signals
from apps.prompts.actions import gate
from apps.prompts.links import change_request_url
from apps.prompts.models import ChangeRequest, Environment
from apps.prompts.models.changes import CLOSED, MOVES, State
from apps.prompts.policy import Standing


def take(environment: Environment, prompt_ids: Iterable[int], also: int | None = None) -> Environment:
    """Lock a place and every request that waits to change these prompts there; return the place as it is now."""
    place = gate.take(environment)
    wanted = set(ChangeRequest.objects.wanting(place.pk, prompt_ids).values_list("pk", flat=True))
    rows = ChangeRequest.objects.filter(pk__in=wanted | ({also} if also else set()))
    list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
    return place


def take_request(change_request: ChangeRequest) -> ChangeRequest:
    """Lock a request with its place and its rivals: what changes its prompts or what is live begins here."""
    # Which prompts it holds is read under the place's lock, without which nobody changes them.
    place = gate.take(change_request.environment)
    take(place, change_request.items.values_list("prompt", flat=True), also=change_request.pk)
    return locked(change_request)


def locked(change_request: ChangeRequest) -> ChangeRequest:
    """Lock one request, so that deciding and promoting follow one another; return it as it is now, loaded."""
    ChangeRequest.objects.select_for_update(no_key=True).get(pk=change_request.pk)
    return fresh(change_request)


def fresh(change_request: ChangeRequest) -> ChangeRequest:
    """Read a request again, with all that judging it needs."""
    return boards.loaded(ChangeRequest.objects.all()).get(pk=change_request.pk)


def require_waiting(request: ChangeRequest) -> None:
    """Raise Conflict for what is closed, or not open yet."""
    if request.is_draft:
        raise Conflict("This request is a draft. Open it first.")
    if not request.is_waiting:
        raise Conflict(f"This request is already {request.get_state_display().lower()}.")


def move(request: ChangeRequest, to: State, **fields: object) -> None:
    """Move a locked request by the table of moves; what belongs to the state it leaves goes.

    Raises Conflict where no way leads from its state.
    """
    values: dict[str, object] = {
        "state": to,
        "closed_at": timezone.now() if to in CLOSED else None,
        "state_note": "",
        "scheduled_at": None,
        "scheduled_by": None,
        "scheduled_reason": "",
        "superseded_by": None,
        **fields,
    }
    before = [state for state, following in MOVES.items() if to in following]
    if not ChangeRequest.objects.filter(pk=request.pk, state__in=before).update(**values):
        raise Conflict(f"This request is already {request.get_state_display().lower()}.")
    for name, value in values.items():
        setattr(request, name, value)


def close(request: ChangeRequest, state: State, **fields: object) -> None:
    """End a request and let the other rooms know."""
    move(request, state, **fields)
    signals.change_request_closed.send(sender=ChangeRequest, change_request=request)


def settle(request: ChangeRequest, *, by: User | None = None, note: str = "") -> ChangeRequest:
    """Derive anew where a request stands, move it there, and tell those whose turn it is.

    A schedule outlives a check that runs again: what is missing is asked once more when it is due. It does not
    outlive an objection, a lost approval or a conflict.
    """
    request = fresh(request)
    if not request.is_waiting:
        return request
    standing = boards.standing_of(request)
    to = _derived(standing)
    if request.is_scheduled and not note:
        if not _loses_schedule(standing):
            return request
        note = f"The schedule was dropped: {standing.blockers[0]}"
        _tell_of_schedule(request)
    if to != request.state:
        move(request, to, state_note=note[:500])
        if to == State.APPROVED:
            _tell_promoters(request, by)
    return request


def _derived(standing: Standing) -> State:
    if standing.objections:
        return State.CHANGES_REQUESTED
    return State.APPROVED if standing.may_apply else State.OPEN


def _loses_schedule(standing: Standing) -> bool:
    lost = standing.objections or standing.conflicts
    return bool(lost) or len(standing.approvals) < standing.approvals_needed


def drop_schedule(request: ChangeRequest, why: str) -> ChangeRequest:
    """Take a request off the schedule with the reason, to where it stands without it."""
    _tell_of_schedule(request)
    return settle(request, note=f"It was not promoted when it was due: {why}")


def follow_live(environment_id: int, prompt_id: int, applied: ChangeRequest | None) -> None:
    """Let the requests that wait for this place know that live moved.

    Where another request came first they are superseded; after anything else they stand in conflict until somebody
    looks again. Their rows are locked already: whoever moves live has taken them.
    """
    rivals = ChangeRequest.objects.wanting(environment_id, [prompt_id])
    rivals = rivals.exclude(pk=applied.pk) if applied else rivals
    for rival in rivals.select_related("workspace", "environment", "author").order_by("pk"):
        if applied:
            supersede(rival, applied, f"{applied} was promoted first.")
        else:
            settle(rival)
            tell(rival, [rival.author], "conflict", f"Live moved under {rival.title}")


def supersede(request: ChangeRequest, by: ChangeRequest, note: str) -> None:
    """Close a request that another one overtook or replaces, and tell its author unless they did it."""
    scheduled_by = request.scheduled_by
    close(request, State.SUPERSEDED, superseded_by=by, state_note=note[:500])
    if request.author_id != by.author_id:
        tell(request, [request.author], "conflict", f"{by} overtook {request.title}")
    tell_scheduler(request, scheduled_by, f"Not promoted as scheduled: {by} overtook {request.title}")
    after = {"state": State.SUPERSEDED, "by": by.number}
    audit.record(workspace=request.workspace, actor=None, verb="superseded", target=request, after=after)


def tell_scheduler(request: ChangeRequest, scheduled_by: User | None, title: str, by: User | None = None) -> None:
    """Tell who scheduled a request that is closed now, where nobody else told them."""
    if scheduled_by and scheduled_by.pk not in {request.author_id, by.pk if by else None}:
        tell(request, [scheduled_by], "schedule_failed", title)


def tell_author(request: ChangeRequest, by: User, kind: str, title: str) -> None:
    """Tell the author of a request what somebody else did."""
    if request.author_id != by.pk:
        tell(request, [request.author], kind, title)


def tell_reviewers(request: ChangeRequest, only: Iterable[User] | None = None) -> None:
    """Ask for eyes: those who were named, else everybody who may review."""
    members = Membership.objects.filter(workspace=request.workspace_id).with_right(Right.REVIEW).select_related("user")
    named = {user.pk for user in only} if only is not None else {one.user_id for one in request.asked.all()}
    wanted = [member.user for member in members if not named or member.user_id in named]
    title = f"{request.author} asks for your review: {request.title}"
    tell(request, [user for user in wanted if user.pk != request.author_id], "review_wanted", title)


def _tell_promoters(request: ChangeRequest, by: User | None) -> None:
    members = Membership.objects.filter(workspace=request.workspace_id).with_right(Right.PROMOTE).select_related("user")
    able = [one.user for one in members if request.environment.may_be_changed_by(one) and one.user_id != (by and by.pk)]
    tell(request, able, "ready", f"Ready to promote: {request.title}")


def _tell_of_schedule(request: ChangeRequest) -> None:
    people = [one for one in (request.scheduled_by, request.author) if one]
    tell(request, people, "schedule_failed", f"Not promoted as scheduled: {request.title}", "Open it to see why.")


def tell(request: ChangeRequest, users: Iterable[User], kind: str, title: str, body: str = "") -> None:
    notices.notify(
        users=users,
        workspace=request.workspace,
        kind=kind,
        title=title,
        body=body or f"To go live in {request.environment.name}.",
        url=change_request_url(request),
    )
