"""Inviting, joining and signing up: the only way in."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse

from apps.accounts import actions
from apps.accounts.models import AuditEvent, Invitation, Membership, User
from apps.accounts.rights import Role
from apps.core.errors import DomainError, NotAllowed
from tests import factories

NEW = "nina@example.com"
PASSWORD = "a long and odd sentence"


def invite(workspace, acting_user, email=NEW, roles=(Role.EDITOR,), **rest):
    return actions.invite_member(workspace=workspace, email=email, roles=roles, acting_user=acting_user, **rest)


def join_url(token):
    return reverse("join", kwargs={"token": token})


def sign_up(client, email=NEW, name="Nina Reis"):
    return client.post(reverse("account_signup"), {"name": name, "email": email, "password1": PASSWORD})


def test_the_token_is_kept_nowhere(workspace, olga):
    invitation, token = invite(workspace, olga)
    assert token not in str(Invitation.objects.values().get(pk=invitation.pk))
    assert token not in str(list(AuditEvent.objects.values()))


def test_the_link_goes_out_by_mail_after_commit(workspace, olga, django_capture_on_commit_callbacks, eager_tasks):
    with django_capture_on_commit_callbacks(execute=True):
        _, token = invite(workspace, olga)
    [message] = mail.outbox
    assert message.to == [NEW]
    assert message.subject == "Join Acme on Galley"
    assert f"http://127.0.0.1:8000{join_url(token)}" in message.body


def test_a_withdrawn_invitation_is_not_mailed(workspace, olga, django_capture_on_commit_callbacks, eager_tasks):
    with django_capture_on_commit_callbacks(execute=True):
        invitation, _ = invite(workspace, olga)
        actions.revoke_invitation(invitation=invitation, acting_user=olga)
    assert mail.outbox == []


def test_a_second_invitation_replaces_the_first(client, workspace, olga):
    _, first = invite(workspace, olga)
    _, second = invite(workspace, olga, email="NINA@example.com")
    assert client.get(join_url(first)).status_code == 404
    assert client.get(join_url(second)).status_code == 200


def test_an_expired_invitation_can_be_replaced(client, workspace, olga):
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8), tick=True):
        invite(workspace, olga)
    _, token = invite(workspace, olga)
    assert client.get(join_url(token)).status_code == 200


def test_nobody_hands_out_rights_that_they_do_not_hold(workspace, paula):
    with pytest.raises(NotAllowed, match="rights that you hold"):
        invite(workspace, paula, roles=[Role.FINANCE])


def test_nobody_hands_out_environments_that_they_may_not_publish_to(workspace):
    petra = factories.make_member(workspace, "Petra", Role.PUBLISHER, environments=["dev"])
    with pytest.raises(NotAllowed, match="environments"):
        invite(workspace, petra, roles=[Role.PUBLISHER], environments=["production"])


@pytest.mark.parametrize("email", ["", "nina", "nina@", "nina@exa mple.com"])
def test_an_address_that_cannot_be_is_refused(workspace, olga, email):
    with pytest.raises(DomainError, match="not an e-mail address"):
        invite(workspace, olga, email=email)


def test_the_join_page_says_where_and_as_what(client, workspace, olga):
    _, token = invite(workspace, olga)
    page = client.get(join_url(token)).content.decode()
    assert "Join Acme" in page
    assert "Writes drafts" in page


def ended(workspace, olga, how):
    invitation, token = invite(workspace, olga)
    now = datetime.now(UTC)
    changes = {"used": {"accepted_at": now}, "withdrawn": {"revoked_at": now}, "expired": {"expires_at": now}}
    Invitation.objects.filter(pk=invitation.pk).update(**changes[how])
    return token


def without_secrets(answer):
    """Return the page without its nonce and CSRF token, which differ every time."""
    return re.sub(rb"[\w+/=-]{20,}", b"", answer.content)


@pytest.mark.parametrize("how", ["used", "withdrawn", "expired"])
def test_a_link_that_ended_looks_like_one_that_never_was(client, workspace, olga, how):
    token = ended(workspace, olga, how)
    gone, unknown = client.get(join_url(token)), client.get(join_url("never-was"))
    assert (gone.status_code, unknown.status_code) == (404, 404)
    assert without_secrets(gone) == without_secrets(unknown)
    assert b"Acme" not in gone.content


def test_an_invited_person_signs_up_and_is_a_member(client, workspace, olga):
    _, token = invite(workspace, olga, roles=[Role.EDITOR, Role.PUBLISHER], environments=["staging"])
    client.get(join_url(token))
    answer = sign_up(client)
    seat = Membership.objects.get(user__email=NEW)
    assert (answer.status_code, seat.user.name, seat.roles, seat.environments) == (
        302,
        "Nina Reis",
        ["editor", "publisher"],
        ["staging"],
    )


def test_who_signed_up_is_signed_in_and_lands_in_the_workspace(client, workspace, olga):
    _, token = invite(workspace, olga)
    client.get(join_url(token))
    sign_up(client)
    assert client.get(reverse("home"))["Location"] == "/w/acme/"


def test_signing_up_uses_the_invitation(workspace, olga):
    _, token = invite(workspace, olga)
    first, second = Client(), Client()
    first.get(join_url(token)), second.get(join_url(token))
    sign_up(first)
    sign_up(second)
    assert User.objects.filter(email=NEW).count() == 1
    assert second.get(join_url(token)).status_code == 404


def test_nobody_signs_up_without_an_invitation(client, db):
    answer = sign_up(client)
    assert not User.objects.exists()
    assert b"password1" not in answer.content


def test_an_invitation_that_ends_meanwhile_lets_nobody_in(client, workspace, olga):
    invitation, token = invite(workspace, olga)
    client.get(join_url(token))
    actions.revoke_invitation(invitation=invitation, acting_user=olga)
    sign_up(client)
    assert not User.objects.filter(email=NEW).exists()


def test_only_the_invited_address_may_sign_up(client, workspace, olga):
    _, token = invite(workspace, olga)
    client.get(join_url(token))
    answer = sign_up(client, email="mallory@example.com")
    assert "Use the address that the invitation was sent to." in answer.content.decode()
    assert not User.objects.filter(email="mallory@example.com").exists()


def test_signing_up_asks_for_a_name(client, workspace, olga):
    _, token = invite(workspace, olga)
    client.get(join_url(token))
    sign_up(client, name="")
    assert not User.objects.filter(email=NEW).exists()


def test_a_person_with_an_account_is_sent_to_sign_in(client, workspace, olga):
    nina = factories.make_user("nina")
    _, token = invite(workspace, olga, email=nina.email)
    assert b"Sign in to join" in client.get(join_url(token)).content
    answer = sign_up(client, email=nina.email)
    assert b"You already have an account" in answer.content


def test_a_person_with_an_account_joins_by_the_button(client_of, workspace, olga):
    nina = factories.make_user("nina")
    _, token = invite(workspace, olga, email=nina.email)
    client_of(nina).post(join_url(token))
    assert Membership.objects.get(user=nina).roles == ["editor"]


def test_looking_at_the_link_alone_joins_nobody(client_of, workspace, olga):
    nina = factories.make_user("nina")
    _, token = invite(workspace, olga, email=nina.email)
    client_of(nina).get(join_url(token))
    assert not Membership.objects.filter(user=nina).exists()


def test_another_account_cannot_use_the_link(client_of, workspace, olga, stranger):
    _, token = invite(workspace, olga)
    client = client_of(stranger)
    assert b"another address" in client.get(join_url(token)).content
    client.post(join_url(token))
    assert not workspace.memberships.filter(user=stranger).exists()


def test_an_anonymous_post_joins_nobody(client, workspace, olga):
    _, token = invite(workspace, olga)
    client.post(join_url(token))
    assert Invitation.objects.get().accepted_at is None


def test_an_invitation_is_accepted_once(workspace, olga):
    nina = factories.make_user("nina")
    invitation, _ = invite(workspace, olga, email=nina.email)
    actions.accept_invitation(invitation=invitation, acting_user=nina)
    with pytest.raises(actions.InvitationGone):
        actions.accept_invitation(invitation=invitation, acting_user=nina)
    assert AuditEvent.objects.filter(verb="joined").count() == 1


def test_an_account_keeps_the_address_it_was_invited_with(client_of, ana):
    answer = client_of(ana).post("/accounts/email/", {"email": "other@example.com", "action_add": ""})
    assert answer.status_code == 404
    ana.refresh_from_db()
    assert ana.email == "ana@example.com"
    assert not ana.emailaddress_set.filter(email="other@example.com").exists()
