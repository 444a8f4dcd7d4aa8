"""Handing out slots, and what happens to what raters send."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.reviews import assignment
from apps.reviews.models import Lease, Queue, Rating, RatingRevision, Skip, Slot


def lapse(token):
    Slot.objects.filter(token=token).update(available_at=timezone.now() - timedelta(seconds=1))


def rate(queue, user, answer="a", **fields):
    held = assignment.next_slot(queue, user)
    return assignment.submit(queue, user, **{"token": held.token, "key": uuid4(), "answer": answer, **fields})


def test_a_rater_who_comes_back_gets_the_same_item(queue, ana):
    first = assignment.next_slot(queue, ana)
    again = assignment.next_slot(queue, ana)
    assert (again.slot_id, again.token) == (first.slot_id, first.token)
    assert again.until >= first.until


def test_raters_finish_an_item_together_before_the_next_one(queue, ana, amir):
    hers, his = assignment.next_slot(queue, ana), assignment.next_slot(queue, amir)
    assert hers.item_id == his.item_id
    assert hers.slot_id != his.slot_id
    assert hers.flipped != his.flipped


def test_nobody_gets_an_item_twice(queue, ana):
    items = []
    while held := assignment.next_slot(queue, ana):
        items.append(held.item_id)
        assignment.submit(queue, ana, token=held.token, key=uuid4(), answer="tie")
    assert sorted(items) == sorted(queue.items.values_list("pk", flat=True))


def test_the_best_item_comes_first(queue, ana):
    last = queue.items.order_by("priority").first()
    Slot.objects.filter(item=last).update(priority=99)
    assert assignment.next_slot(queue, ana).item_id == last.pk


def test_the_author_is_never_served(queue, paula):
    assert paula.pk in queue.barred_ids
    assert assignment.next_slot(queue, paula) is None


def test_a_closed_queue_serves_nobody(queue, ana):
    Queue.objects.filter(pk=queue.pk).update(state="closed", closed_at=timezone.now())
    assert assignment.next_slot(queue, ana) is None


def test_an_abandoned_lease_goes_to_the_next_rater(queue, ana, amir, olga):
    held = assignment.next_slot(queue, ana)
    assignment.next_slot(queue, amir)
    lapse(held.token)
    assert assignment.next_slot(queue, olga).slot_id == held.slot_id


def test_a_lapsed_lease_nobody_wanted_is_still_mine(queue, ana):
    held = assignment.next_slot(queue, ana)
    lapse(held.token)
    assert assignment.next_slot(queue, ana).token == held.token


def test_a_heartbeat_extends_the_lease(queue, ana):
    held = assignment.next_slot(queue, ana)
    lapse(held.token)
    assert assignment.heartbeat(held.token, ana) > timezone.now() + assignment.LEASE / 2


def test_a_heartbeat_of_a_lost_lease_changes_nothing(queue, ana, olga):
    held = assignment.next_slot(queue, ana)
    lapse(held.token)
    taken = assignment.next_slot(queue, olga)
    assert taken.slot_id == held.slot_id
    assert assignment.heartbeat(held.token, ana) is None
    assert assignment.next_slot(queue, olga).token == taken.token


def test_a_heartbeat_with_anothers_token_changes_nothing(queue, ana, amir):
    held = assignment.next_slot(queue, ana)
    assert assignment.heartbeat(held.token, amir) is None


def test_leaving_frees_the_item_at_once(queue, ana, amir, olga):
    held = assignment.next_slot(queue, ana)
    assert assignment.release(held.token, ana)
    assert {assignment.next_slot(queue, amir).slot_id, assignment.next_slot(queue, olga).slot_id} >= {held.slot_id}


def test_an_answer_is_stored_as_the_side_that_was_shown(queue, ana, amir):
    hers, his = rate(queue, ana, "a").rating, rate(queue, amir, "a").rating
    assert {hers.verdict, his.verdict} == {"candidate", "baseline"}
    for rating in (hers, his):
        assert rating.verdict == rating.shown_left
        assert rating.slot.flipped == (rating.shown_left == "baseline")
        assert rating.counted


def test_b_is_the_other_side(queue, ana):
    rating = rate(queue, ana, "b").rating
    assert {rating.verdict, rating.shown_left} == {"candidate", "baseline"}


def test_the_same_form_twice_is_stored_once(queue, ana):
    held, key = assignment.next_slot(queue, ana), uuid4()
    first = assignment.submit(queue, ana, token=held.token, key=key, answer="a")
    second = assignment.submit(queue, ana, token=held.token, key=key, answer="a")
    assert (first.is_new, second.is_new) == (True, False)
    assert first.rating == second.rating
    assert (Rating.objects.count(), RatingRevision.objects.count()) == (1, 1)


def test_two_tabs_on_one_item_keep_the_first_answer(queue, ana):
    held = assignment.next_slot(queue, ana)
    assignment.submit(queue, ana, token=held.token, key=uuid4(), answer="tie")
    second = assignment.submit(queue, ana, token=held.token, key=uuid4(), answer="both_bad")
    assert not second.is_new
    assert second.rating.verdict == "tie"


def test_a_late_answer_counts_while_its_item_wants_one(queue, ana, amir, olga):
    held = assignment.next_slot(queue, ana)
    lapse(held.token)
    assert assignment.next_slot(queue, olga).slot_id == held.slot_id
    late = assignment.submit(queue, ana, token=held.token, key=uuid4(), answer="a").rating
    assert late.counted
    assert late.slot_id != held.slot_id


def test_a_late_answer_remembers_the_sides_that_its_rater_saw(queue, ana, olga):
    held = assignment.next_slot(queue, ana)
    lapse(held.token)
    assignment.next_slot(queue, olga)
    late = assignment.submit(queue, ana, token=held.token, key=uuid4(), answer="a").rating
    assert late.shown_left == ("baseline" if held.flipped else "candidate")


def test_an_answer_too_many_is_kept_but_not_counted(queue, ana, amir, olga):
    held = assignment.next_slot(queue, ana)
    lapse(held.token)
    rate(queue, olga)
    rate(queue, amir)
    late = assignment.submit(queue, ana, token=held.token, key=uuid4(), answer="a").rating
    assert (late.counted, late.slot) == (False, None)
    assert Rating.objects.filter(item=late.item, counted=True).count() == 2


def test_a_token_of_somebody_else_is_refused(queue, ana, amir):
    held = assignment.next_slot(queue, ana)
    with pytest.raises(assignment.NotYours):
        assignment.submit(queue, amir, token=held.token, key=uuid4(), answer="a")
    assert not Rating.objects.exists()


def test_anothers_idempotency_key_is_refused(queue, ana, amir):
    key = uuid4()
    rate(queue, ana, key=key)
    with pytest.raises(assignment.NotYours):
        rate(queue, amir, key=key)


def test_a_change_of_mind_keeps_what_was_said_before(queue, ana):
    rating = rate(queue, ana, "a").rating
    before = rating.verdict
    changed = assignment.revise(rating, answer="b", comment="read it again")
    assert changed.verdict != before
    assert list(changed.revisions.order_by("number").values_list("answer", flat=True)) == ["a", "b"]


def test_saying_the_same_again_is_no_change(queue, ana):
    rating = rate(queue, ana, "a").rating
    assignment.revise(rating, answer="a", comment="")
    assert rating.revisions.count() == 1


def test_a_skipped_item_goes_to_others_and_never_back(queue, ana, olga):
    held = assignment.next_slot(queue, ana)
    assert assignment.skip(queue, ana, token=held.token, reason="unclear", note="which parcel?")
    assert assignment.next_slot(queue, ana).item_id != held.item_id
    assert assignment.next_slot(queue, olga).item_id == held.item_id


def test_skipping_twice_is_once(queue, ana):
    held = assignment.next_slot(queue, ana)
    assert assignment.skip(queue, ana, token=held.token, reason="unclear")
    assert assignment.skip(queue, ana, token=held.token, reason="other") is None
    assert Skip.objects.count() == 1


def test_every_hand_out_is_remembered(queue, ana, olga):
    held = assignment.next_slot(queue, ana)
    assignment.release(held.token, ana)
    assignment.next_slot(queue, olga)
    assert Lease.objects.count() == 2
