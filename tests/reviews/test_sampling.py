from random import Random

import pytest

from apps.reviews.sampling import Pair, choose, sides


def make_pair(n, tags=(), disagrees=False, case=None, texts=None):
    mine, live = texts or (f"long {n}", f"short {n}")
    return Pair(n, 1000 + n, mine, live, case if case is not None else n, tuple(tags), disagrees)


def test_pairs_that_say_the_same_are_not_worth_anyones_time():
    assert choose([make_pair(1, texts=("same", " same\n"))], 20) == []


def test_pairs_on_which_the_tests_differ_come_first():
    pairs = [make_pair(n, disagrees=n in (7, 13)) for n in range(20)]
    assert {pair.candidate_id for pair in choose(pairs, 2)} == {7, 13}


def test_tags_take_turns():
    pairs = [make_pair(n, tags=["refund" if n < 18 else "delay"]) for n in range(20)]
    assert sum(pair.tags == ("delay",) for pair in choose(pairs, 4)) == 2


def test_every_case_has_its_turn_before_a_repeat_of_any():
    pairs = [make_pair(n, case=n % 5) for n in range(20)]
    assert len({pair.case_key for pair in choose(pairs, 5)}) == 5


def test_the_same_texts_of_a_case_are_asked_about_once():
    pairs = [make_pair(n, case="one", texts=("yes", "no")) for n in range(3)]
    assert len(choose(pairs, 20)) == 1


def test_the_choice_repeats_whatever_order_the_pairs_come_in():
    pairs = [make_pair(n, tags=[f"t{n % 3}"], disagrees=n % 4 == 0) for n in range(40)]
    assert choose(pairs, 12) == choose(pairs[::-1], 12)


@pytest.mark.parametrize(("items", "overlap"), [(20, 2), (20, 1), (7, 3), (1, 2), (50, 3)])
def test_each_side_is_the_candidates_half_of_the_time(items, overlap):
    flips = [flip for item in sides(items, overlap, Random(3)) for flip in item]
    assert abs(2 * sum(flips) - len(flips)) <= 1


def test_nobody_can_guess_the_side_from_the_place_in_the_queue():
    firsts = {tuple(item[0] for item in sides(20, 2, Random(seed))) for seed in range(20)}
    assert len(firsts) > 15
