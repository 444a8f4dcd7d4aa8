"""Saved inputs: kept by name, loaded, renamed, deleted; never those of another prompt."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import AuditEvent, User, Workspace
from apps.core.errors import DomainError
from apps.prompts import actions
from apps.prompts.models import InputSet, Prompt, Version
from tests import factories
from tests.conftest import ClientOf

LATE = {"customer": "Ines", "message": "It is late."}
FIELDS = {"source": "v1", "model": "", "input-customer": "Ines", "input-message": "It is late."}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def late(version: Version, paula: User) -> InputSet:
    return actions.save_input_set(prompt=version.prompt, name="Late parcel", values=LATE, acting_user=paula)


@pytest.fixture
def of_paula(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def url(name: str, prompt: Prompt, **kwargs: object) -> str:
    return reverse(name, kwargs={"workspace": prompt.workspace.slug, "prompt_id": prompt.pk, **kwargs})


def test_what_is_typed_is_saved_under_a_name(of_paula: Client, version: Version, paula: User) -> None:
    answer = of_paula.post(url("input_set_save", version.prompt), {**FIELDS, "name": " Late parcel "}, headers=HTMX)
    saved = InputSet.objects.get()
    assert (answer.status_code, saved.name, saved.values, saved.created_by) == (200, "Late parcel", LATE, paula)
    assert AuditEvent.objects.filter(verb="saved inputs for").exists()
    assert b'name="loaded" value="%d"' % saved.pk in answer.content


def test_without_htmx_saving_returns_to_the_page_with_the_set_loaded(of_paula: Client, version: Version) -> None:
    answer = of_paula.post(url("input_set_save", version.prompt), {**FIELDS, "name": "Late"}, follow=True)
    assert answer.redirect_chain[0][0].endswith(f"?set={InputSet.objects.get().pk}")
    assert b"It is late." in answer.content


def test_a_set_is_loaded_into_the_fields(of_paula: Client, late: InputSet) -> None:
    content = of_paula.get(url("prompt_try", late.prompt), {"set": late.pk}).content.decode()
    assert "It is late." in content
    fragment = of_paula.post(url("prompt_try", late.prompt), {"source": "v1", "set": late.pk}, headers=HTMX)
    assert "It is late." in fragment.content.decode()
    assert "<html" not in fragment.content.decode()


def test_the_loaded_set_is_changed_by_saving_under_its_name(of_paula: Client, late: InputSet) -> None:
    fields = {**FIELDS, "input-message": "It came!", "name": "Late parcel", "loaded": late.pk}
    of_paula.post(url("input_set_save", late.prompt), fields)
    assert InputSet.objects.get().values["message"] == "It came!"


def test_a_name_that_is_taken_is_refused_and_nothing_is_lost(late: InputSet, paula: User) -> None:
    with pytest.raises(DomainError, match="already a set called"):
        actions.save_input_set(prompt=late.prompt, name="Late parcel", values={}, acting_user=paula)
    late.refresh_from_db()
    assert late.values == LATE


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\x00b"])
def test_a_bad_name_is_refused(late: InputSet, paula: User, name: str) -> None:
    with pytest.raises(DomainError):
        actions.rename_input_set(input_set=late, name=name, acting_user=paula)


def test_a_set_is_renamed_and_deleted(of_paula: Client, late: InputSet) -> None:
    of_paula.post(url("input_set_rename", late.prompt, set_id=late.pk), {"name": "Missing parcel"})
    assert InputSet.objects.get().name == "Missing parcel"
    answer = of_paula.post(url("input_set_delete", late.prompt, set_id=late.pk), headers=HTMX)
    assert (answer.status_code, InputSet.objects.count()) == (200, 0)


def test_a_prompt_keeps_only_so_many_sets(late: InputSet, paula: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.prompts.actions.input_sets.MAX_SETS", 1)
    with pytest.raises(DomainError, match="at most 1"):
        actions.save_input_set(prompt=late.prompt, name="Another", values={}, acting_user=paula)


@pytest.mark.parametrize("name", ["input_set_rename", "input_set_delete"])
def test_a_set_of_another_prompt_is_not_found(
    of_paula: Client, late: InputSet, workspace: Workspace, name: str
) -> None:
    other = factories.make_prompt(workspace, "other")
    assert of_paula.post(url(name, other, set_id=late.pk), {"name": "x"}).status_code == 404
    assert "It is late." not in of_paula.get(url("prompt_try", other), {"set": late.pk}).content.decode()


def test_strangers_and_viewers_change_nothing(client_of: ClientOf, late: InputSet, stranger: User, ravi: User) -> None:
    place = url("input_set_delete", late.prompt, set_id=late.pk)
    assert [client_of(user).post(place).status_code for user in (stranger, ravi)] == [404, 403]
    assert InputSet.objects.exists()
