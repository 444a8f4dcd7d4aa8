"""What is kept: who decides, what it means for what is stored, and that the log says so."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEvent, User, Workspace
from apps.llm import policies
from apps.llm.actions import keeping as actions
from apps.llm.models import BodyPolicy, CachedAnswer, CallBody, Model
from tests import factories
from tests.llm.call_rows import charge, make_call

ClientOf = Callable[[User], Client]
FULL = {"kept": "full", "days": 90, "reuse_hours": 0}


@pytest.fixture(autouse=True)
def forgotten() -> Any:
    policies.forget()
    yield
    policies.forget()


def page(workspace: Workspace, name: str = "keeping") -> str:
    return reverse(name, args=[workspace.slug])


def change(workspace: Workspace, olga: User, **fields: Any) -> BodyPolicy:
    return actions.change_keeping(workspace=workspace, acting_user=olga, **{**FULL, **fields})


def make_answers(model: Model, *prompts: int | None, hours: int = 5) -> None:
    now = timezone.now()
    CachedAnswer.objects.bulk_create(
        CachedAnswer(
            workspace=model.workspace, key=f"k{n}", model=model, prompt_id=prompt, answer={}, created_at=now,
            call_id=model.workspace.calls.first().pk, expires_at=now + timedelta(hours=hours),
        )
        for n, prompt in enumerate(prompts)
    )  # fmt: skip


def test_an_admin_opens_the_page(workspace: Workspace, olga: User, client_of: ClientOf) -> None:
    response = client_of(olga).get(page(workspace))
    assert response.status_code == 200
    assert [row["label"] for row in response.context["sections"] if row["active"]] == ["What is kept"]


@pytest.mark.parametrize("name", ["keeping", "keeping_purge"])
def test_nobody_else_does(
    name: str, workspace: Workspace, paula: User, fay: User, stranger: User, client_of: ClientOf
) -> None:
    answers = [client_of(person).post(page(workspace, name), FULL).status_code for person in (paula, fay, stranger)]
    assert answers == [403, 403, 404]
    assert not BodyPolicy.objects.exists()


def test_forgetting_answers_takes_no_get(workspace: Workspace, olga: User, client_of: ClientOf) -> None:
    assert client_of(olga).get(page(workspace, "keeping_purge")).status_code == 405


def test_a_looser_choice_is_saved_and_logged(workspace: Workspace, olga: User, client_of: ClientOf) -> None:
    sent = {"kept": "full", "days": "", "reuse_hours": 24}
    assert client_of(olga).post(page(workspace), sent).status_code == 302
    policy = BodyPolicy.objects.get()
    assert (policy.kept, policy.days, policy.reuse_hours) == ("full", None, 24)
    event = AuditEvent.objects.get()
    assert (event.verb, event.before, event.after) == (
        "changed what is kept", FULL, {"kept": "full", "days": None, "reuse_hours": 24}
    )  # fmt: skip


def test_taking_away_what_is_stored_must_be_meant(workspace: Workspace, olga: User, client_of: ClientOf) -> None:
    client, sent = client_of(olga), {"kept": "none", "days": 90, "reuse_hours": 0}
    asked = client.post(page(workspace), sent)
    assert asked.status_code == 422
    assert "Take away for good" in asked.content.decode()
    assert not BodyPolicy.objects.exists()
    assert client.post(page(workspace), sent | {"sure": "on"}).status_code == 302
    assert BodyPolicy.objects.get().kept == "none"


def test_a_stricter_choice_reaches_what_is_stored_without_waiting_for_the_schedule(
    workspace: Workspace, model: Model, olga: User, django_capture_on_commit_callbacks: Any, settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_call(model, text="Today.")
    rung: list[bool] = []
    monkeypatch.setattr(actions.tasks.sweep_bodies, "delay", lambda: rung.append(True))
    with django_capture_on_commit_callbacks(execute=True):
        change(workspace, olga, kept="hashed")
    assert rung == [True]
    actions.tasks.sweep_bodies()
    assert CallBody.objects.get().text == ""


def test_this_process_follows_a_change_at_once(
    workspace: Workspace, olga: User, django_capture_on_commit_callbacks: Any
) -> None:
    assert policies.policy_of(workspace.pk).kept == "full"
    with django_capture_on_commit_callbacks() as callbacks:
        change(workspace, olga, kept="none")
    next(callback for callback in callbacks if callback is policies.forget)()
    assert policies.policy_of(workspace.pk).kept == "none"


@pytest.mark.parametrize(
    "fields",
    [
        {"kept": "hashed", "reuse_hours": 1},
        {"kept": "none", "reuse_hours": 1},
        {"days": 1, "reuse_hours": 25},
        {"days": 0},
        {"days": 3_651},
        {"kept": "everything"},
        {"reuse_hours": -1},
        {"reuse_hours": 8_761},
    ],
)
def test_what_contradicts_itself_is_refused(
    fields: dict[str, Any], workspace: Workspace, olga: User, client_of: ClientOf
) -> None:
    with pytest.raises(actions.DomainError):
        change(workspace, olga, **fields)
    response = client_of(olga).post(page(workspace), {**FULL, **fields, "sure": "on"})
    assert response.status_code == 422
    assert not BodyPolicy.objects.exists()
    assert not AuditEvent.objects.exists()


def test_answers_serve_no_longer_than_new_ones_would(workspace: Workspace, model: Model, olga: User) -> None:
    make_call(model)
    make_answers(model, None, hours=5)
    change(workspace, olga, reuse_hours=2)
    answer = CachedAnswer.objects.get()
    assert answer.expires_at - answer.created_at == timedelta(hours=2)
    change(workspace, olga, reuse_hours=4)
    answer.refresh_from_db()
    assert answer.expires_at - answer.created_at == timedelta(hours=2)


@pytest.mark.parametrize("fields", [{"reuse_hours": 0}, {"kept": "hashed"}])
def test_answers_that_may_not_serve_any_more_are_forgotten_at_once(
    fields: dict[str, Any], workspace: Workspace, model: Model, olga: User
) -> None:
    make_call(model)
    change(workspace, olga, reuse_hours=5)
    make_answers(model, None)
    change(workspace, olga, **fields)
    assert not CachedAnswer.objects.exists()


def test_the_page_counts_kept_answers_and_what_they_saved(
    workspace: Workspace, model: Model, olga: User, client_of: ClientOf
) -> None:
    call = make_call(model, prompt_id=7, cost=Decimal(0), usage={"input": 0, "output": 0})
    charge(call, saved=Decimal("1.25"), free=True)
    make_answers(model, 7, 7, 8, None)
    context = client_of(olga).get(page(workspace)).context
    assert (context["answers"], context["saved"]) == (4, Decimal("1.25"))
    assert [(row.name, row.answers) for row in context["by_prompt"]] == [("support/reply", 2), ("prompt 8", 1)]


@pytest.mark.parametrize(("sent", "left"), [({}, 0), ({"prompt": "7"}, 2)])
def test_answers_are_forgotten_all_or_of_one_prompt(
    sent: dict[str, str], left: int, workspace: Workspace, model: Model, olga: User, client_of: ClientOf
) -> None:
    make_call(model)
    make_answers(model, 7, 7, 8, None)
    client_of(olga).post(page(workspace, "keeping_purge"), sent)
    assert CachedAnswer.objects.count() == left
    event = AuditEvent.objects.get()
    assert (event.verb, event.after["answers"]) == ("forgot kept answers", 4 - left)


def test_answers_of_another_workspace_stay(model: Model, stranger: User, client_of: ClientOf) -> None:
    make_call(model)
    make_answers(model, 7)
    elsewhere = stranger.memberships.get().workspace
    client_of(stranger).post(page(elsewhere, "keeping_purge"), {"prompt": "7"})
    assert CachedAnswer.objects.count() == 1


def test_the_page_says_how_much_is_still_to_do(
    workspace: Workspace, model: Model, olga: User, client_of: ClientOf
) -> None:
    make_call(model)
    change(workspace, olga, kept="hashed")
    shown = " ".join(client_of(olga).get(page(workspace)).content.decode().split())
    assert "1 call still to do: texts are turned into fingerprints" in shown


def test_the_page_keeps_to_its_queries(
    workspace: Workspace, model: Model, olga: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    for n in range(5):
        make_call(model, prompt_id=n + 1)
        factories.make_member(workspace, f"Person{n}")
    make_answers(model, 1, 2, 3, 4)
    client = client_of(olga)
    client.get(page(workspace))
    with django_assert_max_num_queries(20):
        client.get(page(workspace))
