"""Changing and ending memberships, by calling the actions."""

import threading

import pytest
from django.db import connection

from apps.accounts import actions
from apps.accounts.models import AuditEvent, Membership
from apps.accounts.rights import Role
from apps.core.errors import DomainError, NotAllowed
from tests import factories


def change(membership, acting_user, *roles, environments=(), team=None):
    return actions.update_membership(
        membership=membership, roles=roles, environments=environments, team=team, acting_user=acting_user
    )


def test_an_admin_changes_what_a_member_may_do(workspace, olga, ravi, seat):
    team = factories.make_team(workspace)
    change(seat(ravi), olga, Role.REVIEWER, Role.PUBLISHER, environments=["staging"], team=team)
    found = seat(ravi)
    assert (found.roles, found.environments, found.team) == (["reviewer", "publisher"], ["staging"], team)


def test_a_change_of_rights_leaves_one_audit_event_with_before_and_after(olga, ravi, seat):
    change(seat(ravi), olga, Role.EDITOR)
    event = AuditEvent.objects.get()
    assert (event.actor, event.verb, event.before["roles"], event.after["roles"]) == (
        olga,
        "changed rights",
        ["reviewer"],
        ["editor"],
    )


def test_a_publisher_must_be_told_where(olga, ravi, seat):
    with pytest.raises(DomainError, match="Name the environments"):
        change(seat(ravi), olga, Role.PUBLISHER)


def test_environments_are_dropped_for_who_does_not_publish(olga, paula, seat):
    assert change(seat(paula), olga, Role.EDITOR, environments=["production"]).environments == []


def test_a_member_needs_a_role(olga, ravi, seat):
    with pytest.raises(DomainError, match="at least one role"):
        change(seat(ravi), olga)


def test_an_unknown_role_is_refused(olga, ravi, seat):
    with pytest.raises(DomainError, match="no role"):
        change(seat(ravi), olga, "emperor")


def test_a_team_of_another_workspace_is_refused(olga, ravi, seat, stranger):
    team = factories.make_team(stranger.memberships.get().workspace)
    with pytest.raises(DomainError, match="another workspace"):
        change(seat(ravi), olga, Role.VIEWER, team=team)


def test_who_is_no_admin_cannot_change_members(paula, ravi, seat):
    with pytest.raises(NotAllowed):
        change(seat(ravi), paula, Role.EDITOR)


def test_the_last_admin_cannot_be_demoted(olga, seat):
    with pytest.raises(actions.LastAdmin):
        change(seat(olga), olga, Role.VIEWER)


def test_the_last_admin_cannot_leave(olga, seat):
    with pytest.raises(actions.LastAdmin):
        actions.remove_membership(membership=seat(olga), acting_user=olga)


def test_an_admin_who_cannot_sign_in_does_not_count(olga, oscar, seat):
    oscar.is_active = False
    oscar.save()
    with pytest.raises(actions.LastAdmin):
        actions.remove_membership(membership=seat(olga), acting_user=olga)


def test_one_of_two_admins_may_leave(olga, oscar, seat):
    actions.remove_membership(membership=seat(olga), acting_user=olga)
    assert list(Membership.objects.admins()) == [seat(oscar)]
    assert AuditEvent.objects.get().verb == "left"


def test_anybody_may_leave(ana, olga, seat):
    actions.remove_membership(membership=seat(ana), acting_user=ana)
    assert not Membership.objects.filter(user=ana).exists()


def test_a_member_cannot_remove_another(ana, paula, seat):
    with pytest.raises(NotAllowed):
        actions.remove_membership(membership=seat(ana), acting_user=paula)


def test_removing_twice_is_a_conflict(olga, ana, seat):
    membership = seat(ana)
    actions.remove_membership(membership=membership, acting_user=olga)
    with pytest.raises(DomainError, match="no longer a member"):
        actions.remove_membership(membership=membership, acting_user=olga)


def in_threads(*calls):
    """Start the calls at the same moment, each with a connection of its own, and return how many were refused."""
    barrier, refusals = threading.Barrier(len(calls)), []

    def run(call):
        barrier.wait()
        try:
            call()
        except DomainError as error:
            refusals.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refusals


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_demote_each_other_at_once_leave_one(olga, oscar, seat):
    of_olga, of_oscar = seat(olga), seat(oscar)
    refusals = in_threads(
        lambda: change(of_olga, oscar, Role.VIEWER),
        lambda: change(of_oscar, olga, Role.VIEWER),
    )
    assert Membership.objects.admins().count() == 1
    assert len(refusals) == 1


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_leave_at_once_leave_one(olga, oscar, seat):
    of_olga, of_oscar = seat(olga), seat(oscar)
    in_threads(
        lambda: actions.remove_membership(membership=of_olga, acting_user=olga),
        lambda: actions.remove_membership(membership=of_oscar, acting_user=oscar),
    )
    assert Membership.objects.admins().count() == 1
