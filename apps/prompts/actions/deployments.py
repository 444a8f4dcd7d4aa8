"""The one door to what is live. Pages, programs and commands all come through here."""

from django.db import IntegrityError, transaction

from apps.accounts import audit
from apps.accounts.audit import Actor
from apps.accounts.models import ApiKey, User
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.prompts import boards, composition, signals
from apps.prompts.actions import gate, steps
from apps.prompts.actions.gate import NeedsChangeRequest, require_promotion
from apps.prompts.models import ChangeRequest, Deployment, DeploymentArm, Environment, Prompt, Version
from apps.prompts.shelf import Overrides

__all__ = ["NeedsChangeRequest", "deploy", "require_promotion", "roll_back", "take_down"]


@transaction.atomic
def deploy(  # noqa: PLR0913  a deployment's own facts
    *,
    version: Version,
    environment: Environment,
    actor: Actor,
    reason: str = "",
    replaces: Deployment | None,
    change_request: ChangeRequest | None = None,
    emergency: bool = False,
    release: Overrides | None = None,
) -> Deployment:
    """Put a version live in place of `replaces` (None when nothing is live), with the `release` that it is a part of.

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
        release=release,
    )


@transaction.atomic
def roll_back(  # noqa: PLR0913  a deployment's own facts
    *,
    prompt: Prompt,
    environment: Environment,
    to: Deployment,
    replaces: Deployment | None,
    actor: Actor,
    reason: str,
    undone: ChangeRequest | None = None,
    release: Overrides | None = None,
) -> Deployment:
    """Put back what was live before: the version of the earlier deployment `to`; `replaces` is None after a take-down.

    It was live once, so it needs no new evidence, and no freeze forbids to undo: therefore only what an undo puts back
    comes back, never what was itself undone. `undone` names the release that is taken back as a whole. Raises NotAllowed,
    Conflict as `deploy` does, and DomainError without a reason or for another state.
    """
    environment = steps.take(environment, [prompt.pk])
    gate.require_promotion(environment, actor)
    reason = _required(reason, "Say why you roll back: it stands in the history.")
    _require_current(prompt, environment, replaces)
    _require_undo(prompt, environment, to)
    if replaces and to.version.pk == replaces.version.pk:
        raise DomainError(f"Version {to.version.number} is already live in {environment.name}.")
    return _replace(
        version=to.version,
        environment=environment,
        actor=actor,
        reason=reason,
        previous=replaces,
        kind=Deployment.Kind.ROLL_BACK,
        change_request=undone,
        release=release,
    )


@transaction.atomic
def take_down(
    *,
    prompt: Prompt,
    environment: Environment,
    replaces: Deployment,
    actor: Actor,
    reason: str,
    undone: ChangeRequest | None = None,
    release: Overrides | None = None,
) -> Deployment:
    """Let nothing of a prompt be live in an environment any more: programs that ask for it there are answered 404.

    Raises NotAllowed, Conflict as `deploy` does, DomainError without a reason, and BadReference while other prompts
    that are served take in what is live here.
    """
    environment = steps.take(environment, [prompt.pk])
    gate.require_promotion(environment, actor)
    reason = _required(reason, "Say why you take it down: it stands in the history.")
    _require_current(prompt, environment, replaces)
    composition.check_take_down(prompt, environment.name, release)
    return _replace(
        version=replaces.version,
        environment=environment,
        actor=actor,
        reason=reason,
        previous=replaces,
        kind=Deployment.Kind.TAKE_DOWN,
        change_request=undone,
    )


def _require_undo(prompt: Prompt, environment: Environment, to: Deployment) -> None:
    """Refuse a state that is not the one before: what was taken back, or forced in once, asks for evidence again."""
    tip = _tip(prompt, environment)
    allowed = {target.pk} if tip and (target := boards.undo_target(tip)) else set()
    if tip and tip.kind == Deployment.Kind.DEPLOY and tip.replaced and tip.previous:
        allowed.add(tip.previous.pk)
    if to.pk not in allowed:
        raise DomainError(
            "That is not the state before what is live, or it was taken back itself. Ask for its version anew."
        )


def _tip(prompt: Prompt, environment: Environment) -> Deployment | None:
    return Deployment.objects.tips().loaded().filter(prompt=prompt, environment=environment).first()


def _required(reason: str, why: str) -> str:
    reason = text.clean(reason, field="The reason", max_bytes=4_000).strip()
    if not reason:
        raise DomainError(why)
    return reason


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
    release: Overrides | None = None,
) -> Deployment:
    is_down = kind == Deployment.Kind.TAKE_DOWN
    if not is_down:
        composition.check_move(version, environment.name, release)
        _require_in_hand(version.prompt)
    tip = previous or _tip(version.prompt, environment)
    deployment = Deployment(
        prompt=version.prompt,
        environment=environment,
        previous=tip,
        kind=kind,
        actor=actor if isinstance(actor, User) else None,
        actor_key=actor if isinstance(actor, ApiKey) else None,
        reason=reason,
        change_request=change_request,
        emergency=emergency,
    )
    if tip:
        deployment.salt = tip.salt
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
        after=None if is_down else {"version": version.number, "content_hash": version.content_hash},
        reason=reason,
    )
    return deployment


def _require_in_hand(prompt: Prompt) -> None:
    """Refuse what was archived by now. Archiving waits for the same lock as `composition.check_move` takes."""
    if Prompt.objects.filter(pk=prompt.pk).exclude(archived_at=None).exists():
        raise DomainError(f"{prompt.name} is archived. Bring it back first.")


def _verb(kind: Deployment.Kind, emergency: bool) -> str:
    if emergency:
        return "promoted in an emergency"
    return {
        Deployment.Kind.DEPLOY: "promoted",
        Deployment.Kind.ROLL_BACK: "rolled back",
        Deployment.Kind.TAKE_DOWN: "took down",
    }[kind]
