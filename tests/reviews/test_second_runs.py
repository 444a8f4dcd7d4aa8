"""More than one run of a change request: which of them asks people, and whose word stands."""

from uuid import uuid4

import pytest
from django.utils import timezone

from apps.core.errors import Conflict
from apps.experiments.models import Run, RunArm
from apps.experiments.signals import run_finished
from apps.prompts import actions as prompts
from apps.prompts.models import ChangeRequest, Deployment, DeploymentArm
from apps.prompts.signals import change_request_opened
from apps.reviews import actions, assignment
from apps.reviews.models import Queue, Slot
from tests import factories
from tests.reviews.conftest import make_answers


def people_check(change_request):
    return change_request.checks.get(name="people")


def finished(run):
    run_finished.send(sender=Run, run=run)
    return run


@pytest.fixture
def rebase(change_request, prompt, paula):
    """Let the request be measured against another version, as after a roll back of what is live."""

    def rebase_on(version):
        base = change_request.items.get().base
        other = Deployment.objects.create(prompt=prompt, environment=base.environment, actor=paula, previous=base)
        DeploymentArm.objects.create(deployment=other, version=version)
        change_request.items.update(base=other)
        change_request_opened.send(sender=ChangeRequest, change_request=change_request)

    return rebase_on


@pytest.fixture
def earlier(prompt, paula):
    return factories.make_version(prompt, paula, message="what was live before")


def same_suite(run, first):
    """Let the run be another of the first one's suite."""
    Run.objects.filter(pk=run.pk).update(suite=first.suite_id)
    return Run.objects.get(pk=run.pk)


def against(run, version):
    RunArm.objects.filter(run=run, role="baseline").update(version=version)
    return run


def rate_one(queue, user, answer="tie"):
    held = assignment.next_slot(queue, user)
    actions.submit_rating(queue=queue, token=held.token, key=uuid4(), answer=answer, acting_user=user)


def test_a_late_run_against_what_was_live_does_not_take_over(make_run, change_request, rebase, earlier, ana, amir):
    late = make_run(make_answers())
    rebase(earlier)
    finished(same_suite(against(make_run(make_answers()), earlier), late))
    queue = Queue.objects.get()
    before = people_check(change_request).summary
    finished(late)
    assert Queue.objects.get() == queue
    assert queue.is_open
    assert people_check(change_request).summary == before == "0 of 8 ratings"


def test_a_late_run_that_failed_against_what_was_live_says_nothing(make_run, change_request, rebase, earlier):
    late = make_run(make_answers(), state=Run.State.FAILED, reason="provider down")
    rebase(earlier)
    finished(same_suite(against(make_run(make_answers()), earlier), late))
    finished(late)
    assert people_check(change_request).status == "pending"


def test_a_run_with_nothing_on_the_other_side_does_not_speak_once_something_is_live(make_run, change_request):
    finished(make_run(make_answers(), baseline=False))
    assert not Queue.objects.exists()
    assert not change_request.checks.exists()


def test_only_the_newest_run_of_a_suite_asks(make_run, ana):
    first = make_run(make_answers())
    second = same_suite(make_run(make_answers()), first)
    finished(first)
    assert not Queue.objects.exists()
    finished(second)
    assert Queue.objects.get().run == second


def test_what_people_began_to_say_is_not_asked_anew(make_run, change_request, ana, amir):
    first = finished(make_run(make_answers()))
    queue = Queue.objects.get()
    rate_one(queue, ana)
    finished(same_suite(make_run([(f"Nicer {n}", f"Old {n}") for n in range(4)]), first))
    assert Queue.objects.get() == queue
    assert people_check(change_request).summary == "1 of 8 ratings"


def test_a_result_that_stands_outlives_another_run(make_run, change_request, ana, olga):
    first = finished(make_run(make_answers()))
    queue = Queue.objects.get()
    rate_one(queue, ana)
    actions.close_queue(queue=queue, acting_user=olga)
    verdict = people_check(change_request).summary
    finished(same_suite(make_run(make_answers(8)), first))
    assert Queue.objects.get() == queue
    assert people_check(change_request).summary == verdict


def test_nor_by_hand(make_run, ana, olga):
    first = finished(make_run(make_answers()))
    rate_one(Queue.objects.get(), ana)
    with pytest.raises(Conflict, match="what they say stands"):
        actions.create_pairwise_queue(run=same_suite(make_run(make_answers()), first), acting_user=olga)


def test_a_queue_that_nobody_has_rated_gives_way(make_run):
    first = finished(make_run(make_answers()))
    second = finished(same_suite(make_run(make_answers()), first))
    assert list(Queue.objects.open().values_list("run", flat=True)) == [second.pk]


def test_a_second_run_that_fails_leaves_the_open_queue_alone(make_run, change_request):
    first = finished(make_run(make_answers()))
    finished(same_suite(make_run(make_answers(), state=Run.State.FAILED, reason="provider down"), first))
    assert Queue.objects.get().is_open
    assert people_check(change_request).status == "pending"


def test_going_away_and_back_takes_the_first_queue_up_where_it_was(
    make_run, change_request, rebase, earlier, prompt, ana
):
    live = prompt.versions.get(number=1)
    first = finished(make_run(make_answers()))
    queue = Queue.objects.get()
    rate_one(queue, ana)
    rebase(earlier)
    finished(same_suite(against(make_run(make_answers()), earlier), first))
    rebase(live)
    finished(same_suite(make_run(make_answers()), first))
    queue.refresh_from_db()
    assert (queue.is_open, queue.set_aside) == (True, False)
    assert list(Queue.objects.open()) == [queue]
    assert Slot.objects.unfinished().filter(queue=queue).count() == 7
    # One rating of eight is no verdict, however often the request was turned round.
    assert people_check(change_request).summary == "1 of 8 ratings"


def test_a_result_that_stands_is_reported_again_after_going_away_and_back(
    make_run, change_request, rebase, earlier, prompt, ana, olga
):
    first = finished(make_run(make_answers()))
    rate_one(Queue.objects.get(), ana)
    actions.close_queue(queue=Queue.objects.get(), acting_user=olga)
    verdict = people_check(change_request).summary
    rebase(earlier)
    rebase(prompt.versions.get(number=1))
    finished(same_suite(make_run(make_answers()), first))
    assert people_check(change_request).summary == verdict
    assert not Queue.objects.get().is_open


def test_a_queue_that_was_set_aside_no_longer_reports(make_run, change_request, rebase, earlier, ana, amir, olga):
    first = finished(make_run(make_answers()))
    queue = Queue.objects.get()
    tokens = [(user, assignment.next_slot(queue, user).token) for user in (ana, amir)]
    Slot.objects.filter(rater=amir).update(available_at="2020-01-01T00:00Z")
    tokens.append((olga, assignment.next_slot(queue, olga).token))
    rebase(earlier)
    finished(same_suite(against(make_run(make_answers()), earlier), first))
    for user, token in tokens:
        actions.skip_item(queue=queue, token=token, reason="broken", acting_user=user)
    assert people_check(change_request).summary == "0 of 8 ratings"


def test_a_queue_made_by_hand_about_what_is_no_longer_asked_for_is_no_evidence(
    make_run, change_request, rebase, earlier
):
    old = make_run(make_answers())
    rebase(earlier)
    queue = actions.create_pairwise_queue(run=Run.objects.get(pk=old.pk), acting_user=None)
    assert queue.change_request is None
    assert people_check(change_request).summary == "Waits for the answers of the test run"


def test_a_run_whose_request_is_closed_meanwhile_asks_nobody(make_run, change_request):
    run = make_run(make_answers())
    assert run.change_request.is_waiting
    ChangeRequest.objects.filter(pk=change_request.pk).update(state="withdrawn", closed_at=timezone.now())
    assert actions.ask_people(run=run) is None
    assert not Queue.objects.exists()
    assert not change_request.checks.exists()


def test_the_tests_of_whoever_replaced_the_version_do_not_disturb_people(make_run, change_request, prompt, paula):
    finished(make_run(make_answers()))
    newer = factories.make_version(prompt, paula, message="newer", model_config={"model": "m3"})
    prompts.replace_version(change_request=change_request, version=newer, acting_user=paula)
    assert Queue.objects.get().set_aside
