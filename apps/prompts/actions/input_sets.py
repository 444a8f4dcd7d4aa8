"""Writing: saved inputs of the playground."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User
from apps.core import canonical, text
from apps.core.errors import DomainError
from apps.prompts import inputs
from apps.prompts.models import InputSet, Prompt

NAME_LIMIT = 80
MAX_SETS = 200


@transaction.atomic
def save_input_set(
    *, prompt: Prompt, name: str, values: dict[str, Any], replaces: InputSet | None = None, acting_user: User
) -> InputSet:
    """Keep the values under a name; under the name of the set that they were loaded from, they replace its values.

    Raises DomainError for a name that is bad or taken, for values that are too large, and for too many sets.
    """
    name, values = _clean_name(name), inputs.clean(values)
    if replaces is not None and replaces.name == name:
        InputSet.objects.filter(pk=replaces.pk).update(values=values, updated_at=timezone.now())
        replaces.values = values
        _record(replaces, "changed inputs of", acting_user)
        return replaces
    if prompt.input_sets.count() >= MAX_SETS:
        raise DomainError(f"A prompt keeps at most {MAX_SETS} sets of inputs. Delete one that nobody needs.")
    fresh = InputSet(prompt=prompt, name=name, values=values, created_by=acting_user)
    _save(fresh)
    _record(fresh, "saved inputs for", acting_user)
    return fresh


@transaction.atomic
def rename_input_set(*, input_set: InputSet, name: str, acting_user: User) -> InputSet:
    """Give a set another name. Raises DomainError for one that is bad or taken."""
    before = input_set.name
    input_set.name = _clean_name(name)
    _save(input_set)
    _record(input_set, "renamed inputs of", acting_user, before={"name": before})
    return input_set


@transaction.atomic
def delete_input_set(*, input_set: InputSet, acting_user: User) -> None:
    """Throw a set away; test cases that were made from it stay."""
    if InputSet.objects.filter(pk=input_set.pk).delete()[0]:
        _record(input_set, "deleted inputs of", acting_user)


def _clean_name(name: str) -> str:
    name = text.clean(name, field="The name", max_bytes=NAME_LIMIT * 4).strip()
    if not name or len(name) > NAME_LIMIT:
        raise DomainError(f"Give the inputs a name of 1 to {NAME_LIMIT} characters.")
    return name


def _save(input_set: InputSet) -> None:
    try:
        with transaction.atomic():
            input_set.save()
    except IntegrityError:
        raise DomainError(
            f'There is already a set called "{input_set.name}". Load it first if you want to change it.'
        ) from None


def _record(input_set: InputSet, verb: str, acting_user: User, before: dict[str, Any] | None = None) -> None:
    after = {"name": input_set.name, "hash": canonical.sha256(input_set.values)}
    prompt = input_set.prompt
    audit.record(workspace=prompt.workspace, actor=acting_user, verb=verb, target=prompt, before=before, after=after)
