"""Prompts that live in a folder, under version control: what in it is not live, as one change request."""

from dataclasses import dataclass, field

from django.db import transaction

from apps.accounts.models import Membership, User, Workspace
from apps.accounts.rights import Right
from apps.core.errors import DomainError, NotAllowed
from apps.prompts import contents
from apps.prompts.actions import steps
from apps.prompts.actions.changes import MOST_PROMPTS, start_change_request, submit_change_request
from apps.prompts.actions.importing import draft_of, import_prompts
from apps.prompts.importing import Batch, Incoming
from apps.prompts.models import ChangeRequest, Deployment, Environment, Version


class NotWhole(DomainError):
    """Something in the folder cannot be taken in, so nothing of it is; `details["problems"]` names each file."""

    code = "not-whole"


@dataclass
class Plan:
    """What applying a folder does: a sentence for each prompt, and the request that it opens, if it opens one."""

    sentences: list[str] = field(default_factory=list)
    changes: list[Version] = field(default_factory=list)
    request: ChangeRequest | None = None


@transaction.atomic
def apply_folder(
    *, batch: Batch, environment: Environment, title: str, why: str = "", acting_user: User, dry_run: bool
) -> Plan:
    """Save what the folder holds and is not here yet, and ask for the newest text of each prompt to go live.

    It asks by one change request, all or nothing; what is live already is left alone. A dry run is the same, taken
    back at its end. Raises NotAllowed without the right to edit, and NotWhole for a folder that is half written.
    """
    workspace = environment.workspace
    member = Membership.objects.filter(workspace=workspace, user=acting_user).first()
    if member is None or not acting_user.is_active or not member.may(Right.EDIT):
        raise NotAllowed(f"{acting_user} may not write prompts in {workspace}.")
    # In the order of `steps`: the place with what waits for it, then the counter of requests, then the prompts.
    names = [one.name for one in batch.prompts if "\x00" not in one.name]
    steps.take(environment, list(workspace.prompts.filter(name__in=names).values_list("pk", flat=True)))
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    report = import_prompts(workspace=workspace, batch=batch, acting_user=acting_user, dry_run=False)
    problems = [*batch.problems, *(f"{line.name}: {line.problem}" for line in report.lines if line.problem)]
    if problems:
        raise NotWhole(" ".join(problems), problems=problems)
    plan = _plan(batch, environment, acting_user)
    if len(plan.changes) > MOST_PROMPTS:
        raise DomainError(
            f"{len(plan.changes)} prompts of this folder are not live yet, and a request holds at most {MOST_PROMPTS}. "
            "Apply one subfolder after the other. Nothing was saved."
        )
    if dry_run:
        transaction.set_rollback(True)
    elif plan.changes:
        request = start_change_request(
            versions=plan.changes, environment=environment, title=title, why=why, acting_user=acting_user
        )
        plan.request = submit_change_request(change_request=request, acting_user=acting_user)
    return plan


def _plan(batch: Batch, environment: Environment, acting_user: User) -> Plan:
    plan = Plan()
    wanted = {one.name: _newest(one, environment, acting_user) for one in batch.prompts}
    live = Deployment.objects.by_prompt(environment.pk, [version.prompt_id for version in wanted.values()])
    for name, version in sorted(wanted.items()):
        here = live.get(version.prompt_id)
        if here and here.version.content_hash == version.content_hash:
            plan.sentences.append(f"  {name}: version {here.version.number} is live in {environment.name} already")
            continue
        now = f"version {here.version.number}" if here else "nothing"
        plan.sentences.append(f"~ {name}: version {version.number} in place of {now}")
        plan.changes.append(version)
    return plan


def _newest(incoming: Incoming, environment: Environment, acting_user: User) -> Version:
    """Return the version that says what the folder says last. It has just come in, or was here before."""
    prompt = environment.workspace.prompts.get(name=contents.clean_name(incoming.name))
    finished = contents.finished(draft_of(prompt, incoming.versions[-1].content, acting_user))
    same = prompt.versions.filter(content_hash=contents.content_hash(finished)).newest_first()
    return same.select_related("prompt__workspace")[0]
