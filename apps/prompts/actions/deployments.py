"""The one door to what is live. Pages, programs and commands all come through here."""

from django.db import IntegrityError, transaction

from apps.accounts import audit
from apps.accounts.audit import Actor
from apps.accounts.models import ApiKey, User
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.prompts import composition, signals
from apps.prompts.actions import gate, steps
from apps.prompts.actions.gate import NeedsChangeRequest, require_promotion
from apps.prompts.models import ChangeRequest, Deployment, DeploymentArm, Environment, Prompt, Version

__all__ = ["NeedsChangeRequest", "deploy", "require_promotion", "roll_back"]


@transaction.atomic
def deploy(
    *,
    version: Version,
    environment: Environment,
    actor: Actor,
    reason: str = "",
    replaces: Deployment | None,
    change_request: ChangeRequest | None = None,
    emergency: bool = False,
) -> Deployment:
    """Put a version live in place of `replaces` (None when nothing is live).

    Raises NotAllowed without the right, what `gate.require_policy` raises for what the environment asks for, and
    Conflict when something else went live in between. An emergency goes round the policy, by a right of its own.
    """
    # As it is now, and held: a policy that changes in this moment waits, or is obeyed.
    environment = steps.take(environment, [version.prompt_id])
    if emergency:
        gate.require_emergency(environment, actor)
    else:
        gate.require_promotion(environment, actor)
    reason = text.clean(reason, field="The reason", max_bytes=4_000).strip()
    if version.prompt.workspace_id != environment.workspace_id:
        raise DomainError("The version and the environment belong to different workspaces.")
    if not emergency:
        gate.require_policy(environment, version, change_request)
    _require_current(version.prompt, environment, replaces)
    if replaces and replaces.version.pk == version.pk:
        raise DomainError(f"Version {version.number} is already live in {environment.name}.")
    return _replace(
        version=version,
        environment=environment,
        actor=actor,
        reason=reason,
        previous=replaces,
        kind=Deployment.Kind.DEPLOY,
        change_request=change_request,
        emergency=emergency,
    )


@transaction.atomic
def roll_back(
    *,
    prompt: Prompt,
    environment: Environment,
    to: Deployment,
    replaces: Deployment,
    actor: Actor,
    reason: str,
    undone: ChangeRequest | None = None,
) -> Deployment:
    """Put back what was live before: the version of the earlier deployment `to`.

    It was live once, so it needs no new evidence, and no freeze forbids to undo; `undone` names the release that is
    taken back as a whole. Raises NotAllowed, Conflict as `deploy` does, and DomainError without a reason or when `to` is
    not an earlier deployment of this prompt here.
    """
    environment = steps.take(environment, [prompt.pk])
    gate.require_promotion(environment, actor)
    reason = text.clean(reason, field="The reason", max_bytes=4_000).strip()
    if not reason:
        raise DomainError("Say why you roll back: it stands in the history.")
    if (to.prompt_id, to.environment_id) != (prompt.pk, environment.pk) or to.pk >= replaces.pk:
        raise DomainError("That is not an earlier state of this prompt here.")
    _require_current(prompt, environment, replaces)
    if to.version.pk == replaces.version.pk:
        raise DomainError(f"Version {to.version.number} is already live in {environment.name}.")
    return _replace(
        version=to.version,
        environment=environment,
        actor=actor,
        reason=reason,
        previous=replaces,
        kind=Deployment.Kind.ROLL_BACK,
        change_request=undone,
    )


def _require_current(prompt: Prompt, environment: Environment, expected: Deployment | None) -> None:
    live = Deployment.objects.by_prompt(environment.pk, [prompt.pk]).get(prompt.pk)
    if (live.pk if live else None) != (expected.pk if expected else None):
        raise _moved(prompt, environment)


def _moved(prompt: Prompt, environment: Environment) -> Conflict:
    live = Deployment.objects.by_prompt(environment.pk, [prompt.pk]).get(prompt.pk)
    if live is None:
        return Conflict(f"Nothing is live in {environment.name} any more.")
    who = live.actor or (live.actor_key and f"API key {live.actor_key}") or audit.SYSTEM
    return Conflict(
        f"{who} put version {live.version.number} live in {environment.name} in the meantime. Look at it and try again."
    )


def _replace(  # noqa: PLR0913  a deployment's own facts
    *,
    version: Version,
    environment: Environment,
    actor: Actor,
    reason: str,
    previous: Deployment | None,
    kind: Deployment.Kind,
    change_request: ChangeRequest | None,
    emergency: bool = False,
) -> Deployment:
    composition.check_move(version, environment.name)
    deployment = Deployment(
        prompt=version.prompt,
        environment=environment,
        previous=previous,
        kind=kind,
        actor=actor if isinstance(actor, User) else None,
        actor_key=actor if isinstance(actor, ApiKey) else None,
        reason=reason,
        change_request=change_request,
        emergency=emergency,
    )
    if previous:
        deployment.salt = previous.salt
    try:
        with transaction.atomic():
            deployment.save(force_insert=True)
    except IntegrityError:
        raise _moved(version.prompt, environment) from None
    DeploymentArm.objects.create(deployment=deployment, version=version, weight=100)
    signals.version_deployed.send(sender=Deployment, deployment=deployment)
    steps.follow_live(environment.pk, version.prompt_id, change_request if kind == Deployment.Kind.DEPLOY else None)
    audit.record(
        workspace=environment.workspace,
        actor=actor,
        verb=_verb(kind, emergency),
        target=deployment,
        before={"version": previous.version.number} if previous else None,
        after={"version": version.number, "content_hash": version.content_hash},
        reason=reason,
    )
    return deployment


def _verb(kind: Deployment.Kind, emergency: bool) -> str:
    if emergency:
        return "promoted in an emergency"
    return "promoted" if kind == Deployment.Kind.DEPLOY else "rolled back"
