"""Telling people: once in the inbox, once by e-mail, whatever happens to the task."""

import smtplib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.db import IntegrityError, transaction

from apps.accounts.models import Membership
from apps.notices import actions, beat, mailing, tasks
from apps.notices.models import MAIL_ATTEMPTS, Notification

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def notify(workspace, *users, **fields):
    fields = {"kind": "review_wanted", "title": "Paula asks for your review", "url": "/w/acme/prompts/", **fields}
    return actions.notify(users=users, workspace=workspace, **fields)


@pytest.fixture
def broken_server(monkeypatch):
    """A mail server that cannot be reached until it is mended."""
    state = {"error": ConnectionRefusedError("no server")}
    send = mail.EmailMessage.send

    def send_or_fail(message, *args, **kwargs):
        if state["error"]:
            raise state["error"]
        return send(message, *args, **kwargs)

    monkeypatch.setattr(mail.EmailMessage, "send", send_or_fail)
    return state


def test_each_person_gets_one_notice_in_one_insert(workspace, ana, amir, django_assert_num_queries):
    with django_assert_num_queries(5):  # savepoint, who wants mail, members, insert, release
        notify(workspace, ana, amir, ana)
    assert Notification.objects.unread_of(ana, workspace).count() == 1
    assert Notification.objects.count() == 2


def test_who_left_the_workspace_is_not_told(workspace, ana, amir):
    Membership.objects.filter(user=amir).delete()
    assert [notice.user for notice in notify(workspace, ana, amir)] == [ana]


def test_nobody_to_tell_is_fine(workspace):
    assert notify(workspace) == []


@pytest.mark.parametrize(
    "url",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "w/acme", "/a\nb", "\t/"],
)
def test_a_notice_leads_to_this_site_alone(workspace, ana, url):
    with pytest.raises(actions.BadNotice):
        notify(workspace, ana, url=url)


@pytest.mark.parametrize("url", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_the_database_holds_addresses_of_this_site_alone(workspace, ana, url):
    with pytest.raises(IntegrityError), transaction.atomic():
        Notification.objects.create(workspace=workspace, user=ana, kind="x", title="x", url=url)


def test_a_notice_needs_a_title(workspace, ana):
    with pytest.raises(actions.BadNotice):
        notify(workspace, ana, title=" \n ")


def test_a_title_is_one_line(workspace, ana):
    assert notify(workspace, ana, title="one\r\nBcc: two")[0].title == "one Bcc: two"


def test_the_mail_goes_out_after_commit(workspace, ana, django_capture_on_commit_callbacks, eager_tasks):
    with django_capture_on_commit_callbacks(execute=True):
        notify(workspace, ana, body="It changes <b>two</b> messages.")
        assert mail.outbox == []
    [message] = mail.outbox
    assert (message.to, message.subject) == ([ana.email], "[Acme] Paula asks for your review")
    assert "http://127.0.0.1:8000/w/acme/prompts/" in message.body
    assert "&lt;b&gt;two&lt;/b&gt;" in message.alternatives[0].content


def test_a_notice_that_was_rolled_back_is_not_mailed(workspace, ana, django_capture_on_commit_callbacks, eager_tasks):
    with django_capture_on_commit_callbacks(execute=True):
        sid = transaction.savepoint()
        notify(workspace, ana)
        transaction.savepoint_rollback(sid)
    assert mail.outbox == []


def test_a_doubled_task_sends_once(workspace, ana):
    [notice] = notify(workspace, ana)
    tasks.send_mail(notification_id=notice.pk)
    tasks.send_mail(notification_id=notice.pk)
    assert len(mail.outbox) == 1


def test_a_notice_that_is_being_sent_is_left_alone(workspace, ana):
    [notice] = notify(workspace, ana)
    Notification.objects.update(mail_lease_until=datetime.now(UTC) + timedelta(minutes=5))
    assert mailing.deliver(notice.pk) is False
    assert mail.outbox == []


def test_a_task_for_an_unknown_notice_does_nothing(db):
    tasks.send_mail(notification_id=0)
    assert mail.outbox == []


def test_who_cannot_sign_in_gets_no_mail(workspace, ana):
    [notice] = notify(workspace, ana)
    ana.is_active = False
    ana.save()
    assert mailing.deliver(notice.pk) is False


def test_the_sweep_sends_what_the_broker_lost(workspace, ana):
    with time_machine.travel(NOW):
        [notice] = notify(workspace, ana)
    with time_machine.travel(NOW + timedelta(minutes=2)):
        beat.send_waiting_mail()
        beat.send_waiting_mail()
    notice.refresh_from_db()
    assert len(mail.outbox) == 1
    assert notice.emailed_at is not None


def test_the_sweep_leaves_the_newest_to_their_tasks(workspace, ana):
    notify(workspace, ana)
    beat.send_waiting_mail()
    assert mail.outbox == []


def test_a_mail_whose_process_died_is_sent_when_its_lease_has_lapsed(workspace, ana):
    with time_machine.travel(NOW):
        [notice] = notify(workspace, ana)
        Notification.objects.update(mail_lease_until=NOW + mailing.LEASE)
    with time_machine.travel(NOW + mailing.LEASE + timedelta(seconds=1)):
        assert mailing.deliver(notice.pk) is True


def test_a_server_out_of_reach_gives_the_mail_back_after_a_while(workspace, ana, broken_server):
    with time_machine.travel(NOW):
        [notice] = notify(workspace, ana)
        with pytest.raises(ConnectionRefusedError):
            mailing.deliver(notice.pk)
        broken_server["error"] = None
        assert mailing.deliver(notice.pk) is False
    with time_machine.travel(NOW + timedelta(seconds=61)):
        assert mailing.deliver(notice.pk) is True


def test_a_mail_server_that_is_away_for_an_hour_loses_no_mail(workspace, ana, broken_server):
    with time_machine.travel(NOW):
        [notice] = notify(workspace, ana)
    for minute in range(1, 61):
        with time_machine.travel(NOW + timedelta(minutes=minute)), suppress(ConnectionRefusedError):
            mailing.deliver(notice.pk)
    broken_server["error"] = None
    with time_machine.travel(NOW + timedelta(hours=3)):
        assert mailing.deliver(notice.pk) is True


def test_a_mail_is_given_up_after_some_attempts(workspace, ana, broken_server):
    [notice] = notify(workspace, ana)
    for _ in range(MAIL_ATTEMPTS):
        Notification.objects.update(mail_lease_until=None)
        with pytest.raises(ConnectionRefusedError):
            mailing.deliver(notice.pk)
    broken_server["error"] = None
    Notification.objects.update(mail_lease_until=None)
    assert mailing.deliver(notice.pk) is False


def test_a_refused_address_is_not_tried_again_and_stops_nobody_else(workspace, ana, amir, broken_server):
    with time_machine.travel(NOW):
        first, second = notify(workspace, ana, amir)
    broken_server["error"] = smtplib.SMTPRecipientsRefused({})
    assert mailing.deliver(first.pk) is False
    broken_server["error"] = None
    with time_machine.travel(NOW + timedelta(minutes=2)):
        beat.send_waiting_mail()
    assert [message.to for message in mail.outbox] == [[second.user.email]]


def test_reading_is_for_ones_own_notices(workspace, ana, amir):
    [notice] = notify(workspace, ana)
    actions.mark_read(notification=notice, acting_user=amir)
    assert Notification.objects.unread_of(ana, workspace).count() == 1
