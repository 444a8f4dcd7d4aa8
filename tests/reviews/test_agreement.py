"""Known answers from the literature, and what happens at the edges."""

import pytest

from apps.reviews import agreement

# Krippendorff's four observers of twelve units and three coders of fifteen; a dot is a missing rating.
FOUR_BY_TWELVE = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
THREE_BY_FIFTEEN = [".....34121133.3", "1.213343.......", "..21344.21133.4"]


def units_of(rows):
    return [[label for label in column if label != "."] for column in zip(*rows, strict=True)]


def table(counts):
    """Return the units of a two-rater contingency table."""
    return [[str(i), str(j)] for i, row in enumerate(counts) for j, count in enumerate(row) for _ in range(count)]


@pytest.mark.parametrize(("rows", "expected"), [(FOUR_BY_TWELVE, 0.743421), (THREE_BY_FIFTEEN, 0.691358)])
def test_alpha_gives_the_published_values(rows, expected):
    assert agreement.krippendorff_alpha(units_of(rows)).value == pytest.approx(expected, abs=1e-6)


def test_ac1_gives_the_published_value_with_missing_ratings():
    assert agreement.gwet_ac1(units_of(FOUR_BY_TWELVE)).value == pytest.approx(0.775444, abs=1e-6)


def test_ac1_of_three_labels_gives_the_published_value():
    gwet_abstractors = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
    assert agreement.gwet_ac1(table(gwet_abstractors)).value == pytest.approx(0.84933, abs=1e-5)


def test_the_kappa_paradox_does_not_fool_ac1():
    units = table([[118, 5], [2, 0]])
    assert agreement.gwet_ac1(units).value == pytest.approx(0.940776, abs=1e-6)
    assert agreement.raw_agreement(units).value == pytest.approx(0.944)
    assert agreement.krippendorff_alpha(units).value < 0.05


def test_an_estimate_counts_only_items_that_two_people_rated():
    estimate = agreement.krippendorff_alpha([["a", "a"], ["b", "b"], ["a"], []])
    assert (estimate.value, estimate.items, estimate.ratings) == (1.0, 2, 4)


@pytest.mark.parametrize("coefficient", [agreement.krippendorff_alpha, agreement.gwet_ac1])
def test_agreement_on_one_label_alone_is_undefined_and_not_perfect(coefficient):
    estimate = coefficient([["a", "a"], ["a", "a"]])
    assert (estimate.value, estimate.items) == (None, 2)


@pytest.mark.parametrize("coefficient", [agreement.krippendorff_alpha, agreement.gwet_ac1, agreement.raw_agreement])
def test_single_ratings_have_no_agreement(coefficient):
    assert coefficient([["a"], ["b"]]) == agreement.Estimate(None, 0, 0)


def test_wilson_gives_the_known_interval():
    interval = agreement.wilson(10, 20)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2993, 0.7007)


def test_wilson_refuses_an_empty_sample():
    with pytest.raises(ValueError, match="nothing"):
        agreement.wilson(0, 0)


def test_ties_and_both_bad_count_half():
    result = agreement.preference([["candidate", "tie"], ["baseline", "both_bad"]])
    assert (result.share, result.items, result.ratings) == (0.5, 2, 4)


def test_the_interval_counts_items_because_ratings_of_one_item_go_together():
    once = agreement.preference([["candidate"]] * 12 + [["baseline"]] * 8)
    thrice = agreement.preference([["candidate"] * 3] * 12 + [["baseline"] * 3] * 8)
    assert once.interval == thrice.interval


def test_nothing_rated_has_no_share():
    assert agreement.preference([[], []]) == agreement.Preference(None, None, 0, 0)


def test_a_candidate_is_worse_only_when_the_whole_interval_is_below_half():
    assert agreement.preference([["baseline"]] * 20).is_worse
    assert not agreement.preference([["baseline"]] * 11 + [["candidate"]] * 9).is_worse


def test_a_candidate_is_better_only_when_the_whole_interval_is_above_half():
    assert agreement.preference([["candidate"]] * 20).is_better
    assert not agreement.preference([["candidate"]] * 11 + [["baseline"]] * 9).is_better


def test_the_bootstrap_repeats_with_its_seed_and_holds_the_estimate():
    units = [["a", "a"], ["b", "b"], ["a", "b"], ["c", "c"], ["a", "a"], ["b", "b"], ["c", "a"], ["b", "b"]]
    interval = agreement.bootstrap(units, agreement.krippendorff_alpha, seed=7)
    assert interval == agreement.bootstrap(units, agreement.krippendorff_alpha, seed=7)
    assert interval.low < agreement.krippendorff_alpha(units).value < interval.high


def test_the_bootstrap_does_not_pretend_with_a_handful_of_items():
    assert agreement.bootstrap([["a", "b"]] * 4, agreement.krippendorff_alpha) is None


@pytest.mark.parametrize(
    ("value", "items", "words"),
    [
        (0.9, 5, "good"),
        (0.7, 5, "fair"),
        (0.5, 5, "shaky"),
        (0.1, 5, "hardly better than chance"),
        (-0.3, 5, "worse than chance"),
        (None, 0, "not known yet"),
        (None, 5, "not clear: everyone gave the same answer"),
    ],
)
def test_agreement_is_told_in_words(value, items, words):
    assert agreement.agreement_words(agreement.Estimate(value, items, items * 2)) == words


def test_disagreement_of_an_item_is_the_share_of_pairs_who_differ():
    assert agreement.disagreement(["a", "a", "b"]) == pytest.approx(2 / 3)
    assert agreement.disagreement(["a"]) == 0.0
