"""What other systems and people hear when production moves."""

import json

import pytest

from apps.notices import actions as notices
from apps.notices.models import Notification, WebhookDelivery
from apps.prompts import actions
from tests import factories


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
