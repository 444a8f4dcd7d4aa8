"""Keeping order among prompts: what they are called, whose they are, what is put away, and old texts taken up again."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Membership, User
from apps.core.errors import Conflict, DomainError
from apps.prompts import composition, contents
from apps.prompts.actions.prompts import open_draft
from apps.prompts.models import ChangeRequest, Draft, Prompt, Version


class NameInUse(DomainError):
    """Programs or other prompts know this prompt by its name."""

    code = "name-in-use"


class DraftInTheWay(Conflict):
    """The author has words of their own that a restored version would take the place of."""

    code = "draft-in-the-way"


class StillUsed(DomainError):
    """The prompt cannot be put away while somebody relies on it."""

    code = "still-used"


@transaction.atomic
def update_prompt(
    *, prompt: Prompt, name: str, description: str, owner: User | None, tags: list[str], acting_user: User
) -> Prompt:
    """Change what is known of a prompt beside its text.

    Raises NameInUse for a new name once it was live or others refer to it, DomainError for a name that is bad or
    taken and an owner from elsewhere.
    """
    prompt = Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)
    before = _known(prompt)
    name = contents.clean_name(name)
    if name != prompt.name:
        _require_free_to_rename(prompt)
    if owner and owner.pk != prompt.owner_id:
        _require_member(prompt, owner)
    prompt.name, prompt.owner = name, owner
    prompt.description, prompt.tags = contents.clean_description(description), contents.clean_tags(tags)
    try:
        with transaction.atomic():
            prompt.save(update_fields=["name", "description", "owner", "tags"])
    except IntegrityError:
        raise DomainError(f"There is already a prompt called {name}.") from None
    if before != _known(prompt):
        audit.record(
            workspace=prompt.workspace,
            actor=acting_user,
            verb="changed",
            target=prompt,
            before=before,
            after=_known(prompt),
        )
    return prompt


def _known(prompt: Prompt) -> dict[str, object]:
    """Return what the audit log keeps: names and ids, not what people wrote."""
    return {"name": prompt.name, "owner_id": prompt.owner_id, "tags": prompt.tags}


def _require_member(prompt: Prompt, owner: User) -> None:
    if not Membership.objects.filter(workspace=prompt.workspace_id, user=owner).exists():
        raise DomainError(f"{owner} is not a member of this workspace.")


def _require_free_to_rename(prompt: Prompt) -> None:
    if prompt.deployments.exists():
        raise NameInUse(
            f"{prompt.name} is or was live, so programs ask for it by this name and would stop finding it. "
            "Keep the name, or make a new prompt and move the programs over."
        )
    composition.lock(prompt.workspace_id)
    parents = prompt.used_in.values_list("version__prompt__name", flat=True).distinct()
    if parents:
        raise NameInUse(f"{prompt.name} is taken in by this name: {', '.join(sorted(parents)[:10])}. Keep it.")


def _names(versions: list[Version]) -> str:
    return ", ".join(dict.fromkeys(version.prompt.name for version in versions))


@transaction.atomic
def archive_prompt(*, prompt: Prompt, acting_user: User) -> None:
    """Take a prompt out of the lists; its versions can still be fetched by number.

    Raises StillUsed while a change request waits, it is live somewhere, or another prompt refers to it.
    """
    prompt = Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)
    # Whoever puts a version live holds the same lock, so that nothing archived is live.
    composition.lock(prompt.workspace_id)
    open_states = (*ChangeRequest.WAITING, ChangeRequest.State.DRAFT)
    if prompt.change_request_items.filter(change_request__state__in=open_states).exists():
        raise StillUsed("A change request for this prompt is open. Withdraw it first.")
    places = list(prompt.deployments.current().values_list("environment__name", flat=True))
    if places:
        raise StillUsed(f"This prompt is live in {' and '.join(sorted(places))}. Take it down there first.")
    if parents := composition.parents_of(prompt):
        raise StillUsed(f"Other prompts take this one in: {_names(parents)}. Change them first.")
    if Prompt.objects.filter(pk=prompt.pk, archived_at=None).update(archived_at=timezone.now()):
        audit.record(workspace=prompt.workspace, actor=acting_user, verb="archived", target=prompt)


@transaction.atomic
def unarchive_prompt(*, prompt: Prompt, acting_user: User) -> None:
    """Put an archived prompt back into the lists."""
    if Prompt.objects.filter(pk=prompt.pk).exclude(archived_at=None).update(archived_at=None):
        audit.record(workspace=prompt.workspace, actor=acting_user, verb="brought back", target=prompt)


@transaction.atomic
def restore_version(*, version: Version, acting_user: User, replace: bool = False) -> Draft:
    """Return the author's draft, begun anew from `version`. Raises Conflict for a draft that would be lost."""
    mine = Draft.objects.select_for_update().filter(prompt=version.prompt_id, author=acting_user).first()
    if mine and (replace or mine.content() == version.content()):
        mine.delete()
    elif mine:
        raise DraftInTheWay("You already have a draft of this prompt.")
    return open_draft(prompt=version.prompt, acting_user=acting_user, start_from=version)
