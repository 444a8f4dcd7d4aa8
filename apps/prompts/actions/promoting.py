"""Putting what a request asks for live, now or when its time has come, and taking a release back."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit import Actor
from apps.accounts.models import User
from apps.core import formats, text
from apps.core.clock import database_now
from apps.core.errors import Conflict, DomainError
from apps.prompts import announcing, boards, dossiers, policy
from apps.prompts.actions import steps
from apps.prompts.actions.deployments import deploy, roll_back, take_down
from apps.prompts.actions.gate import Frozen, NotReady, require_promotion
from apps.prompts.models import ChangeRequest, Deployment, Dossier
from apps.prompts.models.changes import State
from apps.prompts.policy import Standing
from apps.prompts.shelf import Overrides

# A desk that slept through the moment does not wake up and promote: what was safe at noon may not be at night.
GRACE = timedelta(minutes=15)
FARTHEST = timedelta(days=90)


class TooLate(DomainError):
    """The moment of a schedule is long gone."""

    code = "too-late"


@transaction.atomic
def promote_change_request(
    *, change_request: ChangeRequest, actor: Actor, reason: str = "", content_hash: str = "", emergency: bool = False
) -> list[Deployment]:
    """Put all that the request asks for live, all or nothing, and freeze the dossier. A person may, or a key.

    Raises NotAllowed without the right, NotReady with the list of what is missing, and Conflict when somebody promoted
    something else in the same moment or it asks for something else than what was seen as `content_hash`.
    `promote_in_emergency` goes round what is missing.
    """
    request = steps.take_request(change_request)
    if content_hash and content_hash != policy.content_hash(request):
        raise Conflict("The request asks for something else by now. Look at it again.")
    return _apply(request, actor, reason, emergency=emergency)


def _apply(request: ChangeRequest, actor: Actor, reason: str, *, emergency: bool = False) -> list[Deployment]:
    """Judge once more, then move everything in the order of its prompts. The rows are locked."""
    if not emergency:
        require_promotion(request.environment, actor)
    standing = _require_ready(request, emergency=emergency)
    live = _live(request)
    if request.state not in (State.APPROVED, State.SCHEDULED):
        steps.move(request, State.APPROVED)
    release = {(item.prompt_id, request.environment.name): item.version for item in request.items.all()}
    deployments = [
        deploy(
            version=item.version,
            environment=request.environment,
            actor=actor,
            reason=reason,
            replaces=live.get(item.prompt_id),
            change_request=request,
            emergency=emergency,
            release=release,
        )
        for item in sorted(request.items.all(), key=lambda item: item.prompt_id)
    ]
    body = dossiers.compose(request, standing, promoted_by=actor, now=timezone.now())
    Dossier.objects.create(change_request=request, body=body, hash=dossiers.digest(body))
    steps.close(request, State.APPLIED)
    _tell_promoted(request, actor)
    _tell_together(deployments)
    return deployments


def _tell_together(deployments: list[Deployment]) -> None:
    if announcing.is_part_of_release(deployments[0]):
        announcing.mail(deployments)


def _require_ready(request: ChangeRequest, *, emergency: bool = False) -> Standing:
    standing = boards.standing_of(request)
    if standing.conflicts:
        raise Conflict(standing.conflicts[0])
    if standing.blockers and not emergency:
        raise NotReady(" ".join(standing.blockers), blockers=standing.blockers)
    return standing


def _live(request: ChangeRequest) -> dict[int, Deployment]:
    return Deployment.objects.by_prompt(request.environment_id, [item.prompt_id for item in request.items.all()])


def _tell_promoted(request: ChangeRequest, actor: Actor) -> None:
    people = {request.author_id: request.author, **{one.user_id: one.user for one in request.asked.all()}}
    if isinstance(actor, User):
        people.pop(actor.pk, None)
    body = f"It is live in {request.environment.name}."
    steps.tell(request, people.values(), "promoted", f"{audit.name_of(actor)} promoted {request.title}", body)


@transaction.atomic
def schedule_promotion(
    *, change_request: ChangeRequest, at: datetime, reason: str = "", acting_user: User
) -> ChangeRequest:
    """Let an approved request go live at a moment, judged once more then; a scheduled one is moved to another moment.

    A freeze that holds now does not matter, one that holds then does. Raises NotAllowed without the right, NotReady
    while something is missing, Frozen, and DomainError for a moment that is past or far away.
    """
    request = steps.take_request(change_request)
    require_promotion(request.environment, acting_user)
    steps.require_waiting(request)
    now = database_now()
    if not now < at <= now + FARTHEST:
        raise DomainError(f"Choose a moment that is still to come, in the next {FARTHEST.days} days.")
    _require_ready(request)
    if hold := policy.freeze_of(request.environment, at):
        raise Frozen(f"{hold.sentence} Choose a moment after that.", until=hold.end.isoformat())
    reason = text.clean(reason, field="The reason", max_bytes=4_000).strip()
    if request.state != State.APPROVED:
        steps.move(request, State.APPROVED)
    steps.move(request, State.SCHEDULED, scheduled_at=at, scheduled_by=acting_user, scheduled_reason=reason)
    steps.tell_author(request, acting_user, "scheduled", f"{acting_user} scheduled {request.title}")
    after = {"at": at.isoformat()}
    audit.record(workspace=request.workspace, actor=acting_user, verb="scheduled", target=request, after=after)
    return request


@transaction.atomic
def cancel_schedule(*, change_request: ChangeRequest, acting_user: User) -> ChangeRequest:
    """Take a request off the schedule: its author may, and whoever may promote there.

    Raises NotAllowed for anybody else, Conflict when it is not scheduled any more.
    """
    request = steps.locked(change_request)
    if request.author_id != acting_user.pk:
        require_promotion(request.environment, acting_user)
    if not request.is_scheduled:
        raise Conflict("It is not scheduled any more. Look at it again.")
    request = steps.settle(request, by=acting_user, note=f"{acting_user} took it off the schedule.")
    audit.record(workspace=request.workspace, actor=acting_user, verb="unscheduled", target=request)
    return request


@transaction.atomic
def promote_scheduled(*, change_request: ChangeRequest) -> list[Deployment]:
    """Promote what is due, once, in the name of who scheduled it and if they still may; return what went live.

    What is missing now, or came too late, takes the request off the schedule with the reason and tells people.
    A second call, or one that comes early by the database's clock, does nothing.
    """
    request = steps.take_request(change_request)
    now = database_now()
    due = request.scheduled_at
    if not request.is_scheduled or due is None or due > now:
        return []
    actor = request.scheduled_by
    assert actor is not None  # noqa: S101  the database holds that a schedule has a name
    try:
        # What was moved before the refusal goes back; the refusal itself stays.
        with transaction.atomic():
            if now - due > GRACE:
                raise TooLate(
                    f"it was due {formats.absolute(due, request.workspace.zone)}, and nobody was at the desk."
                )
            return _apply(request, actor, request.scheduled_reason or "As scheduled.")
    except DomainError as error:
        request = steps.drop_schedule(request, error.message)
        after = {"at": due.isoformat(), "state": request.state, "refused": error.code}
        audit.record(workspace=request.workspace, actor=None, verb="did not promote", target=request, after=after)
        return []


@transaction.atomic
def undo_release(*, change_request: ChangeRequest, reason: str, acting_user: User) -> list[Deployment]:
    """Put back, as one, what was live before a request was promoted; where nothing was, it is taken down.

    Raises NotAllowed without the right, Conflict naming the prompt when one of them moved since, DomainError when
    there is nothing to put back.
    """
    request = steps.take_request(change_request)
    require_promotion(request.environment, acting_user)
    moves = undoable(request)
    if not moves:
        raise DomainError("This request did not put anything live that could be taken back.")
    live = _live(request)
    for made in moves:
        now = live.get(made.prompt_id)
        if now is None or now.pk != made.pk:
            what = f"version {now.version.number} is live" if now else "nothing is live"
            raise Conflict(f"{made.prompt.name} moved since: {what}. Nothing was undone.")
    before = {made.prompt_id: made.replaced for made in moves}
    release = {(pk, request.environment.name): version for pk, version in before.items() if version}
    undone = [_undone(made, request, reason, acting_user, release) for made in moves]
    _tell_together(undone)
    return undone


def _undone(made: Deployment, request: ChangeRequest, reason: str, acting_user: User, release: Overrides) -> Deployment:
    before = made.previous if made.replaced else None
    if before is None:
        return take_down(
            prompt=made.prompt,
            environment=request.environment,
            replaces=made,
            actor=acting_user,
            reason=reason,
            undone=request,
            release=release,
        )
    return roll_back(
        prompt=made.prompt,
        environment=request.environment,
        to=before,
        replaces=made,
        actor=acting_user,
        reason=reason,
        undone=request,
        release=release,
    )


def undoable(request: ChangeRequest) -> list[Deployment]:
    """Return what a request put live, in the order of its prompts."""
    made = request.deployments.filter(kind=Deployment.Kind.DEPLOY).loaded()
    return list(made.select_related("prompt__workspace", "environment__workspace", "previous").order_by("prompt_id"))
