"""Opening and closing queues, and what they report to the change request behind them."""

from uuid import uuid4

import pytest
from django.db import transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.core.errors import Conflict
from apps.experiments.models import Run
from apps.experiments.signals import run_finished
from apps.notices.models import Notification
from apps.prompts.models import ChangeRequest, Environment
from apps.prompts.signals import change_request_closed, change_request_opened
from apps.reviews import actions, assignment, pairs
from apps.reviews.models import Queue, Rating, RatingRevision, RubricVersion, Slot
from tests.reviews.conftest import make_answers


def people_check(change_request):
    return change_request.checks.get(name="people")


def rate_all(queue, user, verdict):
    """Rate everything there is, taking the side that stands for `verdict`."""
    while held := assignment.next_slot(queue, user):
        left = "baseline" if held.flipped else "candidate"
        answer = verdict if verdict in ("tie", "both_bad") else "a" if verdict == left else "b"
        actions.submit_rating(queue=queue, token=held.token, key=uuid4(), answer=answer, acting_user=user)


def test_a_queue_has_a_slot_for_every_wanted_rating(queue):
    assert (queue.items.count(), Slot.objects.count()) == (4, 8)
    assert Slot.objects.filter(flipped=True).count() == 4


def test_opening_a_queue_tells_raters_but_not_the_author(queue, ana, amir, paula):
    told = Notification.objects.filter(kind="ratings_wanted")
    assert {notice.user for notice in told} == {ana, amir}
    assert told[0].url == f"/w/acme/reviews/rate/{queue.token}/"


def test_opening_a_queue_is_on_record(make_run, olga):
    queue = actions.create_pairwise_queue(run=make_run(make_answers()), acting_user=olga)
    event = AuditEvent.objects.get(verb="opened")
    assert (event.actor, event.target_id, event.after["pairs"]) == (olga, str(queue.pk), 4)


def test_a_limit_is_kept(make_run):
    assert actions.create_pairwise_queue(run=make_run(make_answers(30)), acting_user=None).items.count() == 20


def test_one_change_request_asks_about_a_run_once(queue):
    with pytest.raises(Conflict):
        actions.create_pairwise_queue(run=queue.run, acting_user=None)


def test_a_run_without_a_change_request_may_be_asked_about_again(make_run):
    run = make_run(make_answers(), change_request=None)
    for _ in range(2):
        actions.create_pairwise_queue(run=run, acting_user=None)
    assert Queue.objects.filter(change_request=None).count() == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"state": Run.State.CANCELLED}, "did not finish"), ({"baseline": False}, "one side only")],
)
def test_a_run_that_cannot_be_compared_is_refused_in_words(make_run, fields, words):
    with pytest.raises(pairs.NothingToCompare, match=words):
        actions.create_pairwise_queue(run=make_run(make_answers(), **fields), acting_user=None)


def test_a_finished_run_of_a_request_that_needs_people_opens_a_queue(make_run, change_request, ana):
    run_finished.send(sender=Run, run=make_run(make_answers()))
    check = people_check(change_request)
    assert Queue.objects.get().change_request == change_request
    assert (check.status, check.summary) == ("pending", "0 of 8 ratings")


def test_a_run_that_is_announced_twice_asks_once(make_run):
    run = make_run(make_answers())
    for _ in range(2):
        run_finished.send(sender=Run, run=run)
    assert Queue.objects.count() == 1


def test_nobody_is_asked_where_people_are_not_required(make_run, change_request):
    Environment.objects.filter(pk=change_request.environment_id).update(policy={"approvals": 1, "checks": ["tests"]})
    run_finished.send(sender=Run, run=make_run(make_answers(), change_request=ChangeRequest.objects.get()))
    assert not Queue.objects.exists()
    assert not change_request.checks.exists()


def test_a_first_promotion_passes_because_nothing_is_live(make_run, change_request):
    change_request.items.update(base=None)
    run_finished.send(sender=Run, run=make_run(make_answers(), baseline=False))
    check = people_check(change_request)
    assert (check.status, check.summary) == ("passed", "Nothing is live yet, so there is nothing to compare with")


def test_answers_that_are_all_the_same_pass(make_run, change_request):
    run_finished.send(sender=Run, run=make_run([("same", "same")] * 3))
    check = people_check(change_request)
    assert check.status == "passed"
    assert check.summary.startswith("Every answer is the same as what is live")


def test_a_run_that_failed_leaves_the_check_without_a_result(make_run, change_request):
    run_finished.send(sender=Run, run=make_run(make_answers(), state=Run.State.FAILED, reason="provider down"))
    assert people_check(change_request).status == "errored"


def test_a_run_of_an_older_version_is_not_asked_about(make_run, change_request, prompt):
    run = make_run(make_answers())
    change_request.items.update(version=prompt.versions.get(number=1))
    run_finished.send(sender=Run, run=run)
    assert not Queue.objects.exists()


def test_an_opened_request_says_that_people_will_be_asked(change_request):
    change_request_opened.send(sender=ChangeRequest, change_request=change_request)
    assert people_check(change_request).summary == "Waits for the answers of the test run"


def test_a_candidate_that_people_prefer_passes(queue, change_request, ana, amir):
    rate_all(queue, ana, "candidate")
    assert people_check(change_request).summary == "4 of 8 ratings"
    rate_all(queue, amir, "candidate")
    check = people_check(change_request)
    assert check.status == "passed"
    assert check.summary.startswith("100 % prefer the candidate (51")
    assert check.summary.endswith("2 raters, 4 pairs, agreement not known")
    assert check.url == f"/w/acme/reviews/queues/{queue.pk}/"
    assert check.evidence["verdicts"] == {"candidate": 8, "baseline": 0, "tie": 0, "both_bad": 0}


def test_a_candidate_that_is_clearly_worse_fails(queue, change_request, ana, amir):
    rate_all(queue, ana, "baseline")
    rate_all(queue, amir, "baseline")
    assert people_check(change_request).status == "failed"


def test_a_candidate_that_is_not_clearly_worse_passes(queue, change_request, ana, amir):
    rate_all(queue, ana, "baseline")
    rate_all(queue, amir, "candidate")
    check = people_check(change_request)
    assert check.status == "passed"
    assert check.summary.startswith("50 % prefer the candidate")


def test_a_change_of_mind_after_the_end_changes_the_verdict(queue, change_request, ana, amir):
    rate_all(queue, ana, "baseline")
    rate_all(queue, amir, "baseline")
    for rating in list(Rating.objects.filter(rater=amir)):
        actions.revise_rating(queue=queue, key=rating.idempotency_key, answer="tie", acting_user=amir)
    assert people_check(change_request).status == "passed"


def test_a_closed_queue_keeps_its_answers(queue, ana):
    rate_all(queue, ana, "candidate")
    actions.close_queue(queue=queue, acting_user=None)
    with pytest.raises(actions.QueueClosed):
        actions.revise_rating(queue=queue, key=Rating.objects.first().idempotency_key, answer="tie", acting_user=ana)


def test_undo_reaches_ten_answers_back_and_no_further(make_run, ana):
    queue = actions.create_pairwise_queue(run=make_run(make_answers(12)), acting_user=None)
    rate_all(queue, ana, "tie")
    newest = list(Rating.objects.newest_first())
    actions.revise_rating(queue=queue, key=newest[9].idempotency_key, answer="a", acting_user=ana)
    with pytest.raises(assignment.NotYours, match="last 10"):
        actions.revise_rating(queue=queue, key=newest[10].idempotency_key, answer="a", acting_user=ana)


def test_closing_early_reports_what_there_is(queue, change_request, ana, olga):
    rate_all(queue, ana, "candidate")
    actions.close_queue(queue=queue, acting_user=olga)
    check = people_check(change_request)
    assert check.status == "passed"
    assert "1 rater, 4 pairs" in check.summary
    assert AuditEvent.objects.filter(verb="closed", actor=olga).exists()


def test_closing_before_anyone_rated_is_no_verdict(queue, change_request):
    actions.close_queue(queue=queue, acting_user=None)
    check = people_check(change_request)
    assert (check.status, check.summary) == ("errored", "The queue ended before anyone rated")


def test_closing_twice_is_refused(queue):
    actions.close_queue(queue=queue, acting_user=None)
    with pytest.raises(actions.QueueClosed):
        actions.close_queue(queue=queue, acting_user=None)


def test_a_decided_request_ends_its_queue(queue, change_request, ana):
    change_request_closed.send(sender=ChangeRequest, change_request=change_request)
    assert Queue.objects.get().state == "closed"
    assert assignment.next_slot(queue, ana) is None


def test_a_request_with_another_version_ends_the_old_queue(queue, change_request):
    change_request_opened.send(sender=ChangeRequest, change_request=change_request)
    assert Queue.objects.get().state == "closed"
    assert people_check(change_request).summary == "Waits for the answers of the test run"


def test_ratings_of_an_older_version_are_not_reported(queue, change_request, prompt, ana, amir):
    change_request.items.update(version=prompt.versions.get(number=1))
    rate_all(queue, ana, "candidate")
    rate_all(queue, amir, "candidate")
    assert people_check(change_request).summary == "0 of 8 ratings"


def test_a_rating_outlives_the_decision(queue, change_request, ana):
    held = assignment.next_slot(queue, ana)
    ChangeRequest.objects.filter(pk=change_request.pk).update(state="applied", closed_at=timezone.now())
    actions.submit_rating(queue=queue, token=held.token, key=uuid4(), answer="tie", acting_user=ana)
    assert Rating.objects.count() == 1


def test_ratings_and_skips_leave_no_audit_event_of_their_own(make_run, ana):
    queue = actions.create_pairwise_queue(run=make_run(make_answers(), change_request=None), acting_user=None)
    before = AuditEvent.objects.count()
    rate_all(queue, ana, "tie")
    assert AuditEvent.objects.count() == before


def test_the_third_skip_for_one_reason_takes_the_item_out(make_run, change_request, ana, amir, olga):
    queue = actions.create_pairwise_queue(run=make_run(make_answers(2)), acting_user=None)
    for user in (ana, amir, olga):
        held = assignment.next_slot(queue, user)
        actions.skip_item(queue=queue, token=held.token, reason="broken", acting_user=user)
    flagged = queue.items.get(flagged_for="broken")
    assert Slot.objects.unfinished().filter(item=flagged).count() == 0
    assert people_check(change_request).summary == "0 of 2 ratings"


def test_skips_for_different_reasons_keep_the_item(queue, ana, amir, olga):
    for user, reason in ((ana, "broken"), (amir, "unclear"), (olga, "language")):
        held = assignment.next_slot(queue, user)
        actions.skip_item(queue=queue, token=held.token, reason=reason, acting_user=user)
    assert not queue.items.exclude(flagged_for="").exists()


@pytest.mark.parametrize("model", [RatingRevision, RubricVersion])
def test_history_refuses_to_change(queue, ana, model):
    rate_all(queue, ana, "tie")
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        model.objects.update(number=9)


def test_a_rating_refuses_to_disappear(queue, ana):
    rate_all(queue, ana, "tie")
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        Rating.objects.all().delete()
