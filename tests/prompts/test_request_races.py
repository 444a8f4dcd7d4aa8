"""People and clocks that meet in the same instant: each deed is done once, nobody waits in a ring."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.accounts.rights import Role
from apps.core.clock import database_now
from apps.core.errors import DomainError
from apps.notices.models import Notification
from apps.prompts import actions
from apps.prompts.models import Approval, ChangeRequest, Deployment, Environment, Version
from apps.prompts.models.changes import State
from tests import factories
from tests.prompts.test_races import at_once, crashes, slowly

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 50


@pytest.fixture
def rosa(workspace: Workspace) -> User:
    return factories.make_member(workspace, "Rosa", Role.REVIEWER)


@pytest.fixture
def approved(change_request: ChangeRequest, ravi: User) -> ChangeRequest:
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)
    return change_request


def promote(request: ChangeRequest, person: User) -> object:
    return actions.promote_change_request(change_request=request, actor=person)


def test_fifty_people_promote_fifty_prompts_at_once(
    workspace: Workspace, environments: dict[str, Environment], paula: User, ravi: User
) -> None:
    people = [
        factories.make_member(workspace, f"p{number}", Role.PUBLISHER, environments=["*"]) for number in range(MANY)
    ]
    wanted = []
    for number in range(MANY):
        version = factories.make_version(factories.make_prompt(workspace, f"prompt/{number}"), paula)
        request = actions.open_change_request(
            version=version, environment=environments["production"], title=f"r{number}", acting_user=paula
        )
        actions.review_change_request(change_request=request, decision="approve", acting_user=ravi)
        wanted.append(request)
    pairs = zip(wanted, people, strict=True)
    outcomes = at_once(*(lambda request=request, person=person: promote(request, person) for request, person in pairs))
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert Deployment.objects.count() == MANY
    assert set(ChangeRequest.objects.values_list("state", flat=True)) == {State.APPLIED}
    assert list(audit.breaks(workspace)) == []
    promoted = workspace.audit_events.filter(verb="promoted")
    assert promoted.values("actor").distinct().count() == MANY


def test_two_reviewers_approve_in_the_same_instant(
    change_request: ChangeRequest, ravi: User, rosa: User, paula: User, olga: User
) -> None:
    actions.update_policy(
        environment=change_request.environment, approvals=2, self_approval=False, checks=[], acting_user=olga
    )
    works = [
        lambda person=person: actions.review_change_request(
            change_request=change_request, decision="approve", acting_user=person
        )
        for person in (ravi, rosa)
    ]
    assert crashes(at_once(*works)) == []
    assert Approval.objects.count() == 2
    change_request.refresh_from_db()
    assert change_request.state == State.APPROVED
    assert Notification.objects.filter(kind="ready", user=paula).count() == 1


def test_a_promotion_and_a_withdrawal_end_in_one_of_the_two(approved: ChangeRequest, paula: User, olga: User) -> None:
    def withdraw() -> object:
        return actions.withdraw_change_request(change_request=approved, acting_user=paula)

    outcomes = at_once(slowly(withdraw), lambda: promote(approved, olga))
    assert crashes(outcomes) == []
    assert sum(isinstance(outcome, DomainError) for outcome in outcomes) == 1
    approved.refresh_from_db()
    assert (approved.state == State.APPLIED) == Deployment.objects.exists()


def test_the_clock_and_a_person_promote_what_is_due_once(approved: ChangeRequest, paula: User, olga: User) -> None:
    actions.schedule_promotion(change_request=approved, at=database_now() + timedelta(hours=1), acting_user=paula)
    ChangeRequest.objects.update(scheduled_at=Now() - timedelta(seconds=1))
    by_clock = lambda: actions.promote_scheduled(change_request=approved)  # noqa: E731
    outcomes = at_once(by_clock, lambda: promote(approved, olga), by_clock)
    assert crashes(outcomes) == []
    assert Deployment.objects.count() == 1


def test_scheduling_and_promoting_in_the_same_instant_is_one_promotion(
    approved: ChangeRequest, paula: User, olga: User
) -> None:
    def schedule() -> object:
        at = database_now() + timedelta(hours=1)
        return actions.schedule_promotion(change_request=approved, at=at, acting_user=paula)

    outcomes = at_once(slowly(schedule), lambda: promote(approved, olga))
    assert crashes(outcomes) == []
    assert Deployment.objects.count() == 1


def test_an_approval_never_lands_on_what_was_exchanged_under_it(
    change_request: ChangeRequest, better: Version, ravi: User, paula: User
) -> None:
    from apps.prompts import policy

    seen = policy.content_hash(change_request)

    def approve() -> object:
        return actions.review_change_request(
            change_request=change_request, decision="approve", content_hash=seen, acting_user=ravi
        )

    def edit() -> object:
        return actions.replace_version(change_request=change_request, version=better, acting_user=paula)

    assert crashes(at_once(slowly(edit), approve)) == []
    change_request.refresh_from_db()
    assert change_request.state == State.OPEN
    with pytest.raises(DomainError, match="1 more approval"):
        promote(change_request, paula)


def test_rivals_for_one_prompt_promote_at_once_and_one_overtakes_the_other(
    approved: ChangeRequest, better: Version, ravi: User, olga: User, paula: User
) -> None:
    rival = actions.open_change_request(
        version=better, environment=approved.environment, title="Other", acting_user=olga
    )
    actions.review_change_request(change_request=rival, decision="approve", acting_user=ravi)
    outcomes = at_once(lambda: promote(approved, paula), lambda: promote(rival, olga))
    assert crashes(outcomes) == []
    assert Deployment.objects.count() == 1
    assert set(ChangeRequest.objects.values_list("state", flat=True)) == {State.APPLIED, State.SUPERSEDED}


def test_reviews_reports_and_promotions_of_many_requests_never_wait_in_a_ring(
    workspace: Workspace, environments: dict[str, Environment], paula: User, ravi: User, rosa: User, olga: User
) -> None:
    prompts = [factories.make_prompt(workspace, f"p{number}") for number in range(4)]
    versions = [factories.make_version(prompt, paula) for prompt in prompts]
    asked = []
    for first, author in ((0, paula), (1, olga), (2, ravi)):
        request = actions.start_change_request(
            versions=versions[first : first + 2] if author is paula else [versions[first + 1]],
            environment=environments["production"],
            title="t",
            acting_user=author,
        )
        asked.append(actions.submit_change_request(change_request=request, acting_user=author))
    works = []
    for request in asked:
        works += [
            lambda request=request: actions.review_change_request(
                change_request=request, decision="approve", acting_user=rosa
            ),
            lambda request=request: actions.report_check(
                change_request=request, name="legal", status="passed", summary="ok"
            ),
            lambda request=request: promote(request, olga),
        ]
    works.append(
        lambda: actions.update_policy(
            environment=environments["production"], approvals=1, self_approval=True, checks=[], acting_user=olga
        )
    )
    assert crashes(at_once(*works)) == []
    assert list(audit.breaks(workspace)) == []
