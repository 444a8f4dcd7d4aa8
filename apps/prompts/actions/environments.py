"""Environments: making, naming and ordering them, and what they ask for."""

import re
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import DomainError
from apps.prompts import composition, rules, usage
from apps.prompts.actions import gate, reviewing, spending, steps
from apps.prompts.models import Deployment, Environment, Label
from apps.prompts.rules import Rules

OPEN_POLICY = {"approvals": 0, "self_approval": True, "checks": []}
PRODUCTION_POLICY = {"approvals": 1, "self_approval": False, "checks": ["tests", "people"]}
FIRST = (("dev", OPEN_POLICY), ("staging", OPEN_POLICY), ("production", PRODUCTION_POLICY))
MOST = 20
NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,34}[a-z0-9])?")
RESERVED = frozenset({"latest", "new"})
CHECK_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class InUse(DomainError):
    """Something holds on to the environment; `details["uses"]` lists what, in sentences."""

    code = "in-use"


@transaction.atomic
def create_environments(*, workspace: Workspace, acting_user: User | None) -> list[Environment]:
    """Give a workspace dev, staging and production, unless it has environments."""
    if workspace.environments.exists():
        return list(workspace.environments.ranked())
    made = [
        Environment.objects.create(workspace=workspace, name=name, rank=rank, policy=policy)
        for rank, (name, policy) in enumerate(FIRST)
    ]
    for environment in made:
        audit.record(
            workspace=workspace, actor=acting_user, verb="created", target=environment, after=environment.policy
        )
    return made


@transaction.atomic
def create_environment(*, workspace: Workspace, name: str, acting_user: User) -> Environment:
    """Add an environment above all others, as strict as the one that was the last. Raises DomainError for its name."""
    _take_order(workspace)
    name = _clean_name(workspace, name)
    last = workspace.environments.ranked().last()
    if workspace.environments.count() >= MOST:
        raise DomainError(f"A workspace has at most {MOST} environments.")
    highest = workspace.environments.aggregate(highest=Max("rank"))["highest"]
    made = Environment.objects.create(
        workspace=workspace,
        name=name,
        rank=0 if highest is None else highest + 1,
        # What is new is never a side door: it is opened on purpose.
        policy=last.policy if last else PRODUCTION_POLICY,
    )
    audit.record(workspace=workspace, actor=acting_user, verb="created", target=made, after=made.policy)
    return made


@transaction.atomic
def rename_environment(*, environment: Environment, name: str, acting_user: User) -> Environment:
    """Give an environment another name, as long as nobody can know the old one. Raises InUse with what does.

    Programs fetch by the name, keys and members are let in by it, texts refer to it: a rename would break them.
    """
    _take_order(environment.workspace)
    environment = gate.take(environment)
    if environment.name == name.strip():
        return environment
    _require_unused(environment, "renamed")
    before, environment.name = environment.name, _clean_name(environment.workspace, name)
    environment.save(update_fields=["name"])
    audit.record(
        workspace=environment.workspace,
        actor=acting_user,
        verb="renamed",
        target=environment,
        before={"name": before},
        after={"name": environment.name},
    )
    return environment


@transaction.atomic
def move_environment(*, environment: Environment, up: bool, acting_user: User) -> bool:
    """Let an environment change places with its neighbour; False when there is none on that side.

    Ranks say which environment comes before which: what must be live in the one before is asked of another one then.
    """
    workspace = environment.workspace
    places = _take_order(workspace)
    ranked = sorted(places, key=lambda place: (place.rank, place.pk))
    here = next((number for number, place in enumerate(ranked) if place.pk == environment.pk), None)
    if here is None:
        raise DomainError(f"The environment {environment.name} was deleted in the meantime.")
    there = here + (1 if up else -1)
    if not 0 <= there < len(ranked):
        return False
    before = [place.name for place in ranked]
    mine, other = ranked[here], ranked[there]
    mine.rank, other.rank = other.rank, mine.rank
    mine.save(update_fields=["rank"])
    other.save(update_fields=["rank"])
    ranked[here], ranked[there] = other, mine
    _require_one_before(workspace)
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="reordered",
        target=mine,
        before={"order": before},
        after={"order": [place.name for place in ranked]},
    )
    return True


@transaction.atomic
def delete_environment(*, environment: Environment, acting_user: User) -> None:
    """Take away an environment that nothing uses. Raises InUse with everything that does."""
    _take_order(environment.workspace)
    environment = gate.take(environment)
    if environment.workspace.environments.count() == 1:
        raise DomainError("A workspace keeps at least one environment.")
    _require_unused(environment, "deleted")
    pk, workspace = environment.pk, environment.workspace
    try:
        with transaction.atomic():
            environment.delete()
    except IntegrityError:
        # Whoever opened a request or put something live took the lock before us, or waits for it now.
        raise InUse(f"{environment.name} came into use in this moment. Look again.", uses=[]) from None
    _require_one_before(workspace)
    environment.pk = pk  # the log names what is gone
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="deleted",
        target=environment,
        before={"name": environment.name, **environment.policy},
    )


def _require_one_before(workspace: Workspace) -> None:
    """Refuse an order in which nothing comes before a place that asks for having been live there."""
    first = workspace.environments.ranked().first()
    if first and first.rules.previous_hours is not None:
        raise DomainError(
            f"{first.name} asks that a text was live in the environment before, and would be the first then. "
            "Change its policy first."
        )


@transaction.atomic
def update_policy(*, environment: Environment, acting_user: User, **asked: Any) -> Environment:
    """Change what an environment asks for: the named parts of its rules. Raises DomainError for what nobody could meet."""
    environment = gate.take(environment)
    before: dict[str, Any] = environment.policy
    wanted = environment.rules.with_(**asked)
    check_policy(environment, wanted)
    environment.policy = rules.stored(wanted)
    environment.save(update_fields=["policy"])
    if not wanted.is_open:
        _require_front_doors(environment)
    waiting = list(environment.change_requests.waiting())
    # All locks first: the audit chain comes last.
    for request in sorted(waiting, key=lambda one: one.pk):
        steps.locked(request)
    for request in waiting:
        spending.refresh_spend_check(change_request=request)
    reviewing.settle_change_requests(requests=waiting)
    if environment.policy != before:
        audit.record(
            workspace=environment.workspace,
            actor=acting_user,
            verb="changed policy",
            target=environment,
            before=before,
            after=environment.policy,
        )
    return environment


def _require_front_doors(environment: Environment) -> None:
    """Refuse to guard a place in which something live follows what changes without being asked for there."""
    live = Deployment.objects.current().filter(environment=environment).prefetch_related("arms__version__prompt")
    for deployment in live.order_by("prompt_id"):
        composition.check_front_doors(deployment.version, environment.name)


def check_policy(environment: Environment, wanted: Rules) -> None:
    """Raise DomainError for rules that are wrong in themselves or name what is not in the workspace."""
    rules.check(wanted)
    for name in wanted.checks:
        if not CHECK_NAME.fullmatch(name):
            raise DomainError(f"{name[:40]} cannot be a check's name: letters, digits, - and _, at most 40.")
    workspace = environment.workspace
    if wanted.members and workspace.memberships.filter(user__in=wanted.members).count() != len(set(wanted.members)):
        raise DomainError("Somebody who was named is not a member any more. Look at the list again.")
    if wanted.teams and workspace.teams.filter(pk__in=wanted.teams).count() != len(set(wanted.teams)):
        raise DomainError("A team that was named is gone. Look at the list again.")
    if wanted.previous_hours is not None and workspace.environments.before(environment) is None:
        raise DomainError(f"{environment.name} is the first environment: nothing can be live before it.")


def _take_order(workspace: Workspace) -> list[Environment]:
    """Lock the workspace's environments, in one order for everybody; new names and ranks follow one another."""
    return list(Environment.objects.filter(workspace=workspace).select_for_update(no_key=True).order_by("pk"))


def _clean_name(workspace: Workspace, name: str) -> str:
    name = text.clean(name, field="The name", max_bytes=200).strip()
    if not NAME.fullmatch(name) or name in RESERVED:
        raise DomainError(
            "An environment's name has up to 36 small letters, digits, - and _, and is not latest or new: "
            "programs write it into their addresses."
        )
    if workspace.environments.filter(name=name).exists():
        raise DomainError(f"There is an environment {name} already.")
    composition.lock(workspace.pk)  # no label of that name is made in this moment
    if label := Label.objects.filter(prompt__workspace=workspace, name=name).select_related("prompt").first():
        raise DomainError(f"{label.prompt.name} has a label {name}: programs could not tell one from the other.")
    return name


def _require_unused(environment: Environment, what: str) -> None:
    if uses := usage.uses_of(environment):
        raise InUse(f"{environment.name} cannot be {what}. {' '.join(uses)}", uses=uses)
