"""A request with several prompts: People passes when raters have judged each of them, whatever the order."""

import pytest

from apps.prompts.models import ChangeRequestItem, Check
from apps.reviews import actions
from tests import factories
from tests.reviews.conftest import make_answers
from tests.reviews.test_actions import people_check, rate_all


@pytest.fixture
def two(change_request, workspace, paula):
    """The request with one more prompt in it, of which nothing is live."""
    other = factories.make_version(factories.make_prompt(workspace, "support/classify"), paula)
    ChangeRequestItem.objects.create(change_request=change_request, prompt=other.prompt, version=other)
    return change_request


def test_one_prompt_that_people_like_does_not_speak_for_the_other(two, queue_of_two, ana, amir):
    for rater in (ana, amir):
        rate_all(queue_of_two, rater, "candidate")
    check = people_check(two)
    assert check.status == Check.Status.PENDING
    assert check.summary.startswith("1 of 2 prompts. support/classify: waits")


@pytest.fixture
def queue_of_two(two, make_run):
    return actions.create_pairwise_queue(run=make_run(make_answers()), acting_user=None)


def test_both_together_pass(two, queue_of_two, make_run, ana, amir, workspace):
    for rater in (ana, amir):
        rate_all(queue_of_two, rater, "candidate")
    run = make_run(make_answers(), baseline=False)
    run.suite.prompt = two.items.get(prompt__name="support/classify").prompt
    actions._say(two, run, Check.Status.PASSED, "Nothing is live yet")
    check = people_check(two)
    assert (check.status, check.summary[:15]) == (Check.Status.PASSED, "2 of 2 prompts.")


def test_what_people_refuse_of_one_fails_the_whole(two, make_run, ana, amir):
    queue = actions.create_pairwise_queue(run=make_run(make_answers(20)), acting_user=None)
    for rater in (ana, amir):
        rate_all(queue, rater, "baseline")
    check = people_check(two)
    assert check.status == Check.Status.FAILED
    assert check.summary.startswith("0 of 2 prompts. support/reply")


def test_a_queue_about_one_prompt_leaves_the_queue_of_the_other_open(two, queue_of_two, make_run, workspace):
    run = make_run(make_answers())
    run.suite.prompt = two.items.get(prompt__name="support/classify").prompt
    run.suite.save()
    assert list(actions._queues_about(run, two)) == []
    assert queue_of_two.is_open


def test_with_one_prompt_the_check_says_what_the_queue_says(change_request, queue, ana):
    rate_all(queue, ana, "candidate")
    assert "prompts" not in people_check(change_request).evidence
