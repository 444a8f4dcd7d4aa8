"""Sixteen raters at once: every item gets exactly the ratings it wants, whatever people do to their leases."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.reviews import actions, assignment
from apps.reviews.models import Queue, Rating, Slot
from tests import factories
from tests.reviews.conftest import make_answers

RATERS, ITEMS, OVERLAP = 16, 30, 3


@pytest.fixture
def crowd(transactional_db, workspace):
    return [factories.make_member(workspace, f"Rater{n}", "annotator") for n in range(RATERS)]


@pytest.fixture
def long_queue(crowd, make_run):
    run = make_run(make_answers(ITEMS), change_request=None)
    return actions.create_pairwise_queue(run=run, acting_user=None, overlap=OVERLAP, limit=ITEMS)


def in_threads(people, work):
    """Run `work(person)` for everyone at once, each on a connection of its own; raise what any of them raised."""
    start = threading.Barrier(len(people))

    def alone(person):
        try:
            start.wait(timeout=20)
            return work(person)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(alone, people))


def rate_until_empty(queue: Queue, user: User, seed: int) -> list[float]:
    """Rate as people do: now and then walk away, click twice, or send long after the lease ran out."""
    dice, times, empty = random.Random(seed), [], 0
    while empty < 12:
        began = time.perf_counter()
        held = assignment.next_slot(queue, user)
        times.append(time.perf_counter() - began)
        if held is None:
            empty += 1
            time.sleep(0.01)
            continue
        time.sleep(dice.uniform(0, 0.02))
        if dice.random() < 0.05:
            continue
        key = uuid4()
        for _ in range(2 if dice.random() < 0.2 else 1):
            assignment.submit(queue, user, token=held.token, key=key, answer=dice.choice(["a", "b", "tie", "both_bad"]))
    return times


def test_sixteen_raters_give_every_item_exactly_the_ratings_it_wants(long_queue, crowd, record_property):
    times = [t for mine in in_threads(crowd, lambda user: rate_until_empty(long_queue, user, user.pk)) for t in mine]
    times.sort()
    record_property("claim_p95_ms", round(times[int(len(times) * 0.95)] * 1000, 1))
    # Leases last fifteen minutes, so what somebody walked away from is still theirs.
    for slot in Slot.objects.unfinished().filter(queue=long_queue):
        held = assignment.next_slot(long_queue, slot.rater)
        assignment.submit(long_queue, slot.rater, token=held.token, key=uuid4(), answer="tie")
    counted = Counter(Rating.objects.counted().values_list("item", flat=True))
    assert set(counted.values()) == {OVERLAP}
    assert len(counted) == ITEMS


def test_short_leases_and_late_answers_still_give_exactly_the_ratings_wanted(long_queue, crowd, monkeypatch):
    monkeypatch.setattr(assignment, "LEASE", timedelta(milliseconds=15))
    in_threads(crowd, lambda user: rate_until_empty(long_queue, user, user.pk))
    ratings = list(Rating.objects.values_list("item", "rater", "counted"))
    assert len({(item, rater) for item, rater, _ in ratings}) == len(ratings)
    counted = Counter(item for item, _, counts in ratings if counts)
    assert max(counted.values()) == OVERLAP
    assert sum(counted.values()) == Slot.objects.filter(done_at__isnull=False).count()
    assert sum(counted.values()) + Slot.objects.unfinished().count() == ITEMS * OVERLAP


def test_sixteen_claims_at_once_hand_out_sixteen_slots(long_queue, crowd):
    held = in_threads(crowd, lambda user: assignment.next_slot(long_queue, user))
    assert len({slot.slot_id for slot in held}) == RATERS
    assert max(Counter(slot.item_id for slot in held).values()) <= OVERLAP


def test_one_rater_in_sixteen_tabs_never_holds_an_item_twice(long_queue, crowd):
    ana = crowd[0]
    in_threads([ana] * RATERS, lambda user: assignment.next_slot(long_queue, user))
    items = list(Slot.objects.filter(rater=ana).values_list("item", flat=True))
    assert len(items) == len(set(items))


def test_one_form_sent_by_sixteen_threads_is_stored_once(long_queue, crowd):
    ana, key = crowd[0], uuid4()
    held = assignment.next_slot(long_queue, ana)
    answers = in_threads(
        [ana] * RATERS, lambda user: assignment.submit(long_queue, user, token=held.token, key=key, answer="a")
    )
    assert sum(answer.is_new for answer in answers) == 1
    assert Rating.objects.get().counted
