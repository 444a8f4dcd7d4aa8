"""The list of change requests: as many queries for many as for one, and page after page of what is over."""

from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User, Workspace
from apps.prompts import actions, policy
from apps.prompts.models import AcceptedFailure, Environment, SpendApproval
from tests import factories
from tests.conftest import ClientOf
from tests.prompts.policies import ask
from tests.prompts.test_pages import url


@pytest.fixture
def page_of_paula(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def test_the_request_list_needs_as_many_queries_for_ten_as_for_one(
    page_of_paula: Client, workspace: Workspace, paula: User, environments: dict[str, Environment],
    django_assert_max_num_queries: object,
) -> None:  # fmt: skip
    for number in range(10):
        version = factories.make_version(factories.make_prompt(workspace, f"p{number}"), paula)
        actions.open_change_request(
            version=version, environment=environments["production"], title=f"r{number}", acting_user=paula
        )
    with django_assert_max_num_queries(24):
        page_of_paula.get(url("change_request_list", workspace))


def test_the_request_list_asks_once_what_the_policy_asks_of_all(
    page_of_paula: Client, workspace: Workspace, paula: User, ravi: User, fay: User,
    environments: dict[str, Environment], django_assert_max_num_queries: object,
) -> None:  # fmt: skip
    """What was live before, whose accepted failures and whose word on money counts: the same queries for many."""
    place = ask(environments["production"], previous_hours=1, checks=["smoke", "spend"], approvals=1)
    for number in range(10):
        version = factories.make_version(factories.make_prompt(workspace, f"p{number}"), paula)
        actions.deploy(version=version, environment=environments["staging"], actor=paula, replaces=None)
        found = actions.open_change_request(version=version, environment=place, title=f"r{number}", acting_user=paula)
        identity = policy.content_hash(found)
        AcceptedFailure.objects.create(
            change_request=found, check_name="smoke", report_hash="0" * 64, accepted_by=ravi, reason="x"
        )
        SpendApproval.objects.create(
            change_request=found, content_hash=identity, decision="approve", decided_by=fay, increase=1,
            currency="USD", reason="x",
        )  # fmt: skip
    with django_assert_max_num_queries(28):
        answer = page_of_paula.get(url("change_request_list", workspace) + "?show=open")
    assert answer.content.count(b"#") > 10


def test_closed_requests_go_in_pages(
    page_of_paula: Client, workspace: Workspace, paula: User, monkeypatch: Any
) -> None:
    monkeypatch.setattr("apps.prompts.request_boards.LIMIT", 2)
    places = factories.make_environments(workspace)
    for number in range(3):
        version = factories.make_version(factories.make_prompt(workspace, f"p{number}"), paula)
        found = actions.open_change_request(
            version=version, environment=places["production"], title=f"Number {number}", acting_user=paula
        )
        actions.withdraw_change_request(change_request=found, acting_user=paula)
    address = url("change_request_list", workspace) + "?show=closed"
    first, second = (page_of_paula.get(f"{address}&page={number}").content.decode() for number in (1, 2))
    assert "of 3 requests" in first
    assert ("Number 2" in first, "Number 0" in first, "Number 0" in second) == (True, False, True)
