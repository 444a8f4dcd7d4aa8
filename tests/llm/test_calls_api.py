"""Calls for programs: who may read them, the same filters as the page, and pages that follow each other."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Workspace
from apps.llm.models import Model
from apps.llm.traces import search
from tests import factories
from tests.llm.call_rows import make_call

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def get(workspace: Workspace, path: str, *scopes: str, **query: Any) -> Any:
    _, secret = factories.make_api_key(workspace, *(scopes or ("calls:read",)))
    return Client().get(path, query, headers={"Authorization": f"Bearer {secret}"})


def test_a_call_comes_with_its_texts(workspace: Workspace, model: Model) -> None:
    call = make_call(model, NOW, text="Today.")
    body = get(workspace, reverse("api_call", args=[call.pk])).json()
    assert body["request"]["messages"][1]["content"] == "Where is my order?"
    assert (body["id"], body["text"], body["cost"], body["model"]) == (
        str(call.pk), "Today.", "0.000040000000", "practice-small"
    )  # fmt: skip


@pytest.mark.parametrize("scope", ["spend:read", "prompts:read", "charges:write", "evals:run"])
def test_no_other_scope_reads_calls(scope: str, workspace: Workspace, model: Model) -> None:
    call = make_call(model, NOW, text="Today.")
    for path in (reverse("api_calls"), reverse("api_call", args=[call.pk])):
        answer = get(workspace, path, scope)
        assert answer.status_code == 403
        assert b"Where is my order" not in answer.content


def test_nobody_enters_without_a_key() -> None:
    assert Client().get(reverse("api_calls")).status_code == 401


def test_calls_of_another_workspace_are_not_there(model: Model) -> None:
    call = make_call(model, NOW)
    other = factories.make_workspace("other")
    assert get(other, reverse("api_calls")).json()["calls"] == []
    assert get(other, reverse("api_call", args=[call.pk])).status_code == 404


def test_the_list_holds_no_text(workspace: Workspace, model: Model) -> None:
    make_call(model, NOW, text="It left today.")
    answer = get(workspace, reverse("api_calls"))
    assert len(answer.json()["calls"]) == 1
    assert b"Where is my order" not in answer.content
    assert b"It left today" not in answer.content


def test_the_list_is_narrowed_as_on_the_page(workspace: Workspace, model: Model) -> None:
    make_call(model, NOW, purpose="judge", latency_ms=5)
    slow = make_call(model, NOW, purpose="judge", latency_ms=5000)
    make_call(model, NOW, latency_ms=5000)
    body = get(workspace, reverse("api_calls"), purpose="judge", slower="2").json()
    assert [row["id"] for row in body["calls"]] == [str(slow.pk)]


def test_moments_are_read_with_their_offset(workspace: Workspace, model: Model) -> None:
    make_call(model, NOW)
    found = {
        since: len(get(workspace, reverse("api_calls"), since=since).json()["calls"])
        for since in ("2026-11-03T12:00:00Z", "2026-11-03T13:30:00+01:00", "2026-11-03T12:00:00.000+01:00")
    }
    assert list(found.values()) == [1, 0, 1]


def test_what_is_not_understood_is_refused(workspace: Workspace) -> None:
    answer = get(workspace, reverse("api_calls"), slower="long")
    assert answer.status_code == 400
    assert "slower" in answer.json()["errors"]


def test_pages_follow_each_other(workspace: Workspace, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAGE", 2)
    calls = [str(make_call(model, NOW + timedelta(seconds=n)).pk) for n in range(5)]
    seen, query = [], {}
    while True:
        body = get(workspace, reverse("api_calls"), **query).json()
        seen += [row["id"] for row in body["calls"]]
        if body["older"] is None:
            break
        query = {"before": body["older"]}
    assert seen == calls[::-1]


def test_the_list_keeps_to_its_queries(
    workspace: Workspace, connection: Any, django_assert_max_num_queries: Any
) -> None:
    for n in range(8):
        make_call(factories.make_model(connection, f"m{n}"), NOW)
    _, secret = factories.make_api_key(workspace, "calls:read")
    headers = {"Authorization": f"Bearer {secret}"}
    Client().get(reverse("api_calls"), headers=headers)
    with django_assert_max_num_queries(8):
        Client().get(reverse("api_calls"), headers=headers)
