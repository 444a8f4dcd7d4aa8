"""What was live when, and who put it there."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User, Workspace
from apps.prompts import actions, history
from apps.prompts.models import Deployment, Environment, Prompt, Version
from tests import factories
from tests.conftest import ClientOf

LISBON = ZoneInfo("Europe/Lisbon")
FIRST = datetime(2026, 3, 3, 9, 30, tzinfo=LISBON)
SECOND = datetime(2026, 3, 3, 10, 30, tzinfo=LISBON)


@pytest.fixture
def moved(
    version: Version, better: Version, environments: dict[str, Environment], paula: User, olga: User
) -> list[Deployment]:
    """Paula put version 1 live at half past nine, Olga version 2 at half past ten."""
    dev = environments["dev"]
    with time_machine.travel(FIRST, tick=False):
        first = actions.deploy(version=version, environment=dev, actor=paula, reason="Start.", replaces=None)
    with time_machine.travel(SECOND, tick=False):
        second = actions.deploy(version=better, environment=dev, actor=olga, replaces=first)
    return [first, second]


@pytest.mark.parametrize(
    ("hour", "minute", "number"), [(9, 29, None), (9, 30, 1), (10, 0, 1), (10, 30, 2), (23, 59, 2)]
)
def test_the_state_of_a_moment_is_what_had_been_put_there_by_then(
    workspace: Workspace, prompt: Prompt, moved: list[Deployment], hour: int, minute: int, number: int | None
) -> None:
    moment = datetime(2026, 3, 3, hour, minute, tzinfo=LISBON)
    found = history.as_of(workspace, moment, [prompt])
    live = found.get(prompt.pk, {}).get(moved[0].environment_id)
    assert (live.version.number if live else None) == number


@pytest.fixture
def page_of_ravi(client_of: ClientOf, ravi: User) -> Client:
    return client_of(ravi)


def address(url_name: str, workspace: Workspace, **more: int) -> str:
    return reverse(url_name, kwargs={"workspace": workspace.slug, **more})


def test_the_page_answers_what_was_live_at_ten_and_who_put_it_there(
    page_of_ravi: Client, workspace: Workspace, prompt: Prompt, moved: list[Deployment]
) -> None:
    url = address("deployment_list", workspace, prompt_id=prompt.pk)
    content = page_of_ravi.get(url, {"at": "2026-03-03T10:00"}).content.decode()
    assert "On 3 March 2026 at 10:00" in content
    words = content.split("<strong>version 1</strong>")[1].split("</li>")[0]
    assert "<strong>Paula</strong> put it there on 3 March 2026, 09:30: Start." in words


def test_the_whole_workspace_answers_too(page_of_ravi: Client, workspace: Workspace, moved: list[Deployment]) -> None:
    content = page_of_ravi.get(address("history_page", workspace), {"at": "2026-03-03T10:00"}).content.decode()
    assert "Paula, 3 Mar 2026, 09:30" in content
    assert "Olga" not in content.split("<main")[1]


@pytest.mark.parametrize("at", ["soon", "2026-13-01T10:00", "2026-03-29T01:30", "", "9" * 300])
@pytest.mark.parametrize("name", ["history_page", "deployment_list"])
def test_a_moment_that_no_clock_showed_is_said_so(
    page_of_ravi: Client, workspace: Workspace, prompt: Prompt, moved: list[Deployment], name: str, at: str
) -> None:
    more = {"prompt_id": prompt.pk} if name == "deployment_list" else {}
    answer = page_of_ravi.get(address(name, workspace, **more), {"at": at})
    assert answer.status_code in (200, 422)
    assert at in ("", "2026-03-03T10:00") or b"Choose a day and a time" in answer.content


@pytest.mark.parametrize("query", [{"range": "day"}, {"range": "x", "until": "y"}, {"until": "2026-03-04T00:00"}])
def test_the_timeline_zooms_and_moves(
    page_of_ravi: Client, workspace: Workspace, prompt: Prompt, moved: list[Deployment], query: dict[str, str]
) -> None:
    url = address("deployment_list", workspace, prompt_id=prompt.pk)
    assert page_of_ravi.get(url, query).status_code == 200


def test_a_lane_is_filled_from_end_to_end_without_overlap(
    workspace: Workspace, prompt: Prompt, environments: dict[str, Environment], moved: list[Deployment]
) -> None:
    shown = history.window("day", SECOND + timedelta(hours=2))
    [lane] = history.lanes_of_prompt(prompt, environments.values(), shown)
    (x1, w1), (x2, w2) = ((float(s.x[:-1]), float(s.width[:-1])) for s in lane.segments)
    assert x1 + w1 == pytest.approx(x2, abs=0.01)
    assert x2 + w2 == pytest.approx(100, abs=0.01)
    assert [segment.label for segment in lane.segments] == ["v1", "v2"]


def test_what_ended_before_the_window_is_not_drawn(
    prompt: Prompt, environments: dict[str, Environment], moved: list[Deployment]
) -> None:
    [lane] = history.lanes_of_prompt(
        prompt, environments.values(), history.window("day", datetime(2026, 6, 1, tzinfo=UTC))
    )
    assert [(segment.label, segment.x, segment.width) for segment in lane.segments] == [("v2", "0.000%", "100.000%")]


def test_the_history_page_needs_as_many_queries_for_thirty_prompts_as_for_one(
    page_of_ravi: Client,
    workspace: Workspace,
    paula: User,
    environments: dict[str, Environment],
    django_assert_max_num_queries: object,
) -> None:
    for number in range(30):
        version = factories.make_version(factories.make_prompt(workspace, f"p{number}"), paula)
        actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    with django_assert_max_num_queries(24):
        page_of_ravi.get(address("history_page", workspace), {"environment": "dev"})
