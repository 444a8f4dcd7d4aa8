"""Telling other systems: signed, kept, tried again for two days, and never where it must not go."""

import json
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.core import secrets
from apps.core.errors import Conflict, DomainError
from apps.notices import actions, beat, delivering, signing, waits
from apps.notices.models import Notification, WebhookDelivery, WebhookEndpoint
from apps.notices.models.webhooks import Event
from tests.notices.conftest import Receiver

State = WebhookDelivery.State


@pytest.fixture
def endpoint(workspace, olga, receiver):
    made, _ = make(workspace, olga, receiver.url)
    return made


def make(workspace, olga, url, **fields):
    fields = {"name": "Release channel", "events": [Event.DEPLOYED], "environments": [], **fields}
    return actions.create_webhook(workspace=workspace, url=url, acting_user=olga, **fields)


def announce(workspace, environment="production", event=Event.DEPLOYED):
    return actions.announce(workspace=workspace, event=event, data={"prompt": "a"}, environment=environment)


def test_a_message_is_signed_and_its_answer_is_kept(workspace, endpoint, receiver):
    [delivery] = announce(workspace)
    assert delivering.deliver(delivery.pk)
    [(headers, body)] = receiver.seen
    secret = secrets.decrypt(bytes(endpoint.encrypted_secret))
    assert signing.holds(secret, body, headers["X-Galley-Signature"], int(timezone.now().timestamp()))
    assert (json.loads(body)["type"], headers["X-Galley-Event"]) == ("prompt.deployed", "prompt.deployed")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status_code, delivery.answer) == (State.DELIVERED, 200, "thanks")


def test_a_signature_does_not_hold_for_another_body_secret_or_time():
    value = signing.header(["whsec_a"], b"body", 1_000)
    assert signing.holds("whsec_a", b"body", value, 1_100)
    assert not signing.holds("whsec_a", b"other", value, 1_100)
    assert not signing.holds("whsec_b", b"body", value, 1_100)
    assert not signing.holds("whsec_a", b"body", value, 1_301)
    assert not signing.holds("whsec_a", b"body", "nonsense", 1_000)


def test_after_a_new_secret_both_sign_for_a_day(workspace, olga, endpoint, receiver):
    old = secrets.decrypt(bytes(endpoint.encrypted_secret))
    new = actions.rotate_webhook_secret(endpoint=endpoint, acting_user=olga)
    delivering.deliver(announce(workspace)[0].pk)
    headers, body = receiver.seen[-1]
    now = int(timezone.now().timestamp())
    assert all(signing.holds(secret, body, headers["X-Galley-Signature"], now) for secret in (old, new))
    WebhookEndpoint.objects.update(old_secret_until=timezone.now())
    delivering.deliver(announce(workspace)[0].pk)
    headers, body = receiver.seen[-1]
    assert signing.holds(new, body, headers["X-Galley-Signature"], now)
    assert not signing.holds(old, body, headers["X-Galley-Signature"], now)


def test_a_new_encryption_key_takes_over_the_secrets(workspace, olga, endpoint, receiver, settings):
    secret = secrets.decrypt(bytes(endpoint.encrypted_secret))
    newest = Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [newest, *settings.ENCRYPTION_KEYS]
    call_command("reencrypt_keys", stdout=StringIO())
    settings.ENCRYPTION_KEYS = [newest]
    endpoint.refresh_from_db()
    assert secrets.decrypt(bytes(endpoint.encrypted_secret)) == secret


def test_a_message_whose_secret_cannot_be_opened_waits(workspace, endpoint, receiver, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    [delivery] = announce(workspace)
    assert not delivering.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, receiver.seen) == (State.WAITING, [])
    assert "ENCRYPTION_KEYS" in delivery.answer


def test_only_what_was_asked_for_is_told(workspace, olga, receiver):
    make(workspace, olga, receiver.url, environments=["production"])
    assert announce(workspace, "staging") == []
    assert announce(workspace, event=Event.REQUEST_OPENED) == []
    assert len(announce(workspace, "production")) == 1


def test_a_doubled_task_sends_once(workspace, endpoint, receiver):
    [delivery] = announce(workspace)
    assert delivering.deliver(delivery.pk)
    assert not delivering.deliver(delivery.pk)
    assert len(receiver.seen) == 1


def test_what_a_killed_worker_held_is_sent_after_its_lease(workspace, endpoint, receiver):
    [delivery] = announce(workspace)
    WebhookDelivery.objects.update(lease_until=timezone.now() + delivering.LEASE)
    assert not delivering.deliver(delivery.pk)
    with time_machine.travel(timezone.now() + delivering.LEASE + timedelta(seconds=1)):
        beat.send_waiting_webhooks()
    assert len(receiver.seen) == 1


def test_an_address_that_answers_500_for_a_day_gets_it_when_it_is_well_again(workspace, endpoint, receiver):
    receiver.status, receiver.body = 500, b"broken"
    start = timezone.now()
    [delivery] = announce(workspace)
    delivering.deliver(delivery.pk)
    for minutes in range(10, 24 * 60, 10):
        with time_machine.travel(start + timedelta(minutes=minutes)):
            beat.send_waiting_webhooks()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status_code, delivery.answer) == (State.WAITING, 500, "broken")
    assert 10 <= delivery.attempts == len(receiver.seen) <= 20
    receiver.status = 204
    with time_machine.travel(start + timedelta(hours=29)):
        beat.send_waiting_webhooks()
    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert (delivery.state, endpoint.failures, endpoint.failing_since) == (State.DELIVERED, 0, None)


def test_after_two_days_it_is_given_up(workspace, endpoint, receiver):
    receiver.status = 500
    [delivery] = announce(workspace)
    with time_machine.travel(timezone.now() + waits.GIVE_UP_AFTER):
        beat.send_waiting_webhooks()
        delivery.refresh_from_db()
        assert delivery.state == State.GIVEN_UP
        beat.send_waiting_webhooks()
    assert len(receiver.seen) == 1


def test_one_dead_address_rests_with_all_that_waits_for_it(workspace, endpoint, receiver):
    receiver.status = 500
    first, second = announce(workspace)[0], announce(workspace)[0]
    delivering.deliver(first.pk)
    assert not delivering.deliver(second.pk)
    assert len(receiver.seen) == 1


def test_an_address_that_hangs_does_not_hold_the_others(workspace, olga, endpoint, receiver, monkeypatch):
    monkeypatch.setattr(delivering, "SECONDS", 0.3)
    receiver.seconds = 1.5
    quick = Receiver()
    other, _ = make(workspace, olga, quick.url, name="Quick")
    sent = [announce(workspace) for _ in range(5)]
    beat.send_waiting_webhooks()
    first = next(delivery for delivery in sent[0] if delivery.endpoint_id == endpoint.pk)
    first.refresh_from_db()
    assert "No answer within 0.3 seconds." in first.answer
    assert (len(receiver.seen), len(quick.seen)) == (1, 5)
    assert {row.state for row in WebhookDelivery.objects.filter(endpoint=other)} == {State.DELIVERED}
    quick.server.shutdown()
    quick.server.server_close()


def test_redirects_are_not_followed(workspace, endpoint, receiver):
    receiver.status, receiver.headers = 302, {"Location": "http://169.254.169.254/latest/meta-data/"}
    [delivery] = announce(workspace)
    delivering.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status_code, delivery.state) == (302, State.WAITING)
    assert "redirects are not followed" in delivery.answer


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://10.1.2.3/",
        "http://[::1]:9/",
        "ftp://example.com/",
        "https://user:pass@example.com/",
        "nonsense",
    ],
)
def test_where_nothing_may_be_sent_nothing_can_be_added(workspace, olga, settings, url):
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(DomainError):
        make(workspace, olga, url)


def test_an_address_that_turned_private_later_is_refused_when_it_is_sent_to(workspace, endpoint, receiver, settings):
    settings.OUTBOUND_ALLOW = []
    [delivery] = announce(workspace)
    delivering.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert "private address" in delivery.answer
    assert receiver.seen == []


def test_plain_http_is_for_addresses_that_the_operator_allows(workspace, olga):
    with pytest.raises(DomainError, match="https"):
        make(workspace, olga, "http://93.184.215.14/hook")


def test_of_an_enormous_answer_only_the_beginning_is_kept(workspace, endpoint, receiver):
    receiver.body = b"<script>\x00" + b"x" * 3_000_000
    [delivery] = announce(workspace)
    assert delivering.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert len(delivery.answer) == delivering.KEPT_BYTES
    assert delivery.answer.startswith("<script>\ufffd")


def test_a_replay_is_the_same_event_in_a_row_of_its_own(workspace, olga, endpoint, receiver):
    [delivery] = announce(workspace)
    delivering.deliver(delivery.pk)
    again = actions.replay_delivery(delivery=delivery, acting_user=olga)
    delivering.deliver(again.pk)
    assert receiver.seen[0][1] == receiver.seen[1][1]
    assert receiver.seen[0][0]["X-Galley-Delivery"] == receiver.seen[1][0]["X-Galley-Delivery"]
    assert AuditEvent.objects.filter(verb="sent again").count() == 1


def test_a_person_may_send_to_an_address_that_rests_or_is_off(workspace, olga, endpoint, receiver):
    receiver.status = 500
    delivering.deliver(announce(workspace)[0].pk)
    actions.switch_webhook(endpoint=endpoint, on=False, acting_user=olga)
    receiver.status = 200
    assert delivering.deliver(actions.ping_webhook(endpoint=endpoint, acting_user=olga).pk)
    assert json.loads(receiver.seen[-1][1])["type"] == "ping"


def test_what_happens_while_it_is_off_is_not_sent_later(workspace, olga, endpoint, receiver):
    actions.switch_webhook(endpoint=endpoint, on=False, acting_user=olga)
    assert announce(workspace) == []


def test_a_removed_webhook_hears_nothing_and_forgets_its_secret(workspace, olga, endpoint, receiver):
    [delivery] = announce(workspace)
    actions.remove_webhook(endpoint=endpoint, acting_user=olga)
    beat.send_waiting_webhooks()
    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert (delivery.state, receiver.seen, bytes(endpoint.encrypted_secret)) == (State.GIVEN_UP, [], b"")
    with pytest.raises(Conflict):
        actions.replay_delivery(delivery=delivery, acting_user=olga)


def test_a_name_is_taken_once_and_there_is_an_end_to_endpoints(workspace, olga, receiver, monkeypatch):
    make(workspace, olga, receiver.url)
    with pytest.raises(DomainError, match="already a webhook"):
        make(workspace, olga, receiver.url)
    monkeypatch.setattr(actions.webhooks, "MOST_ENDPOINTS", 1)
    with pytest.raises(DomainError, match="up to 1 webhooks"):
        make(workspace, olga, receiver.url, name="Another")


def test_admins_are_told_once_of_an_address_that_takes_nothing(workspace, olga, paula, endpoint, receiver):
    receiver.status = 500
    delivering.deliver(announce(workspace)[0].pk)
    beat.tell_failing_webhooks()
    assert Notification.objects.count() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        beat.tell_failing_webhooks()
        beat.tell_failing_webhooks()
    assert [notice.user for notice in Notification.objects.filter(kind="webhook")] == [olga]


def test_old_deliveries_are_forgotten_and_waiting_ones_are_not(workspace, endpoint, receiver):
    done, waiting = announce(workspace)[0], announce(workspace)[0]
    delivering.deliver(done.pk)
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        beat.forget_old_webhooks()
    assert list(WebhookDelivery.objects.all()) == [waiting]
