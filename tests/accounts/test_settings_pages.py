"""The settings pages through the browser's door: who may enter, what they show, what they cost."""

import pytest
from django.urls import reverse

from apps.accounts import actions
from apps.accounts.models import ApiKey, AuditEvent, Invitation, Membership, Team
from apps.accounts.rights import Role
from tests import factories

FOR_ADMINS = [
    "settings_home",
    "workspace_edit",
    "member_list",
    "invitation_list",
    "invitation_create",
    "team_list",
    "team_create",
    "key_list",
    "key_create",
    "audit_list",
]
FOR_ALL = ["profile", "workspace_list", "workspace_leave"]


def url(name, **kwargs):
    return reverse(name, kwargs={"workspace": "acme", **kwargs})


@pytest.fixture
def busy(workspace, olga):
    """A workspace with some of everything."""
    team = factories.make_team(workspace)
    for number in range(12):
        factories.make_member(workspace, f"Person{number}", Role.EDITOR, Role.PUBLISHER, environments=["*"], team=team)
        factories.make_api_key(workspace, "prompts:read", name=f"app {number}", team=team, created_by=olga)
        actions.invite_member(
            workspace=workspace, email=f"new{number}@example.com", roles=[Role.VIEWER], acting_user=olga
        )
        actions.create_team(workspace=workspace, name=f"Team {number}", acting_user=olga)
    return workspace


@pytest.mark.parametrize("name", FOR_ADMINS + FOR_ALL)
def test_an_admin_opens_every_page(client_of, olga, name):
    assert client_of(olga).get(url(name)).status_code == 200


@pytest.mark.parametrize("name", FOR_ALL)
def test_every_member_opens_their_own_pages(client_of, ana, name):
    assert client_of(ana).get(url(name)).status_code == 200


@pytest.mark.parametrize("name", FOR_ADMINS)
def test_another_role_is_refused(client_of, paula, name):
    assert client_of(paula).get(url(name)).status_code == 403


@pytest.mark.parametrize("name", FOR_ADMINS + FOR_ALL)
def test_a_stranger_finds_nothing(client_of, workspace, stranger, name):
    assert client_of(stranger).get(url(name)).status_code == 404


@pytest.mark.parametrize("name", FOR_ADMINS + FOR_ALL)
def test_an_anonymous_person_is_sent_to_sign_in(client, workspace, name):
    assert client.get(url(name))["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("name", ["settings_home", "member_list", "invitation_list", "team_list", "key_list"])
def test_a_page_that_only_shows_refuses_to_be_posted_to(client_of, olga, name):
    assert client_of(olga).post(url(name)).status_code == 405


@pytest.mark.parametrize(
    "name", ["settings_home", "member_list", "invitation_list", "team_list", "key_list", "audit_list"]
)
def test_a_page_costs_few_queries_however_much_it_shows(client_of, busy, olga, name, django_assert_max_num_queries):
    client = client_of(olga)
    with django_assert_max_num_queries(15):
        assert client.get(url(name)).status_code == 200


def test_the_overview_warns_of_a_single_admin(client_of, olga):
    assert b"There is one admin" in client_of(olga).get(url("settings_home")).content


def test_with_two_admins_the_overview_does_not_warn(client_of, olga, oscar):
    assert b"There is one admin" not in client_of(olga).get(url("settings_home")).content


def test_an_admin_moves_the_workspace_to_another_zone(client_of, workspace, olga):
    client_of(olga).post(url("workspace_edit"), {"name": "Acme", "time_zone": "Asia/Tokyo", "currency": "JPY"})
    workspace.refresh_from_db()
    assert (workspace.time_zone, workspace.currency) == ("Asia/Tokyo", "JPY")


@pytest.mark.parametrize("wrong", [{"time_zone": "Mars/Base"}, {"currency": "euro"}, {"name": " "}])
def test_a_wrong_value_is_answered_with_422(client_of, olga, wrong):
    values = {"name": "Acme", "time_zone": "UTC", "currency": "USD", **wrong}
    assert client_of(olga).post(url("workspace_edit"), values).status_code == 422


def test_a_person_changes_their_name(client_of, ana):
    client_of(ana).post(url("profile"), {"name": "  Ana   Lima "})
    ana.refresh_from_db()
    assert ana.name == "Ana Lima"


def test_members_are_shown_with_roles_as_words_and_their_sentences(client_of, olga, paula):
    page = client_of(olga).get(url("member_list")).content.decode()
    assert "Editor, Publisher" in page
    assert "Never sees prompt text." in page


def test_an_admin_changes_a_member_on_their_page(client_of, olga, ravi, seat):
    answer = client_of(olga).post(
        url("member_edit", pk=seat(ravi).pk), {"roles": ["editor", "publisher"], "environments": "dev, staging"}
    )
    assert answer.status_code == 302
    assert (seat(ravi).roles, seat(ravi).environments) == (["editor", "publisher"], ["dev", "staging"])


def test_a_member_without_roles_is_answered_with_422(client_of, olga, ravi, seat):
    answer = client_of(olga).post(url("member_edit", pk=seat(ravi).pk), {"roles": []})
    assert answer.status_code == 422
    assert b"Choose at least one role" in answer.content


def test_demoting_the_last_admin_says_why_not(client_of, olga, seat):
    answer = client_of(olga).post(url("member_edit", pk=seat(olga).pk), {"roles": ["viewer"]})
    assert answer.status_code == 422
    assert b"last admin" in answer.content


def test_a_member_of_another_workspace_is_not_found(client_of, olga, stranger):
    assert client_of(olga).get(url("member_edit", pk=stranger.memberships.get().pk)).status_code == 404


def test_removing_asks_first_and_counts_the_keys_left_behind(client_of, workspace, olga, ravi, seat):
    factories.make_api_key(workspace, "prompts:read", created_by=ravi)
    page = client_of(olga).get(url("member_remove", pk=seat(ravi).pk)).content
    assert b"keep working" in page
    assert Membership.objects.filter(user=ravi).exists()


def test_a_removed_member_is_out_at_once(client_of, olga, ravi, seat):
    inside = client_of(ravi)
    client_of(olga).post(url("member_remove", pk=seat(ravi).pk))
    assert inside.get(url("profile")).status_code == 404


def test_the_last_admin_is_told_why_they_cannot_leave(client_of, olga):
    answer = client_of(olga).post(url("workspace_leave"))
    assert (answer.status_code, b"last admin" in answer.content) == (422, True)


def test_a_member_leaves(client_of, ana):
    client_of(ana).post(url("workspace_leave"))
    assert not Membership.objects.filter(user=ana).exists()


def test_a_team_is_added_and_renamed(client_of, olga):
    client = client_of(olga)
    client.post(url("team_create"), {"name": "Support", "cost_centre": "CC-1"})
    client.post(url("team_edit", pk=Team.objects.get().pk), {"name": "Care", "cost_centre": "CC-2"})
    assert Team.objects.values_list("name", "cost_centre").get() == ("Care", "CC-2")


def test_a_second_team_of_the_same_name_is_answered_with_422(client_of, workspace, olga):
    factories.make_team(workspace, "Support")
    answer = client_of(olga).post(url("team_create"), {"name": "Support"})
    assert (answer.status_code, "already a team" in answer.content.decode()) == (422, True)


def test_a_new_key_shows_its_secret_once_with_a_snippet(client_of, olga):
    client = client_of(olga)
    sent = {"name": "shop", "scopes": ["prompts:read"], "promote": "staging"}
    answer = client.post(url("key_create"), sent, follow=True)
    secret = answer.context["secret"]
    assert secret in answer.content.decode()
    assert f"Bearer {secret}" in answer.context["snippet"]
    assert answer["Cache-Control"] == "no-store, private"
    assert secret not in client.get(url("key_list")).content.decode()


def test_reloading_the_page_with_a_new_key_makes_no_second_and_shows_nothing(client_of, olga):
    client = client_of(olga)
    shown_at = client.post(url("key_create"), {"name": "shop", "scopes": ["prompts:read"]})["Location"]
    secret = client.get(shown_at).context["secret"]
    again = client.get(shown_at, follow=True)
    assert again.redirect_chain == [(url("key_list"), 302)]
    assert secret not in again.content.decode()
    assert "was shown once" in again.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_new_secret_waits_encrypted_and_is_forgotten_when_shown(client_of, olga):
    client = client_of(olga)
    shown_at = client.post(url("key_create"), {"name": "shop", "scopes": ["prompts:read"]})["Location"]
    waiting = dict(client.session)
    secret = client.get(shown_at).context["secret"]
    [name] = waiting.keys() - dict(client.session).keys()
    assert name.startswith("shown_once:")
    assert secret not in str(waiting)


def test_the_secret_of_a_new_key_is_for_who_made_it(client_of, olga, oscar):
    shown_at = client_of(olga).post(url("key_create"), {"name": "shop", "scopes": ["prompts:read"]})["Location"]
    assert client_of(oscar).get(shown_at)["Location"] == url("key_list")


def test_without_keys_to_encrypt_no_api_key_is_made(client_of, olga, settings):
    settings.ENCRYPTION_KEYS = []
    answer = client_of(olga).post(url("key_create"), {"name": "shop", "scopes": ["prompts:read"]})
    assert (answer.status_code, b"ENCRYPTION_KEYS is not set" in answer.content) == (422, True)
    assert not ApiKey.objects.exists()


def test_a_key_is_listed_with_what_it_may_do_in_words(client_of, workspace, olga):
    factories.make_api_key(workspace, "prompts:read", "prompts:promote:staging")
    page = client_of(olga).get(url("key_list")).content.decode()
    assert "Fetch prompts, put versions live in staging" in page


def test_the_last_day_of_a_key_ends_in_the_workspaces_zone(client_of, workspace, olga):
    workspace.time_zone = "Asia/Tokyo"
    workspace.save()
    client_of(olga).post(url("key_create"), {"name": "shop", "scopes": ["prompts:read"], "expires": "2100-01-31"})
    assert ApiKey.objects.get().expires_at.isoformat() == "2100-01-31T15:00:00+00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["prompts:everything"]},
        {"promote": "no such name!"},
        {"name": ""},
        {"expires": "2001-01-01"},
    ],
)
def test_a_key_that_cannot_be_is_answered_with_422(client_of, olga, wrong):
    values = {"name": "shop", "scopes": ["prompts:read"], **wrong}
    assert client_of(olga).post(url("key_create"), values).status_code == 422
    assert not ApiKey.objects.exists()


def test_revoking_a_key_asks_first(client_of, workspace, olga):
    key, _ = factories.make_api_key(workspace, "prompts:read")
    client = client_of(olga)
    client.get(url("key_revoke", pk=key.pk))
    key.refresh_from_db()
    assert key.revoked_at is None
    client.post(url("key_revoke", pk=key.pk))
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_key_of_another_workspace_is_not_found(client_of, olga, stranger):
    key, _ = factories.make_api_key(stranger.memberships.get().workspace, "prompts:read")
    assert client_of(olga).post(url("key_revoke", pk=key.pk)).status_code == 404


def test_an_invitation_shows_its_link_once(client_of, olga):
    client = client_of(olga)
    sent = {"email": "New@Example.com", "roles": ["viewer"]}
    answer = client.post(url("invitation_create"), sent, follow=True)
    assert answer.context["link"] in answer.content.decode()
    assert answer["Cache-Control"] == "no-store, private"
    assert Invitation.objects.get().email == "new@example.com"
    assert answer.context["link"] not in client.get(url("invitation_list")).content.decode()
    assert client.get(answer.redirect_chain[0][0])["Location"] == url("invitation_list")


def test_inviting_a_member_is_answered_with_422(client_of, olga, ana):
    answer = client_of(olga).post(url("invitation_create"), {"email": ana.email, "roles": ["viewer"]})
    assert (answer.status_code, b"already a member" in answer.content) == (422, True)


def test_an_invitation_is_withdrawn(client_of, workspace, olga):
    invitation, _ = actions.invite_member(
        workspace=workspace, email="new@example.com", roles=[Role.VIEWER], acting_user=olga
    )
    client_of(olga).post(url("invitation_revoke", pk=invitation.pk))
    invitation.refresh_from_db()
    assert invitation.revoked_at is not None
    assert AuditEvent.objects.newest_first().first().verb == "withdrew invitation"
