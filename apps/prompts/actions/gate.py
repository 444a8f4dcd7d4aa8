"""What stands at the door whoever knocks: rights, freezes, the environment before, and what a request still lacks."""

from datetime import datetime

from django.utils import timezone

from apps.accounts.audit import Actor
from apps.accounts.models import ApiKey, Membership, User
from apps.accounts.rights import PROMOTE_PREFIX, Right
from apps.core.errors import DomainError, NotAllowed
from apps.prompts import boards, policy
from apps.prompts.models import ChangeRequest, Environment, Version


class NeedsChangeRequest(NotAllowed):
    """The environment asks for evidence or people, so a version enters by a change request only."""

    code = "needs-change-request"


class NotReady(DomainError):
    """The environment asks for something that is missing; `details["blockers"]` lists it in sentences."""

    code = "not-ready"


class Frozen(DomainError):
    """Nothing may go live in the environment at this moment; `details["until"]` says when it may again."""

    code = "frozen"


class NotLiveBefore(DomainError):
    """The text must have been live in the environment before, long enough."""

    code = "not-live-before"


def take(environment: Environment) -> Environment:
    """Lock an environment until the transaction ends and return it as it is now.

    Whoever changes its policy, its name or what is live in it takes the same lock, so nobody goes by old rules.
    Raises DomainError when it was deleted in the meantime.
    """
    found = Environment.objects.select_for_update(no_key=True, of=("self",)).select_related("workspace")
    place = found.filter(pk=environment.pk).first()
    if place is None:
        raise DomainError(f"The environment {environment.name} was deleted in the meantime.")
    return place


def require_promotion(environment: Environment, actor: Actor) -> None:
    """Raise NotAllowed unless this person or key may change what is live in the environment.

    It takes the right, and the environment's policy must not name others.
    """
    if isinstance(actor, ApiKey):
        allowed = actor.workspace_id == environment.workspace_id and actor.allows(PROMOTE_PREFIX + environment.name)
        named = environment.rules.admits(None, actor.team_id)
    else:
        membership = _membership(environment, actor)
        allowed = membership is not None and membership.may_promote(environment.name)
        named = membership is not None and environment.rules.admits(membership.user_id, membership.team_id)
    if not allowed:
        raise NotAllowed(f"You may not change what is live in {environment.name}.")
    if not named:
        raise NotAllowed(f"The policy of {environment.name} names who may change what is live there, and not you.")


def require_emergency(environment: Environment, actor: Actor) -> None:
    """Raise NotAllowed unless this person may go round the policy where they may promote. Programs never may."""
    membership = _membership(environment, actor)
    if membership is None or not membership.may_promote(environment.name):
        raise NotAllowed(f"You may not change what is live in {environment.name}.")
    if not membership.may(Right.BYPASS):
        raise NotAllowed("Going round approvals and checks takes a right of its own.")


def _membership(environment: Environment, actor: Actor) -> Membership | None:
    if not isinstance(actor, User) or not actor.is_active:
        return None
    return Membership.objects.filter(workspace=environment.workspace_id, user=actor).first()


def require_policy(environment: Environment, version: Version, change_request: ChangeRequest | None) -> None:
    """Raise unless everything that the environment asks for is there, at this moment. The environment is locked.

    Raises NeedsChangeRequest, NotReady, Frozen or NotLiveBefore.
    """
    now = timezone.now()
    if change_request is None:
        if environment.is_guarded:
            raise NeedsChangeRequest(f"{environment.name} needs a change request. Open one for this version.")
    else:
        _require_request(environment, version, change_request, now)
    if hold := policy.freeze_of(environment, now):
        raise Frozen(hold.sentence, until=hold.end.isoformat())
    if missing := policy.not_live_before(environment, [version], now):
        raise NotLiveBefore(missing[0])


def _require_request(environment: Environment, version: Version, change_request: ChangeRequest, now: datetime) -> None:
    """Raise unless the request asks for just this, and nothing is missing but what the caller watches: what is live."""
    # As the rows are now: what the caller holds may be older than the last decision.
    change_request = locked(change_request)
    items = list(change_request.items.all())
    wanted = {item.version_id for item in items}
    if change_request.environment_id != environment.pk or version.pk not in wanted:
        raise DomainError("The change request asks for something else.")
    change_request.environment = environment
    if missing := policy.missing(change_request, now):
        raise NotReady(" ".join(missing), blockers=missing)


def locked(change_request: ChangeRequest) -> ChangeRequest:
    """Lock one request and return it as it is now, with all that judging it needs."""
    ChangeRequest.objects.select_for_update(no_key=True).get(pk=change_request.pk)
    return boards.loaded(ChangeRequest.objects.all()).get(pk=change_request.pk)


def standing_of(request: ChangeRequest) -> policy.Standing:
    """Return where a request stands now."""
    return boards.standing_of(request)
