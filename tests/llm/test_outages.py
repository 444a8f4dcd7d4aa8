"""A provider that does not answer is told of on every page, with what waits for it, until it answers again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.llm import beat, inference, outages
from apps.llm.errors import ProviderError
from apps.llm.models import Call, Connection, Lane, Model, Waiter
from tests import factories
from tests.llm.calls import made
from tests.llm.conftest import KEY, ask

ClientOf = Callable[[User], Client]


def down(model: Model, error: str = "timeout", **fields: Any) -> Lane:
    """Put the model's lane down."""
    now = timezone.now()
    plain = {
        "failures": Lane.DOWN_AFTER,
        "failing_since": now - timedelta(minutes=20),
        "failed_at": now - timedelta(minutes=3),
        "last_error": error,
    }
    return Lane.objects.create(model=model, **{**plain, **fields})


def test_what_is_down_says_since_when_why_and_who_waits(workspace: Workspace, model: Model) -> None:
    lane = down(model, in_flight=3)
    now = timezone.now()
    for party, seen_at in (("run:1", now), ("person:2", now), ("run:3", now - timedelta(minutes=1))):
        Waiter.objects.create(model=model, party=party, is_interactive=False, seen_at=seen_at)
    (outage,) = outages.of_workspace(workspace)
    assert (outage.connection, outage.models, outage.since) == ("Practice", ("practice-small",), lane.failing_since)
    assert (outage.verb, outage.why) == ("has not answered", "nothing comes back in time")
    assert (outage.waiting, outage.in_flight) == (2, 3)


def test_models_of_one_connection_are_one_outage(workspace: Workspace, connection: Connection) -> None:
    down(factories.make_model(connection, "a"))
    down(factories.make_model(connection, "b"), failing_since=timezone.now() - timedelta(hours=2))
    down(factories.make_model(factories.make_connection(workspace, name="Other"), "c"))
    found = outages.of_workspace(workspace)
    assert [outage.models for outage in found] == [("b", "a"), ("c",)]


@pytest.mark.parametrize("change", [{"failures": Lane.DOWN_AFTER - 1}, {"failures": 0, "last_error": ""}])
def test_a_few_failures_are_no_outage(change: dict[str, Any], workspace: Workspace, model: Model) -> None:
    down(model, **change)
    assert outages.of_workspace(workspace) == []


def test_nothing_that_is_archived_or_of_others_is_told(workspace: Workspace, model: Model, stranger: User) -> None:
    down(model)
    assert outages.of_workspace(stranger.memberships.get().workspace) == []
    Model.objects.update(archived_at=timezone.now())
    assert outages.of_workspace(workspace) == []


def test_while_nothing_is_down_one_query_is_all(
    workspace: Workspace, model: Model, django_assert_num_queries: Any
) -> None:
    Lane.objects.create(model=model)
    with django_assert_num_queries(1):
        assert outages.of_workspace(workspace) == []


def banner(client: Client, workspace: Workspace) -> str:
    page = client.get(reverse("profile", args=[workspace.slug])).content.decode()
    return " ".join(page[page.index('<main id="main"') : page.index("<h1")].split())


def test_the_banner_stands_above_every_page_for_those_who_see_the_work(
    workspace: Workspace, model: Model, paula: User, ana: User, client_of: ClientOf
) -> None:
    assert "has not answered" not in banner(client_of(paula), workspace)
    down(model)
    shown = banner(client_of(paula), workspace)
    assert "Practice has not answered" in shown
    assert "(nothing comes back in time): practice-small." in shown
    assert "test run" not in shown
    assert "has not answered" not in banner(client_of(ana), workspace)


def test_admins_are_led_to_the_connection(workspace: Workspace, model: Model, olga: User, client_of: ClientOf) -> None:
    down(model, "authentication")
    shown = banner(client_of(olga), workspace)
    assert "has refused the key" in shown
    assert reverse("connection_detail", args=[workspace.slug, model.connection_id]) in shown


@pytest.mark.parametrize("name", ["connection_list", "connection_detail"])
def test_a_connection_that_is_down_is_not_called_healthy(
    name: str, workspace: Workspace, model: Model, olga: User, client_of: ClientOf
) -> None:
    at = [workspace.slug] if name == "connection_list" else [workspace.slug, model.connection_id]
    page = reverse(name, args=at)
    assert "Does not answer" not in client_of(olga).get(page).content.decode()
    down(model)
    assert "Does not answer" in client_of(olga).get(page).content.decode()


def test_a_name_is_text_and_nothing_else(workspace: Workspace, paula: User, client_of: ClientOf) -> None:
    down(factories.make_model(factories.make_connection(workspace, name="<script>alert(1)</script>")))
    assert "<script>alert" not in banner(client_of(paula), workspace)


def test_a_provider_that_answers_again_is_marked_up(model: Model, set_provider: Callable[..., None]) -> None:
    down(model, "connection")
    beat.probe_lanes()
    lane = Lane.objects.get()
    assert (lane.failures, lane.failing_since, lane.failed_at, lane.last_error) == (0, None, None, "")


@pytest.mark.parametrize(
    ("url", "key", "error", "is_up"),
    [
        ("http://127.0.0.1:9/v1", KEY, "connection", False),
        ("{provider}/v1", "sk-revoked-1", "authentication", False),
        ("{provider}/nowhere", KEY, "connection", True),  # it has no such list, but it is there
        ("{provider}/v1", KEY, "authentication", True),
        ("{provider}/v1", KEY, "permission", False),
        ("{provider}/v1", KEY, "timeout", False),  # it lists, as it may well do while nothing else works
        ("{provider}/v1", KEY, "server_error", False),
        ("{provider}/v1", KEY, "overloaded", False),
        ("http://10.0.0.1/v1", KEY, "connection", False),
    ],
)
def test_only_an_answer_that_proves_something_marks_up(
    url: str, key: str, error: str, is_up: bool, workspace: Workspace, provider: str
) -> None:
    down(factories.make_model(factories.make_connection(workspace, url.format(provider=provider), key=key)), error)
    assert outages.probe_lanes() == int(is_up)
    assert Lane.objects.down().exists() is not is_up


@pytest.mark.parametrize("error", ["permission", "timeout", "server_error", "overloaded"])
def test_what_nobody_has_met_for_long_is_no_outage_once_the_server_lists(model: Model, error: str) -> None:
    down(model, error, failed_at=timezone.now() - outages.QUIET - timedelta(seconds=1))
    assert outages.probe_lanes() == 1


def test_the_banner_says_when_it_failed_last(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf
) -> None:
    lane = down(model, "overloaded")
    assert lane.failed_at
    shown = banner(client_of(paula), workspace)
    assert "Practice has been overloaded" in shown
    at = lane.failed_at.astimezone(ZoneInfo(workspace.time_zone))
    assert f">{at:%H:%M}</time>" in shown[shown.index("The last failure was at") :]


def test_one_provider_is_asked_once_for_all_its_models(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        down(factories.make_model(connection, name), "connection")
    asked: list[int] = []
    monkeypatch.setattr(outages, "_answers", lambda one: bool(asked.append(one.pk)) or True)
    assert outages.probe_lanes() == 3
    assert asked == [connection.pk]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", ["503", "529"])
def test_a_provider_that_turns_everybody_away_for_long_is_told_of(
    fault: str, workspace: Workspace, model: Model
) -> None:
    turned_away = ask(model, fault, max_attempts=1)
    for _ in range(Lane.DOWN_AFTER):
        Lane.objects.update(paused_until=None)
        with pytest.raises(ProviderError):
            inference.complete(turned_away)
    (outage,) = outages.of_workspace(workspace)
    assert (outage.verb, outage.failed_at is not None) == ("has been overloaded", True)


@pytest.mark.django_db(transaction=True)
def test_five_failed_calls_raise_the_banner_and_one_answer_takes_it_away(workspace: Workspace, model: Model) -> None:
    broken = ask(model, "500", max_attempts=1)
    for _ in range(Lane.DOWN_AFTER):
        with pytest.raises(ProviderError):
            inference.complete(broken)
    (outage,) = outages.of_workspace(workspace)
    assert outage.verb == "has failed"
    Model.objects.filter(pk=broken.model.pk).update(name=model.name + "x")
    broken.model.name = model.name
    inference.complete(broken)
    assert outages.of_workspace(workspace) == []


def fly(model: Model, count: int, **ago: int) -> None:
    """Put calls in flight that were sent so long ago."""
    sent_at = timezone.now() - timedelta(**ago)
    for _ in range(count):
        made(model, sent_at, state="sent", ended_at=None, ms=None)
    Lane.objects.update_or_create(model=model, defaults={"in_flight": Call.objects.filter(state="sent").count()})


def test_a_provider_that_hangs_is_told_of_before_any_call_fails(workspace: Workspace, model: Model) -> None:
    fly(model, Lane.DOWN_AFTER, seconds=50)
    (outage,) = outages.of_workspace(workspace)
    assert (outage.verb, outage.why, outage.in_flight) == ("has not answered", "nothing comes back in time", 5)


def test_a_few_long_calls_are_no_outage(workspace: Workspace, model: Model) -> None:
    fly(model, Lane.DOWN_AFTER - 1, minutes=3)
    fly(model, 10, seconds=5)
    assert outages.of_workspace(workspace) == []


def test_long_calls_among_others_that_end_are_no_outage(workspace: Workspace, model: Model) -> None:
    fly(model, 10, minutes=2)
    now = timezone.now()
    made(model, now - timedelta(seconds=20), ended_at=now)
    assert outages.of_workspace(workspace) == []
