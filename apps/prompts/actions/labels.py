"""Labels: plain pointers, moved freely."""

import re

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit import Actor
from apps.accounts.models import ApiKey, User, Workspace
from apps.core.errors import Conflict, DomainError
from apps.prompts import composition
from apps.prompts.models import Environment, Label, Prompt, Version

PATTERN = re.compile(r"[a-z0-9_\-.]{1,36}")
RESERVED = {
    "latest": "latest is always the newest version. It moves by itself.",
    "production": "production is the name of an environment. What is live there changes by promotion.",
}


def clean_label(name: str, *, workspace: Workspace) -> str:
    """Return a label's name. Raises DomainError for a bad one, a reserved one, and one that an environment has."""
    name = name.strip()
    if not PATTERN.fullmatch(name):
        raise DomainError("A label has 1 to 36 small letters, digits, dots, - and _.")
    if name in RESERVED:
        raise DomainError(RESERVED[name])
    if Environment.objects.filter(workspace=workspace, name=name).exists():
        raise DomainError(f"{name} is the name of an environment. What is live there changes by promotion.")
    return name


@transaction.atomic
def move_label(*, version: Version, name: str, actor: Actor) -> Label:
    """Let the label point at this version, wherever it pointed before.

    Raises as `clean_label` does, and BadReference when a prompt that takes this one in by the label would break.
    """
    prompt = version.prompt
    composition.lock(prompt.workspace_id)
    name = clean_label(name, workspace=prompt.workspace)
    before = Label.objects.select_for_update(no_key=True).filter(prompt=prompt, name=name).first()
    if before is not None and before.version_id == version.pk:
        return before
    composition.check_move(version, name)
    was = before.version.number if before else None
    label, _ = Label.objects.update_or_create(
        prompt=prompt,
        name=name,
        defaults={
            "version": version,
            "moved_by": actor if isinstance(actor, User) else None,
            "moved_by_key": actor if isinstance(actor, ApiKey) else None,
            "moved_at": timezone.now(),
        },
    )
    audit.record(
        workspace=prompt.workspace,
        actor=actor,
        verb="moved label",
        target=label,
        before={"version": was} if was else None,
        after={"version": version.number},
    )
    return label


@transaction.atomic
def remove_label(*, prompt: Prompt, name: str, actor: Actor) -> None:
    """Take a label away; its version stays.

    Raises DomainError when there is none of that name and Conflict, naming them, when prompts that matter follow it.
    """
    composition.lock(prompt.workspace_id)
    label = Label.objects.select_for_update().filter(prompt=prompt, name=name).select_related("version").first()
    if label is None:
        raise DomainError(f"{prompt.name} has no label {name}.")
    if parents := composition.parents_of(prompt, label=name):
        names = ", ".join(str(parent) for parent in parents[:5])
        raise Conflict(f"{names} would break: they take {prompt.name} in by the label {name}.")
    audited = Label(pk=label.pk, prompt=prompt, name=name)
    before = {"version": label.version.number}
    label.delete()
    audit.record(workspace=prompt.workspace, actor=actor, verb="removed label", target=audited, before=before)
