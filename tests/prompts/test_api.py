import base64

import pytest
from django.test import Client

from apps.accounts.models import User, Workspace
from apps.prompts import actions
from apps.prompts.models import Deployment, Environment, Version
from tests import factories


@pytest.fixture
def secret(workspace: Workspace) -> str:
    return factories.make_api_key(workspace, "prompts:read")[1]


@pytest.fixture
def live(version: Version, environments: dict[str, Environment], paula: User) -> Deployment:
    return actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)


def fetch(secret: str, query: str = "?environment=dev", name: str = "support/reply", **headers: str):
    return Client().get(f"/api/v1/prompts/{name}{query}", headers={"Authorization": f"Bearer {secret}", **headers})


def test_what_is_live_is_fetched_by_name(secret: str, live: Deployment, version: Version) -> None:
    body = fetch(secret).json()
    assert (body["name"], body["version"], body["environment"]) == ("support/reply", 1, "dev")
    assert body["messages"] == version.messages


def test_production_is_the_default(secret: str, live: Deployment) -> None:
    assert fetch(secret, query="").status_code == 404


def test_what_has_not_changed_costs_nothing(secret: str, live: Deployment) -> None:
    etag = fetch(secret)["ETag"]
    again = fetch(secret, **{"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)


def test_a_promotion_ends_the_old_etag_at_once(secret: str, live: Deployment, better: Version, paula: User) -> None:
    etag = fetch(secret)["ETag"]
    actions.deploy(version=better, environment=live.environment, actor=paula, replaces=live)
    answer = fetch(secret, **{"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.json()["version"] == 2


def test_a_version_is_fetched_by_its_number(secret: str, better: Version) -> None:
    assert fetch(secret, query="?version=2").json()["content_hash"] == better.content_hash


@pytest.mark.parametrize("query", ["?version=2&environment=dev", "?version=abc", "?version=-1"])
def test_an_unclear_question_is_a_problem_in_words(secret: str, live: Deployment, query: str) -> None:
    answer = fetch(secret, query=query)
    assert answer.status_code == 422
    assert answer["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("query", ["?version=99", "?environment=moon", "?version=999999999"])
def test_what_is_not_there_is_not_found(secret: str, live: Deployment, query: str) -> None:
    assert fetch(secret, query=query).status_code == 404


def test_all_of_an_environment_come_in_one_answer(
    secret: str, workspace: Workspace, live: Deployment, paula: User
) -> None:
    second = factories.make_version(factories.make_prompt(workspace, "billing/explain"), paula)
    actions.deploy(version=second, environment=live.environment, actor=paula, replaces=None)
    answer = Client().get("/api/v1/prompts?environment=dev", headers={"Authorization": f"Bearer {secret}"})
    assert [prompt["name"] for prompt in answer.json()["prompts"]] == ["billing/explain", "support/reply"]
    again = Client().get(
        "/api/v1/prompts?environment=dev",
        headers={"Authorization": f"Bearer {secret}", "If-None-Match": answer["ETag"]},
    )
    assert again.status_code == 304


def test_a_key_of_another_workspace_finds_nothing(live: Deployment) -> None:
    _, secret = factories.make_api_key(factories.make_workspace("elsewhere"), "prompts:read")
    assert fetch(secret).status_code == 404


def test_basic_and_bearer_open_the_same_door(workspace: Workspace, live: Deployment) -> None:
    key, secret = factories.make_api_key(workspace, "prompts:read")
    pair = base64.b64encode(f"{key.public_id}:{secret}".encode()).decode()
    answer = Client().get("/api/v1/prompts/support/reply?environment=dev", headers={"Authorization": f"Basic {pair}"})
    assert answer.status_code == 200


def test_a_fetch_takes_two_queries(secret: str, live: Deployment, django_assert_max_num_queries: object) -> None:
    fetch(secret)
    with django_assert_max_num_queries(2):
        fetch(secret)


@pytest.mark.parametrize("path", ["x%00y", "support/reply?environment=%00", "support/reply?version=²"])
def test_odd_addresses_are_refused_and_never_a_crash(secret: str, live: Deployment, path: str) -> None:
    answer = Client().get(f"/api/v1/prompts/{path}", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code in (400, 422)
