"""Making workspaces, teams and keys, by calling the actions and the command."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts import actions
from apps.accounts.models import ApiKey, AuditEvent, Invitation, Membership, Workspace
from apps.accounts.models.keys import hash_of
from apps.accounts.signals import workspace_created
from apps.core.errors import Conflict, DomainError
from tests import factories


def create_key(workspace, acting_user, *scopes, **rest):
    return actions.create_api_key(
        workspace=workspace, name=rest.pop("name", "shop"), scopes=scopes, acting_user=acting_user, **rest
    )


def test_of_a_key_only_the_hash_of_its_secret_is_kept(workspace, olga):
    key, secret = create_key(workspace, olga, "prompts:read")
    stored = str(ApiKey.objects.values().get())
    assert secret not in stored
    assert (key.secret_hash, key.secret_end) == (hash_of(secret), secret[-4:])


def test_the_audit_event_of_a_key_names_it_without_its_secret(workspace, olga):
    key, secret = create_key(workspace, olga, "prompts:read")
    event = AuditEvent.objects.get()
    assert event.after["public_id"] == key.public_id
    assert secret not in str(event.content())


@pytest.mark.parametrize("scope", ["everything", "prompts:promote:", "prompts:promote:a b", "prompts:promote:*", ""])
def test_an_unknown_scope_is_refused(workspace, olga, scope):
    with pytest.raises(DomainError, match="no scope"):
        create_key(workspace, olga, scope)


def test_a_key_may_promote_in_one_environment(workspace, olga):
    key, _ = create_key(workspace, olga, "prompts:promote:staging")
    assert key.allows("prompts:promote:staging")
    assert not key.allows("prompts:promote:production")


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\x00b"])
def test_a_key_needs_a_name_that_fits(workspace, olga, name):
    with pytest.raises(DomainError):
        create_key(workspace, olga, "prompts:read", name=name)


def test_a_key_that_has_ended_already_is_refused(workspace, olga):
    with pytest.raises(DomainError, match="expired already"):
        create_key(workspace, olga, "prompts:read", expires_at=timezone.now() - timedelta(seconds=1))


def test_a_key_is_revoked_once(workspace, olga):
    key, _ = create_key(workspace, olga, "prompts:read")
    actions.revoke_api_key(api_key=key, acting_user=olga)
    with pytest.raises(Conflict):
        actions.revoke_api_key(api_key=key, acting_user=olga)
    assert AuditEvent.objects.filter(verb="revoked").count() == 1


def test_who_creates_a_workspace_is_its_admin(db):
    user = factories.make_user("Nina")
    workspace = actions.create_workspace(name="New", slug="new", acting_user=user)
    assert workspace.memberships.get(user=user).roles == ["admin"]


def test_a_new_workspace_is_announced(db):
    seen = []
    workspace_created.connect(receiver := lambda workspace, **_: seen.append(workspace.slug))
    actions.create_workspace(name="New", slug="new", acting_user=None)
    workspace_created.disconnect(receiver)
    assert seen == ["new"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "Bad Slug"},
        {"slug": "-x"},
        {"time_zone": "Nowhere"},
        {"currency": "usd"},
        {"name": ""},
        {"name": "a" * 121},
    ],
)
def test_a_workspace_that_cannot_be_is_refused(db, wrong):
    with pytest.raises(DomainError):
        actions.create_workspace(**{"name": "New", "slug": "new", "acting_user": None, **wrong})


def test_a_taken_address_is_a_conflict(workspace):
    with pytest.raises(Conflict, match="taken"):
        actions.create_workspace(name="Other", slug="acme", acting_user=None)


def test_renaming_a_team_to_a_taken_name_is_a_conflict(workspace, olga):
    factories.make_team(workspace, "Support")
    team = factories.make_team(workspace, "Sales")
    with pytest.raises(Conflict):
        actions.update_team(team=team, name="Support", cost_centre="", acting_user=olga)


def create_by_command(**options):
    out = StringIO()
    options = {"name": "Acme", "slug": "acme", "admin_email": "olga@example.com", **options}
    call_command("create_workspace", stdout=out, **options)
    return out.getvalue()


def test_the_command_prints_a_link_with_which_the_first_admin_joins(db):
    link = re.search(r"http://127.0.0.1:8000(/join/\S+)", create_by_command()).group(1)
    client = Client()
    client.get(link)
    form = {"name": "Olga", "email": "olga@example.com", "password1": "a long and odd sentence"}
    client.post(reverse("account_signup"), form)
    assert Membership.objects.get(user__email="olga@example.com", workspace__slug="acme").roles == ["admin"]


@pytest.mark.parametrize("wrong", [{"admin_email": "olga"}, {"slug": "A B"}, {"time_zone": "Mars"}])
def test_the_command_makes_all_or_nothing(db, wrong):
    with pytest.raises(CommandError):
        create_by_command(**wrong)
    assert not Workspace.objects.exists()
    assert not Invitation.objects.exists()
