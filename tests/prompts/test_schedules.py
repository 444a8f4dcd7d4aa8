"""Promotion at a moment: judged again when it is due, done once, never late in silence."""

from datetime import timedelta

import pytest
import time_machine
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import Membership, User
from apps.core.clock import database_now
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices.models import Notification
from apps.prompts import actions, beat
from apps.prompts.actions.promoting import GRACE, NotReady
from apps.prompts.models import ChangeRequest, Deployment, Environment, Version
from apps.prompts.models.changes import State
from tests import factories

SOON = timedelta(hours=2)


@pytest.fixture
def approved(change_request: ChangeRequest, ravi: User) -> ChangeRequest:
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)
    return change_request


@pytest.fixture
def scheduled(approved: ChangeRequest, paula: User) -> ChangeRequest:
    return actions.schedule_promotion(change_request=approved, at=database_now() + SOON, acting_user=paula)


def let_it_be_due(request: ChangeRequest, ago: timedelta = timedelta(seconds=5)) -> None:
    ChangeRequest.objects.filter(pk=request.pk).update(scheduled_at=Now() - ago)


def state_of(request: ChangeRequest) -> str:
    return ChangeRequest.objects.get(pk=request.pk).state


def test_what_is_due_goes_live_in_the_name_of_who_set_it(scheduled: ChangeRequest, paula: User) -> None:
    let_it_be_due(scheduled)
    beat.promote_due()
    assert state_of(scheduled) == State.APPLIED
    assert Deployment.objects.get().actor == paula
    assert scheduled.dossier.body["scheduled_for"]


def test_before_its_time_nothing_happens(scheduled: ChangeRequest) -> None:
    beat.promote_due()
    assert state_of(scheduled) == State.SCHEDULED
    assert not Deployment.objects.exists()


def test_the_clock_of_this_machine_does_not_matter(scheduled: ChangeRequest) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=3)):
        beat.promote_due()
        actions.promote_scheduled(change_request=scheduled)
    assert not Deployment.objects.exists()


def test_a_doubled_beat_promotes_once(scheduled: ChangeRequest) -> None:
    let_it_be_due(scheduled)
    actions.promote_scheduled(change_request=scheduled)
    assert actions.promote_scheduled(change_request=scheduled) == []
    assert Deployment.objects.count() == 1


def test_what_was_missed_by_more_than_the_grace_is_not_promoted_in_silence(
    scheduled: ChangeRequest, paula: User
) -> None:
    let_it_be_due(scheduled, GRACE + timedelta(minutes=1))
    beat.promote_due()
    request = ChangeRequest.objects.get(pk=scheduled.pk)
    assert request.state == State.APPROVED
    assert "nobody was at the desk" in request.state_note
    assert not Deployment.objects.exists()
    assert Notification.objects.filter(user=paula, kind="schedule_failed").exists()


def test_who_lost_the_right_does_not_promote_by_an_old_schedule(scheduled: ChangeRequest, paula: User) -> None:
    Membership.objects.filter(user=paula).update(roles=["editor"])
    let_it_be_due(scheduled)
    beat.promote_due()
    assert state_of(scheduled) == State.APPROVED
    assert not Deployment.objects.exists()


def test_a_check_that_fails_in_between_stops_it_when_it_is_due(scheduled: ChangeRequest, olga: User) -> None:
    actions.update_policy(
        environment=scheduled.environment, approvals=1, self_approval=False, checks=["legal"], acting_user=olga
    )
    assert state_of(scheduled) == State.SCHEDULED
    let_it_be_due(scheduled)
    beat.promote_due()
    request = ChangeRequest.objects.get(pk=scheduled.pk)
    assert request.state == State.OPEN
    assert "legal" in request.state_note


def test_an_objection_takes_it_off_at_once(scheduled: ChangeRequest, ravi: User, paula: User) -> None:
    actions.review_change_request(
        change_request=scheduled, decision="request_changes", comment="Wait.", acting_user=ravi
    )
    assert state_of(scheduled) == State.CHANGES_REQUESTED
    assert Notification.objects.filter(user=paula, kind="schedule_failed").exists()


def test_live_that_moves_takes_it_off_at_once(
    scheduled: ChangeRequest, better: Version, olga: User, paula: User
) -> None:
    Environment.objects.update(policy={})
    place = Environment.objects.get(pk=scheduled.environment_id)
    actions.deploy(version=better, environment=place, actor=olga, replaces=None)
    assert state_of(scheduled) == State.OPEN
    assert Notification.objects.filter(user=paula, kind="conflict").exists()


def test_one_that_breaks_does_not_hold_up_the_others(
    scheduled: ChangeRequest, workspace: object, paula: User, ravi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = factories.make_version(factories.make_prompt(scheduled.workspace, "other"), paula)
    second = actions.open_change_request(
        version=version, environment=scheduled.environment, title="2", acting_user=paula
    )
    actions.review_change_request(change_request=second, decision="approve", acting_user=ravi)
    actions.schedule_promotion(change_request=second, at=database_now() + SOON, acting_user=paula)
    let_it_be_due(scheduled)
    let_it_be_due(second)
    promote = actions.promote_scheduled

    def break_once(*, change_request: ChangeRequest) -> object:
        if change_request.pk == scheduled.pk:
            raise RuntimeError("a bug")
        return promote(change_request=change_request)

    monkeypatch.setattr(actions, "promote_scheduled", break_once)
    with pytest.raises(RuntimeError):
        beat.promote_due()
    assert state_of(second) == State.APPLIED


def test_it_can_be_moved_and_taken_off(scheduled: ChangeRequest, paula: User) -> None:
    later = database_now() + timedelta(days=2)
    actions.schedule_promotion(change_request=scheduled, at=later, acting_user=paula)
    assert ChangeRequest.objects.get(pk=scheduled.pk).scheduled_at == later
    actions.cancel_schedule(change_request=scheduled, acting_user=paula)
    assert state_of(scheduled) == State.APPROVED
    with pytest.raises(Conflict, match="not scheduled any more"):
        actions.cancel_schedule(change_request=scheduled, acting_user=paula)


@pytest.mark.parametrize("by", ["withdrawn", "overtaken"])
def test_who_set_the_time_hears_that_nothing_comes_of_it(
    approved: ChangeRequest, by: str, paula: User, olga: User, ravi: User
) -> None:
    actions.schedule_promotion(change_request=approved, at=database_now() + SOON, acting_user=olga)
    if by == "withdrawn":
        actions.withdraw_change_request(change_request=approved, acting_user=paula)
    else:
        prompt = approved.items.get().prompt
        newest = factories.make_version(prompt, paula, messages=[{"role": "user", "content": "Other {{message}}"}])
        rival = actions.open_change_request(
            version=newest, environment=approved.environment, title="Rival", acting_user=ravi
        )
        actions.review_change_request(change_request=rival, decision="approve", acting_user=olga)
        actions.promote_change_request(change_request=rival, actor=paula)
    titles = Notification.objects.filter(user=olga, kind="schedule_failed").values_list("title", flat=True)
    assert len(titles) == 1
    assert titles[0].startswith("Not promoted as scheduled: ")


def test_what_is_not_ready_is_not_scheduled(change_request: ChangeRequest, paula: User) -> None:
    with pytest.raises(NotReady, match="1 more approval"):
        actions.schedule_promotion(change_request=change_request, at=database_now() + SOON, acting_user=paula)


@pytest.mark.parametrize("away", [timedelta(minutes=-1), timedelta(days=91)])
def test_a_moment_that_is_past_or_far_is_refused(approved: ChangeRequest, paula: User, away: timedelta) -> None:
    with pytest.raises(DomainError, match="still to come"):
        actions.schedule_promotion(change_request=approved, at=database_now() + away, acting_user=paula)


def test_who_may_not_promote_does_not_schedule_or_unschedule(approved: ChangeRequest, ravi: User, paula: User) -> None:
    at = database_now() + SOON
    with pytest.raises(NotAllowed):
        actions.schedule_promotion(change_request=approved, at=at, acting_user=ravi)
    actions.schedule_promotion(change_request=approved, at=at, acting_user=paula)
    with pytest.raises(NotAllowed):
        actions.cancel_schedule(change_request=approved, acting_user=ravi)


def test_what_is_scheduled_stays_as_it_was_approved(scheduled: ChangeRequest, better: Version, paula: User) -> None:
    with pytest.raises(DomainError, match="off the schedule"):
        actions.replace_version(change_request=scheduled, version=better, acting_user=paula)


@pytest.mark.django_db(transaction=True)
def test_a_beat_that_dies_in_the_middle_leaves_nothing_and_the_next_does_it(
    scheduled: ChangeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.prompts.actions import promoting

    let_it_be_due(scheduled)
    compose = promoting.dossiers.compose

    def die(*args: object, **kwargs: object) -> object:
        raise SystemExit

    monkeypatch.setattr(promoting.dossiers, "compose", die)
    with pytest.raises(SystemExit):
        beat.promote_due()
    assert not Deployment.objects.exists()
    monkeypatch.setattr(promoting.dossiers, "compose", compose)
    beat.promote_due()
    assert state_of(scheduled) == State.APPLIED
