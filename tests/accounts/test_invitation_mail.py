"""The link of an invitation is mailed once, whatever happens to the broker and the mail server."""

from datetime import UTC, datetime, timedelta
from smtplib import SMTPRecipientsRefused

import pytest
import time_machine
from django.core import mail
from django.urls import reverse

from apps.accounts import actions, beat, mailing, tasks
from apps.accounts.models import Invitation
from apps.accounts.models.workspaces import MAIL_ATTEMPTS
from apps.accounts.rights import Role

LATER = timedelta(minutes=2)


@pytest.fixture
def invited(workspace, olga):
    """An invitation of which the broker lost the message, and its token."""
    return actions.invite_member(workspace=workspace, email="nina@example.com", roles=[Role.VIEWER], acting_user=olga)


def sweep(after=LATER):
    with time_machine.travel(datetime.now(UTC) + after, tick=False):
        beat.send_waiting_invitations()


@pytest.fixture
def broken_mail(monkeypatch):
    """A mail server that refuses as the test says."""

    def refuse(error):
        def send(*_, **__):
            raise error

        monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", send)

    return refuse


def test_the_broker_carries_the_id_alone(workspace, olga, monkeypatch, django_capture_on_commit_callbacks):
    sent = []
    monkeypatch.setattr(tasks.send_invitation, "delay", lambda *args, **kwargs: sent.append((args, kwargs)))
    with django_capture_on_commit_callbacks(execute=True):
        invitation, _ = actions.invite_member(
            workspace=workspace, email="nina@example.com", roles=[Role.VIEWER], acting_user=olga
        )
    assert sent == [((), {"invitation_id": invitation.pk})]


def test_what_the_broker_lost_is_mailed_with_the_link_that_was_shown(client, invited):
    sweep()
    [message] = mail.outbox
    assert reverse("join", kwargs={"token": invited[1]}) in message.body
    assert client.get(reverse("join", kwargs={"token": invited[1]})).status_code == 200


def test_the_sweep_leaves_a_minute_to_the_invitations_own_task(invited):
    sweep(timedelta(seconds=30))
    assert mail.outbox == []


def test_a_mailed_invitation_is_not_mailed_again(invited):
    tasks.send_invitation(invitation_id=invited[0].pk)
    tasks.send_invitation(invitation_id=invited[0].pk)
    sweep()
    assert len(mail.outbox) == 1


def test_an_invitation_that_is_being_mailed_is_left_to_whoever_does_it(invited):
    assert mailing._claim(invited[0].pk) is not None
    assert mailing.deliver(invited[0].pk) is False
    assert mail.outbox == []


@pytest.mark.parametrize("field", ["accepted_at", "revoked_at", "expires_at"])
def test_an_ended_invitation_is_not_mailed(invited, field):
    Invitation.objects.update(**{field: datetime.now(UTC)})
    sweep()
    assert mail.outbox == []


def test_a_mail_server_that_is_away_is_tried_again_after_longer_and_longer_waits(invited, broken_mail, monkeypatch):
    broken_mail(ConnectionRefusedError())
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            sweep(timedelta(minutes=2 if not Invitation.objects.get().mail_attempts else 10))
    waiting = Invitation.objects.get()
    assert (waiting.mail_attempts, waiting.mailed_at) == (2, None)
    assert waiting.mail_lease_until - datetime.now(UTC) > timedelta(minutes=11)
    monkeypatch.undo()
    sweep(timedelta(hours=1))
    assert len(mail.outbox) == 1


def test_a_refused_address_is_given_up(invited, broken_mail):
    broken_mail(SMTPRecipientsRefused({}))
    sweep()
    assert Invitation.objects.get().mail_attempts == MAIL_ATTEMPTS
    sweep(timedelta(hours=1))


def test_after_a_new_secret_key_no_dead_link_is_mailed_and_the_shown_one_works(client, invited, settings):
    settings.SECRET_KEY = "another one"
    sweep()
    sweep(timedelta(hours=1))
    assert mail.outbox == []
    assert client.get(reverse("join", kwargs={"token": invited[1]})).status_code == 200


def test_two_invitations_of_one_address_have_different_links(workspace, olga, invited):
    _, second = actions.invite_member(
        workspace=workspace, email="nina@example.com", roles=[Role.VIEWER], acting_user=olga
    )
    assert second != invited[1]


def test_without_the_secret_key_the_row_does_not_give_the_link_away(invited, settings):
    row = Invitation.objects.get()
    assert row.token() == invited[1]
    settings.SECRET_KEY = "a guess"
    assert row.token() != invited[1]
