"""Change requests by key: what is missing, and checks from outside."""

from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import AuditEvent, User, Workspace
from apps.prompts import actions, policy
from apps.prompts.models import ChangeRequest, Environment, Version
from tests import factories
from tests.prompts.policies import ask

URL = "/api/v1/change-requests"


@pytest.fixture
def secret(workspace: Workspace) -> str:
    return factories.make_api_key(workspace, "prompts:propose", name="ci")[1]


def call(secret: str, path: str = "", body: Any = None, **query: Any) -> Any:
    headers = {"Authorization": f"Bearer {secret}"}
    if body is None:
        return Client().get(URL + path, query, headers=headers)
    return Client().post(URL + path, body, content_type="application/json", headers=headers)


def report(request: ChangeRequest, **fields: Any) -> dict[str, Any]:
    hash_now = policy.content_hash(ChangeRequest.objects.get(pk=request.pk))
    return {"name": "legal", "status": "passed", "summary": "Fine", "content_hash": hash_now, **fields}


def test_a_program_reads_what_is_missing_and_reports_its_check(
    change_request: ChangeRequest, environments: dict[str, Environment], secret: str
) -> None:
    ask(environments["production"], checks=["legal"])
    path = f"/{change_request.number}"
    found = call(secret, path).json()
    assert "The check legal: not reported yet." in found["missing"]
    body = report(change_request, content_hash=found["content_hash"], url="https://ci.example/1", evidence={"n": 4})
    answer = call(secret, f"{path}/checks", body)
    assert answer.status_code == 201
    assert answer.json()["missing"] == ["1 more approval needed."]
    assert AuditEvent.objects.filter(verb="reported check").latest("number").actor_name == "API key ci"
    assert "You answer customers" not in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "tests"}, 403),
        ({"name": "People"}, 403),
        ({"name": "spend"}, 403),
        ({"name": "no spaces"}, 422),
        ({"status": "great"}, 400),
        ({"summary": ""}, 400),
        ({"content_hash": "0" * 64}, 409),
        ({"content_hash": "x"}, 400),
        ({"url": "javascript:alert(1)"}, 422),
        ({"url": "https://user:secret@ci.example/"}, 422),
        ({"url": "//ci.example"}, 422),
        ({"evidence": {"text": "x" * 17_000}}, 422),
        ({"evidence": {"n": -1}}, 422),
        ({"evidence": {"a": [[[[[[[[[1]]]]]]]]]}}, 422),
        ({"evidence": [1]}, 400),
        ({"summary": "a\u0000b"}, 400),
    ],
)
def test_what_cannot_be_kept_is_refused_as_a_problem(
    change_request: ChangeRequest, secret: str, fields: dict[str, Any], status: int
) -> None:
    answer = call(secret, f"/{change_request.number}/checks", report(change_request, **fields))
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert not change_request.checks.filter(summary="Fine").exists()


def test_a_closed_request_takes_no_reports(change_request: ChangeRequest, secret: str, paula: User) -> None:
    actions.withdraw_change_request(change_request=change_request, acting_user=paula)
    assert call(secret, f"/{change_request.number}/checks", report(change_request)).status_code == 409


def test_what_a_program_says_is_escaped(change_request: ChangeRequest, secret: str, ravi: User, client_of: Any) -> None:
    call(secret, f"/{change_request.number}/checks", report(change_request, summary="<script>alert(1)</script>"))
    page = client_of(ravi).get(f"/w/acme/prompts/requests/{change_request.number}/").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_list_goes_in_pages_and_asks_as_much_for_many_as_for_one(
    workspace: Workspace,
    environments: dict[str, Environment],
    paula: User,
    secret: str,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(5):
        version: Version = factories.make_version(factories.make_prompt(workspace, f"p{number}"), paula)
        actions.open_change_request(
            version=version, environment=environments["production"], title=f"Number {number}", acting_user=paula
        )
    with django_assert_max_num_queries(20):
        first = call(secret, limit=2, state="waiting").json()
    assert [one["number"] for one in first["change_requests"]] == [5, 4]
    rest = call(secret, before=first["older"]).json()
    assert [one["number"] for one in rest["change_requests"]] == [3, 2, 1]
    assert rest["older"] is None
    assert call(secret, state="odd").status_code == 422
    assert call(secret, before="x").status_code == 422
    assert call(secret, environment="dev").json()["change_requests"] == []


def test_another_workspace_is_not_there(change_request: ChangeRequest) -> None:
    other = factories.make_api_key(factories.make_workspace("elsewhere"), "prompts:propose")[1]
    assert call(other, f"/{change_request.number}").status_code == 404
    assert call(other).json()["change_requests"] == []


def test_drafts_are_nobodys_business_but_their_authors(
    version: Version, environments: dict[str, Environment], paula: User, secret: str
) -> None:
    draft = actions.start_change_request(
        versions=[version], environment=environments["production"], title="Secret plan", acting_user=paula
    )
    assert call(secret).json()["change_requests"] == []
    assert call(secret, state="draft").json()["change_requests"] == []
    assert call(secret, f"/{draft.number}").status_code == 404


def test_the_key_that_asked_does_not_prove_it_and_no_key_speaks_for_another(
    change_request: ChangeRequest, environments: dict[str, Environment], workspace: Workspace, secret: str
) -> None:
    ask(environments["production"], checks=["legal"])
    other = factories.make_api_key(workspace, "prompts:propose", name="legal team")[1]
    path = f"/{change_request.number}/checks"
    assert call(other, path, report(change_request, status="failed")).status_code == 201
    refused = call(secret, path, report(change_request))
    assert refused.status_code == 403
    assert "legal team" in refused.json()["detail"]
    ChangeRequest.objects.filter(pk=change_request.pk).update(author_key=workspace.api_keys.get(name="ci"))
    assert call(secret, path, report(change_request, name="style")).status_code == 403


def test_a_key_promotes_what_is_approved_and_what_it_saw(
    change_request: ChangeRequest, workspace: Workspace, secret: str, ravi: User, paula: User
) -> None:
    key = factories.make_api_key(workspace, "prompts:promote:production", name="release", created_by=paula)[1]
    elsewhere = factories.make_api_key(workspace, "prompts:promote:staging", name="staging")[1]
    path = f"/{change_request.number}/promote"
    seen = {"content_hash": policy.content_hash(change_request)}
    assert call(secret, path, seen).status_code == 403
    assert call(elsewhere, path, seen).status_code == 403
    assert call(key, path, {}).status_code == 400
    assert "approval" in call(key, path, seen).json()["detail"]
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)
    assert call(key, path, {"content_hash": "0" * 64}).status_code == 409
    answer = call(key, path, seen)
    assert (answer.status_code, answer.json()["state"]) == (201, "applied")
    assert call(key, path, seen).status_code in (409, 422)
    assert ChangeRequest.objects.get(pk=change_request.pk).dossier.body["promoted_by"] == "API key release"
