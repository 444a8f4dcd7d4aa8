import pytest
from django.urls import reverse

from apps.notices import actions, delivering
from apps.notices.models import WebhookDelivery, WebhookEndpoint

FORM = {"name": "Channel", "events": ["prompt.deployed"], "environments": "production"}


@pytest.fixture
def olgas(olga, client_of):
    return client_of(olga)


@pytest.fixture
def endpoint(workspace, olga, receiver):
    fields = {"name": "Release channel", "events": ["prompt.deployed"], "environments": []}
    return actions.create_webhook(workspace=workspace, url=receiver.url, acting_user=olga, **fields)[0]


def url(workspace, name, **kwargs):
    return reverse(name, kwargs={"workspace": workspace.slug, **kwargs})


def test_an_admin_adds_one_and_sees_its_secret_once(workspace, olgas, receiver):
    answer = olgas.post(url(workspace, "webhook_create"), {**FORM, "url": receiver.url}, follow=True)
    assert b"whsec_" in answer.content
    assert answer["Cache-Control"] == "no-store, private"
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.environments == ["production"]
    again = olgas.get(url(workspace, "webhook_secret", pk=endpoint.pk), follow=True)
    assert b"whsec_" not in again.content


def test_a_bad_address_is_told_beside_the_form(workspace, olgas):
    answer = olgas.post(url(workspace, "webhook_create"), {**FORM, "url": "https://169.254.169.254/"})
    assert answer.status_code == 422
    assert b"link-local" in answer.content


def test_an_environment_must_be_a_name(workspace, olgas, receiver):
    answer = olgas.post(url(workspace, "webhook_create"), {**FORM, "url": receiver.url, "environments": "a b"})
    assert answer.status_code == 422


def test_the_page_lists_each_delivery_with_its_answer(workspace, olga, olgas, endpoint, receiver):
    receiver.status, receiver.body = 503, b"<b>later</b>"
    delivering.deliver(actions.ping_webhook(endpoint=endpoint, acting_user=olga).pk)
    page = olgas.get(url(workspace, "webhook_detail", pk=endpoint.pk)).content.decode()
    assert "503" in page
    assert "&lt;b&gt;later&lt;/b&gt;" in page
    assert "takes nothing" in page.lower() or "does not take" in page.lower()


def test_the_list_asks_as_much_for_many_as_for_one(workspace, olga, olgas, endpoint, django_assert_max_num_queries):
    for _ in range(60):
        actions.ping_webhook(endpoint=endpoint, acting_user=olga)
    with django_assert_max_num_queries(14):
        answer = olgas.get(url(workspace, "webhook_detail", pk=endpoint.pk))
    assert "Older" in answer.content.decode()


def test_more_of_the_list_comes_as_a_fragment(workspace, olga, olgas, endpoint):
    actions.ping_webhook(endpoint=endpoint, acting_user=olga)
    last = WebhookDelivery.objects.last()
    at = url(workspace, "webhook_detail", pk=endpoint.pk)
    answer = olgas.get(at, {"before": last.pk + 1}, headers={"HX-Request": "true"})
    assert answer.content.strip().startswith(b"<section")


def test_one_message_can_be_read_and_sent_again(workspace, olga, olgas, endpoint, receiver):
    delivery = actions.ping_webhook(endpoint=endpoint, acting_user=olga)
    delivering.deliver(delivery.pk)
    place = {"pk": endpoint.pk, "delivery_id": delivery.pk}
    assert b"Galley reaches you." in olgas.get(url(workspace, "webhook_delivery", **place)).content
    assert olgas.post(url(workspace, "webhook_replay", **place)).status_code == 302
    assert WebhookDelivery.objects.filter(replay_of=delivery).count() == 1


def test_switching_changing_and_removing(workspace, olgas, endpoint, receiver):
    place = {"pk": endpoint.pk}
    olgas.post(url(workspace, "webhook_switch", **place), {"on": "no"})
    olgas.post(url(workspace, "webhook_detail", **place), {**FORM, "url": receiver.url, "name": "New name"})
    endpoint.refresh_from_db()
    assert (endpoint.is_on, endpoint.name) == (False, "New name")
    assert b"whsec_" in olgas.post(url(workspace, "webhook_rotate", **place), follow=True).content
    olgas.post(url(workspace, "webhook_ping", **place))
    assert olgas.post(url(workspace, "webhook_remove", **place)).status_code == 302
    assert olgas.get(url(workspace, "webhook_detail", **place)).status_code == 404


def test_a_delivery_of_another_webhook_is_not_there(workspace, olga, olgas, endpoint, receiver):
    fields = {"name": "Other", "events": ["prompt.deployed"], "environments": []}
    other, _ = actions.create_webhook(workspace=workspace, url=receiver.url, acting_user=olga, **fields)
    delivery = actions.ping_webhook(endpoint=other, acting_user=olga)
    found = olgas.get(url(workspace, "webhook_delivery", pk=endpoint.pk, delivery_id=delivery.pk))
    assert found.status_code == 404


def test_strangers_and_other_roles_stay_out(workspace, stranger, paula, client_of, endpoint):
    at = url(workspace, "webhook_detail", pk=endpoint.pk)
    assert client_of(stranger).get(at).status_code == 404
    assert client_of(paula).get(at).status_code == 403
    assert client_of(paula).get(url(workspace, "webhook_ping", pk=endpoint.pk)).status_code == 405
