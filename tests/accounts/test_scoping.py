"""What belongs to one workspace is out of reach for the admin of another, by its page and inside their own forms."""

import pytest
from django.urls import reverse

from apps.accounts import actions
from apps.accounts.models import ApiKey, AuditEvent, Invitation, Membership, Team
from apps.accounts.rights import Role
from tests import factories

GRANT = {"roles": ["admin"], "environments": "*"}
PAGES = [
    ("member_edit", "seat", GRANT),
    ("member_remove", "seat", {}),
    ("invitation_revoke", "invitation", {}),
    ("team_edit", "team", {"name": "Taken", "cost_centre": "X"}),
    ("key_revoke", "key", {}),
]
FORMS = [
    ("invitation_create", {"email": "new@example.com", "roles": ["viewer"]}),
    ("key_create", {"name": "spy", "scopes": ["prompts:read"]}),
]


@pytest.fixture
def theirs(workspace, olga, ravi):
    """One of everything in acme."""
    team = factories.make_team(workspace)
    invitation, _ = actions.invite_member(
        workspace=workspace, email="nina@example.com", roles=[Role.VIEWER], team=team, acting_user=olga
    )
    return {
        "seat": Membership.objects.get(workspace=workspace, user=ravi),
        "invitation": invitation,
        "team": team,
        "key": factories.make_api_key(workspace, "prompts:read", team=team)[0],
    }


def everything():
    """Return every row that these pages could change, in any workspace."""
    models = (Membership, Invitation, Team, ApiKey, AuditEvent)
    return [list(model.objects.order_by("pk").values()) for model in models]


def elsewhere(name, **kwargs):
    return reverse(name, kwargs={"workspace": "elsewhere", **kwargs})


@pytest.mark.parametrize(("name", "what", "values"), PAGES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_id_of_another_workspace_is_not_found(client_of, stranger, theirs, name, what, values, method):
    before = everything()
    answer = getattr(client_of(stranger), method)(elsewhere(name, pk=theirs[what].pk), values)
    assert answer.status_code in ({404, 405} if method == "get" else {404})
    assert everything() == before


@pytest.mark.parametrize(("name", "values"), FORMS)
def test_a_team_of_another_workspace_is_no_choice(client_of, stranger, theirs, name, values):
    before = everything()
    answer = client_of(stranger).post(elsewhere(name), {**values, "team": theirs["team"].pk})
    assert answer.status_code == 422
    assert "team" in answer.context["form"].errors
    assert everything() == before


def test_a_member_cannot_be_moved_to_a_team_of_another_workspace(client_of, stranger, theirs):
    before = everything()
    seat = stranger.memberships.get()
    answer = client_of(stranger).post(elsewhere("member_edit", pk=seat.pk), {**GRANT, "team": theirs["team"].pk})
    assert answer.status_code == 422
    assert everything() == before


@pytest.mark.parametrize(("name", "values"), FORMS)
def test_the_same_form_works_with_a_team_of_ones_own(client_of, stranger, name, values):
    team = factories.make_team(stranger.memberships.get().workspace)
    answer = client_of(stranger).post(elsewhere(name), {**values, "team": team.pk})
    assert answer.status_code == 302
    assert {"invitation_create": Invitation, "key_create": ApiKey}[name].objects.get().team == team


def test_teams_of_another_workspace_are_not_offered(client_of, stranger, theirs):
    for name, _ in FORMS:
        assert list(client_of(stranger).get(elsewhere(name)).context["form"].fields["team"].queryset) == []
