"""The life of a change request: drafts, several prompts, states that follow from facts, rivals, and coming back."""

import pytest
from django.db import DatabaseError, transaction

from apps.accounts.models import Membership, User, Workspace
from apps.accounts.rights import Role
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices.models import Notification
from apps.prompts import actions, beat
from apps.prompts.models import ChangeRequest, Deployment, Environment, Prompt, Version
from apps.prompts.models.changes import MOVES, State
from tests import factories

Places = dict[str, Environment]


@pytest.fixture
def other(workspace: Workspace, paula: User) -> Version:
    return factories.make_version(factories.make_prompt(workspace, "support/classify"), paula)


@pytest.fixture
def draft(version: Version, other: Version, environments: Places, paula: User) -> ChangeRequest:
    return actions.start_change_request(
        versions=[version, other], environment=environments["production"], title="Both", acting_user=paula
    )


@pytest.fixture
def both(draft: ChangeRequest, paula: User) -> ChangeRequest:
    return actions.submit_change_request(change_request=draft, acting_user=paula)


def state_of(request: ChangeRequest) -> str:
    return ChangeRequest.objects.get(pk=request.pk).state


def approve(request: ChangeRequest, person: User) -> None:
    actions.review_change_request(change_request=request, decision="approve", acting_user=person)


def promote(request: ChangeRequest, person: User) -> list[Deployment]:
    return actions.promote_change_request(change_request=request, actor=person)


def go_live(version: Version, place: Environment, person: User) -> Deployment:
    """Put a version live while the policy looks away."""
    policy = place.policy
    Environment.objects.filter(pk=place.pk).update(policy={})
    live = Deployment.objects.by_prompt(place.pk, [version.prompt_id]).get(version.prompt_id)
    made = actions.deploy(
        version=version, environment=Environment.objects.get(pk=place.pk), actor=person, replaces=live
    )
    Environment.objects.filter(pk=place.pk).update(policy=policy)
    return made


# Drafts and several prompts


def test_a_draft_asks_nobody_and_cannot_be_decided(draft: ChangeRequest, ravi: User) -> None:
    assert draft.state == State.DRAFT
    assert not Notification.objects.exists()
    with pytest.raises(Conflict, match="a draft"):
        approve(draft, ravi)


def test_only_its_author_collects_in_a_draft_and_opens_it(draft: ChangeRequest, better: Version, olga: User) -> None:
    with pytest.raises(NotAllowed):
        actions.replace_version(change_request=draft, version=better, acting_user=olga)
    with pytest.raises(NotAllowed):
        actions.submit_change_request(change_request=draft, acting_user=olga)


def test_an_empty_draft_is_not_opened(draft: ChangeRequest, paula: User) -> None:
    for item in draft.items.all():
        actions.remove_from_change_request(change_request=draft, prompt_id=item.prompt_id, acting_user=paula)
    with pytest.raises(DomainError, match="Add a prompt first"):
        actions.submit_change_request(change_request=draft, acting_user=paula)


def test_several_prompts_go_live_as_one(both: ChangeRequest, ravi: User, paula: User) -> None:
    approve(both, ravi)
    made = promote(both, paula)
    assert len(made) == 2
    assert {item["prompt"] for item in both.dossier.body["items"]} == {"support/reply", "support/classify"}


def test_one_that_moved_keeps_all_of_them_back(
    both: ChangeRequest, other: Version, environments: Places, ravi: User, paula: User, olga: User
) -> None:
    approve(both, ravi)
    later = factories.make_version(other.prompt, paula, message="later", output_schema={})
    go_live(later, environments["production"], olga)
    with pytest.raises(Conflict, match="support/classify moved"):
        promote(both, paula)
    assert not Deployment.objects.filter(prompt__name="support/reply").exists()


def test_a_prompt_added_or_taken_out_voids_what_was_approved(
    both: ChangeRequest, other: Version, ravi: User, paula: User
) -> None:
    approve(both, ravi)
    assert state_of(both) == State.APPROVED
    actions.remove_from_change_request(change_request=both, prompt_id=other.prompt_id, acting_user=paula)
    assert state_of(both) == State.OPEN
    approve(both, ravi)
    actions.add_to_change_request(change_request=both, version=other, acting_user=paula)
    assert state_of(both) == State.OPEN


def test_the_last_prompt_of_an_open_request_stays(change_request: ChangeRequest, paula: User) -> None:
    prompt_id = change_request.items.get().prompt_id
    with pytest.raises(DomainError, match="Withdraw it"):
        actions.remove_from_change_request(change_request=change_request, prompt_id=prompt_id, acting_user=paula)


# Undo


@pytest.fixture
def released(
    version: Version, better: Version, other: Version, environments: Places, paula: User, ravi: User
) -> ChangeRequest:
    """Two prompts that were live, replaced by one release."""
    place = environments["production"]
    newer = factories.make_version(other.prompt, paula, message="newer", output_schema={})
    for one in (version, other):
        go_live(one, place, paula)
    place.refresh_from_db()
    draft = actions.start_change_request(
        versions=[better, newer], environment=place, title="Release", acting_user=paula
    )
    request = actions.submit_change_request(change_request=draft, acting_user=paula)
    approve(request, ravi)
    promote(request, paula)
    return request


def live_numbers(place: Environment) -> dict[str, int]:
    rows = Deployment.objects.current().loaded().filter(environment=place).select_related("prompt")
    return {row.prompt.name: row.version.number for row in rows}


def test_a_release_is_undone_as_one(released: ChangeRequest, paula: User) -> None:
    assert set(live_numbers(released.environment).values()) == {2}
    made = actions.undo_release(change_request=released, reason="Colder.", acting_user=paula)
    assert set(live_numbers(released.environment).values()) == {1}
    assert {(one.kind, one.reason, one.change_request) for one in made} == {("roll_back", "Colder.", released)}


def test_a_release_of_which_one_prompt_moved_is_not_undone_by_halves(
    released: ChangeRequest, prompt: Prompt, environments: Places, paula: User, olga: User
) -> None:
    third = factories.make_version(prompt, paula, message="third", output_schema={"title": "3"})
    go_live(third, environments["production"], olga)
    with pytest.raises(Conflict, match="support/reply moved since: version 3 is live"):
        actions.undo_release(change_request=released, reason="Colder.", acting_user=paula)
    assert live_numbers(released.environment) == {"support/reply": 3, "support/classify": 2}


def test_an_undo_needs_the_right_and_a_reason_and_happens_once(
    released: ChangeRequest, ravi: User, paula: User
) -> None:
    with pytest.raises(NotAllowed):
        actions.undo_release(change_request=released, reason="No.", acting_user=ravi)
    with pytest.raises(DomainError, match="Say why"):
        actions.undo_release(change_request=released, reason=" ", acting_user=paula)
    actions.undo_release(change_request=released, reason="Colder.", acting_user=paula)
    with pytest.raises(Conflict):
        actions.undo_release(change_request=released, reason="Again.", acting_user=paula)


def test_what_replaced_nothing_is_taken_down(both: ChangeRequest, ravi: User, paula: User) -> None:
    approve(both, ravi)
    promote(both, paula)
    undone = actions.undo_release(change_request=both, reason="No.", acting_user=paula)
    assert [made.is_take_down for made in undone if made.previous and not made.previous.replaced]
    assert not any(
        Deployment.objects.by_prompt(both.environment_id, [made.prompt_id]) for made in undone if made.is_take_down
    )


# States that follow from facts


def test_approved_falls_back_when_the_policy_grows(change_request: ChangeRequest, ravi: User, olga: User) -> None:
    approve(change_request, ravi)
    assert state_of(change_request) == State.APPROVED
    actions.update_policy(
        environment=change_request.environment, approvals=2, self_approval=False, checks=[], acting_user=olga
    )
    assert state_of(change_request) == State.OPEN


def test_approved_falls_back_when_a_reviewer_loses_the_right(change_request: ChangeRequest, ravi: User) -> None:
    approve(change_request, ravi)
    Membership.objects.filter(user=ravi).update(roles=[Role.VIEWER])
    beat.settle_requests()
    assert state_of(change_request) == State.OPEN


def test_those_who_may_promote_are_told_when_nothing_is_missing(
    change_request: ChangeRequest, ravi: User, paula: User, olga: User
) -> None:
    approve(change_request, ravi)
    told = Notification.objects.filter(kind="ready").values_list("user__name", flat=True)
    assert set(told) == {"Paula", "Olga"}


def test_other_words_keep_the_approval(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    approve(change_request, ravi)
    actions.edit_change_request(
        change_request=change_request, title="Better said", why="", reviewers=[], acting_user=paula
    )
    assert state_of(change_request) == State.APPROVED


def test_saving_the_same_version_again_keeps_the_approval(
    change_request: ChangeRequest, version: Version, ravi: User, paula: User
) -> None:
    approve(change_request, ravi)
    with pytest.raises(DomainError, match="already asks"):
        actions.replace_version(change_request=change_request, version=version, acting_user=paula)
    assert state_of(change_request) == State.APPROVED


def test_named_reviewers_alone_are_told(
    version: Version, environments: Places, workspace: Workspace, ravi: User, paula: User
) -> None:
    rosa = factories.make_member(workspace, "Rosa", Role.REVIEWER)
    actions.open_change_request(
        version=version, environment=environments["production"], title="t", reviewers=[rosa], acting_user=paula
    )
    assert [one.user for one in Notification.objects.filter(kind="review_wanted")] == [rosa]


def test_who_cannot_review_is_not_asked(version: Version, environments: Places, ana: User, paula: User) -> None:
    with pytest.raises(DomainError, match="Ana cannot review"):
        actions.open_change_request(
            version=version, environment=environments["production"], title="t", reviewers=[ana], acting_user=paula
        )


@pytest.mark.parametrize("state", [State.REJECTED, State.WITHDRAWN, State.APPLIED])
def test_the_database_lets_nobody_reopen_what_is_over(change_request: ChangeRequest, state: State) -> None:
    from django.utils import timezone

    row = ChangeRequest.objects.filter(pk=change_request.pk)
    row.update(state=state, closed_at=timezone.now())
    assert state not in MOVES
    with pytest.raises(DatabaseError, match="Invalid transition"), transaction.atomic():
        row.update(state=State.OPEN, closed_at=None)


# Rivals


@pytest.fixture
def rival(change_request: ChangeRequest, better: Version, olga: User) -> ChangeRequest:
    return actions.open_change_request(
        version=better, environment=change_request.environment, title="Another way", acting_user=olga
    )


def test_a_request_that_came_first_supersedes_its_rival_and_says_so(
    change_request: ChangeRequest, rival: ChangeRequest, ravi: User, paula: User, olga: User
) -> None:
    approve(change_request, ravi)
    promote(change_request, paula)
    rival.refresh_from_db()
    assert (rival.state, rival.superseded_by) == (State.SUPERSEDED, change_request)
    assert Notification.objects.filter(user=olga, kind="conflict").exists()


def test_what_was_overtaken_comes_back_against_what_is_live_now(
    change_request: ChangeRequest, rival: ChangeRequest, ravi: User, paula: User, olga: User
) -> None:
    approve(rival, ravi)
    approve(change_request, ravi)
    [made] = promote(change_request, paula)
    again = actions.rebase_change_request(change_request=rival, acting_user=olga)
    assert (again.state, again.items.get().base, again.superseded_by) == (State.OPEN, made, None)
    approve(again, ravi)
    assert promote(again, olga)


def test_live_that_moved_is_a_conflict_until_somebody_compares_again(
    change_request: ChangeRequest, better: Version, environments: Places, ravi: User, olga: User, paula: User
) -> None:
    approve(change_request, ravi)
    go_live(better, environments["production"], olga)
    assert state_of(change_request) == State.OPEN
    actions.rebase_change_request(change_request=change_request, acting_user=paula)
    with pytest.raises(DomainError, match="Nothing that is live moved"):
        actions.rebase_change_request(change_request=change_request, acting_user=paula)


def test_what_is_live_by_now_has_nothing_to_come_back_for(
    change_request: ChangeRequest, version: Version, environments: Places, olga: User, paula: User
) -> None:
    go_live(version, environments["production"], olga)
    with pytest.raises(DomainError, match="live already"):
        actions.rebase_change_request(change_request=change_request, acting_user=paula)


def test_an_author_replaces_their_own_request_by_a_new_one(
    change_request: ChangeRequest, better: Version, paula: User
) -> None:
    made = actions.open_change_request(
        version=better,
        environment=change_request.environment,
        title="Anew",
        replaces=change_request,
        acting_user=paula,
    )
    change_request.refresh_from_db()
    assert (change_request.state, change_request.superseded_by) == (State.SUPERSEDED, made)


def test_nobody_replaces_the_request_of_another(change_request: ChangeRequest, better: Version, olga: User) -> None:
    with pytest.raises(NotAllowed):
        actions.open_change_request(
            version=better,
            environment=change_request.environment,
            title="Mine",
            replaces=change_request,
            acting_user=olga,
        )


def test_the_same_version_is_not_asked_for_twice_by_two(
    change_request: ChangeRequest, version: Version, olga: User
) -> None:
    with pytest.raises(DomainError, match="already waits"):
        actions.open_change_request(
            version=version, environment=change_request.environment, title="Too", acting_user=olga
        )
