"""What other systems and people hear when production moves."""

import json

import pytest

from apps.notices import actions as notices
from apps.notices.models import Notification, WebhookDelivery
from apps.prompts import actions
from tests import factories
from tests.prompts.policies import ask


@pytest.fixture
def places(workspace):
    return factories.make_environments(workspace)


@pytest.fixture
def listener(workspace, olga):
    events = ["prompt.deployed", "change_request.opened", "change_request.closed"]
    fields = {"name": "All", "url": "http://127.0.0.1:9/", "events": events, "environments": []}
    return notices.create_webhook(workspace=workspace, acting_user=olga, **fields)[0]


def heard():
    return [(row.event, json.loads(row.body)["data"]) for row in WebhookDelivery.objects.order_by("id")]


def test_a_promotion_tells_what_moved_and_no_text(workspace, places, listener, paula, ravi):
    version = factories.make_version(factories.make_prompt(workspace))
    request = actions.open_change_request(
        version=version, environment=places["production"], title="Better", acting_user=paula
    )
    actions.review_change_request(change_request=request, decision="approve", acting_user=ravi)
    actions.promote_change_request(change_request=request, actor=paula)
    events = heard()
    assert [event for event, _ in events] == ["change_request.opened", "prompt.deployed", "change_request.closed"]
    deployed = events[1][1]
    assert (deployed["version"], deployed["environment"], deployed["actor"]) == (1, "production", "Paula")
    assert events[2][1]["state"] == "applied"
    assert not any("customers of a shop" in row.body for row in WebhookDelivery.objects.all())


def test_who_answers_for_production_is_mailed_and_who_did_it_is_not(workspace, places, paula, olga, ana):
    version = factories.make_version(factories.make_prompt(workspace, owner=ana))
    places["production"].policy = {"approvals": 0, "self_approval": True, "checks": []}
    places["production"].save()
    actions.deploy(version=version, environment=places["production"], actor=paula, replaces=None)
    assert {notice.user.name for notice in Notification.objects.filter(kind="deployed")} == {"Ana", "Olga"}


def test_lower_environments_mail_nobody(workspace, places, paula, olga):
    version = factories.make_version(factories.make_prompt(workspace))
    actions.deploy(version=version, environment=places["dev"], actor=paula, replaces=None)
    assert not Notification.objects.filter(kind="deployed").exists()


def test_whose_release_is_undone_is_told(workspace, places, paula, olga, ravi):
    version = factories.make_version(factories.make_prompt(workspace))
    request = actions.open_change_request(
        version=version, environment=places["production"], title="Better", acting_user=paula
    )
    actions.review_change_request(change_request=request, decision="approve", acting_user=ravi)
    actions.promote_change_request(change_request=request, actor=olga)
    actions.undo_release(change_request=request, reason="Wrong answers.", acting_user=olga)
    assert "took down" in Notification.objects.filter(kind="deployed", user=paula).latest("id").title


def released(workspace, places, author, reviewer, count=7):
    """Open and approve a request for as many prompts."""
    versions = [factories.make_version(factories.make_prompt(workspace, f"p{n}", owner=reviewer)) for n in range(count)]
    request = actions.start_change_request(
        versions=versions, environment=places["production"], title="All", acting_user=author
    )
    request = actions.submit_change_request(change_request=request, acting_user=author)
    actions.review_change_request(change_request=request, decision="approve", acting_user=reviewer)
    return request


def deployed_notices(user):
    return [notice.title for notice in Notification.objects.filter(kind="deployed", user=user).order_by("id")]


def test_a_release_is_told_once_however_many_prompts_are_in_it(workspace, places, listener, paula, olga, ravi):
    request = released(workspace, places, paula, ravi)
    actions.promote_change_request(change_request=request, actor=olga)
    names = "p0, p1, p2, p3, p4 and 2 more"
    assert deployed_notices(ravi) == [f"Olga promoted 7 prompts as one: {names}"]
    assert [event for event, _ in heard()].count("prompt.deployed") == 7
    actions.undo_release(change_request=request, reason="Wrong.", acting_user=olga)
    assert deployed_notices(ravi)[1:] == [f"Olga took back 7 prompts as one: {names}"]
    assert deployed_notices(paula) == [f"Olga took back 7 prompts as one: {names}"]


def test_a_place_that_is_put_above_does_not_silence_production(workspace, places, paula, olga, ravi):
    factories.Environment.objects.create(workspace=workspace, name="canary", rank=9, policy={"approvals": 0})
    request = released(workspace, places, paula, ravi, count=1)
    actions.promote_change_request(change_request=request, actor=olga)
    assert deployed_notices(ravi) == ["Olga promoted p0 to version 1"]


def test_whom_the_policy_leaves_out_is_not_told_that_they_can_promote(workspace, places, paula, olga, ravi):
    ask(places["production"], members=[olga.pk])
    released(workspace, places, paula, ravi, count=1)
    told = {notice.user for notice in Notification.objects.filter(kind="ready")}
    assert told == {olga}
