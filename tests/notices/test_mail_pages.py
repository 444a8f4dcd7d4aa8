"""Every e-mail is listed with what the mail server said to it, and can be sent again."""

import smtplib
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.core.errors import DomainError
from apps.notices import actions, mailing
from apps.notices.models import MAIL_ATTEMPTS, Notification

pytestmark = pytest.mark.django_db


@pytest.fixture
def notice(workspace, ana):
    (made,) = actions.notify(users=[ana], workspace=workspace, kind="ratings_wanted", title="Rate <b>12</b> answers")
    return made


@pytest.fixture
def server(monkeypatch):
    """A mail server that answers with an error until it is mended."""
    state = {"error": None}
    send = mail.EmailMessage.send

    def send_or_fail(message, *args, **kwargs):
        if state["error"]:
            raise state["error"]
        return send(message, *args, **kwargs)

    monkeypatch.setattr(mail.EmailMessage, "send", send_or_fail)
    return state


def page(client, name="mail_list", **more):
    return client.get(reverse(name, kwargs={"workspace": "acme", **more})).content.decode()


def deliver(notice):
    with suppress(OSError):
        mailing.deliver(notice.pk)


def test_what_waits_was_sent_or_was_refused_is_listed_with_the_answer(client_of, olga, notice, server):
    olgas = client_of(olga)
    assert "Rate &lt;b&gt;12&lt;/b&gt; answers" in page(olgas)
    assert "Waits" in page(olgas)
    server["error"] = smtplib.SMTPDataError(451, b"Come back\r\nlater")
    deliver(notice)
    assert "Waits, tried 1 time" in page(olgas)
    assert "451 Come back later" in page(olgas)
    server["error"] = smtplib.SMTPRecipientsRefused({"ana@example.com": (550, b"No such <user>")})
    Notification.objects.update(mail_lease_until=None)
    deliver(notice)
    assert "Given up" in page(olgas)
    assert "550 No such &lt;user&gt;" in page(olgas)
    assert Notification.objects.get().mail_attempts == MAIL_ATTEMPTS


def test_a_mail_that_was_given_up_is_sent_again_by_hand(
    client_of, olga, notice, server, django_capture_on_commit_callbacks
):
    Notification.objects.update(mail_attempts=MAIL_ATTEMPTS, mail_answer="550 No")
    with django_capture_on_commit_callbacks(execute=True):
        client_of(olga).post(reverse("mail_again", kwargs={"workspace": "acme", "pk": notice.pk}))
    deliver(notice)
    assert [message.to for message in mail.outbox] == [[notice.user.email]]
    notice.refresh_from_db()
    assert (notice.mail_state, notice.mail_answer) == ("sent", "")
    assert AuditEvent.objects.filter(verb="sent an e-mail again to").exists()
    assert "Sent" in page(client_of(olga))


def test_a_mail_that_is_still_on_its_way_is_not_sent_twice(client_of, olga, notice):
    """Its worker holds it: letting it go would have another one send it too."""
    lease = timezone.now() + timedelta(minutes=5)
    Notification.objects.update(mail_attempts=1, mail_lease_until=lease)
    answer = client_of(olga).post(reverse("mail_again", kwargs={"workspace": "acme", "pk": notice.pk}))
    assert answer.status_code == 409
    notice.refresh_from_db()
    assert (notice.mail_attempts, notice.mail_lease_until) == (1, lease)
    assert not AuditEvent.objects.filter(verb="sent an e-mail again to").exists()


@pytest.mark.parametrize("left", ["the workspace", "for good"])
def test_who_has_left_is_sent_nothing_again(workspace, client_of, olga, ana, notice, left):
    deliver(notice)
    if left == "the workspace":
        workspace.memberships.get(user=ana).delete()
    else:
        type(ana).objects.filter(pk=ana.pk).update(is_active=False)
    with pytest.raises(DomainError, match="no member of"):
        actions.send_mail_again(notification=notice, acting_user=olga)
    notice.refresh_from_db()
    assert notice.mail_state == "sent"


def test_only_admins_of_the_workspace_see_and_send(client_of, paula, stranger, olga, notice):
    again = reverse("mail_again", kwargs={"workspace": "acme", "pk": notice.pk})
    for user, status in ((paula, 403), (stranger, 404)):
        assert client_of(user).get(reverse("mail_list", kwargs={"workspace": "acme"})).status_code == status
        assert client_of(user).post(again).status_code == status
    theirs = reverse("mail_again", kwargs={"workspace": "elsewhere", "pk": notice.pk})
    assert client_of(stranger).post(theirs).status_code == 404


def test_the_list_asks_as_much_for_many_as_for_one(
    client_of, workspace, olga, ana, amir, django_assert_max_num_queries
):
    for number in range(60):
        actions.notify(users=[ana, amir], workspace=workspace, kind="ratings_wanted", title=f"Batch {number}")
    olgas = client_of(olga)
    with django_assert_max_num_queries(14):
        shown = page(olgas)
    assert "of 120 e-mails" in shown
