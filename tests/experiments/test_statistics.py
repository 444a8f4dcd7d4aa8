import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.experiments import statistics
from apps.experiments.statistics import Finding

SLEEP = [
    0.7 - 1.9,
    -1.6 - 0.8,
    -0.2 - 1.1,
    -1.2 - 0.1,
    -0.1 + 0.1,
    3.4 - 4.4,
    3.7 - 5.5,
    0.8 - 1.6,
    0.0 - 4.6,
    2.0 - 3.4,
]


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(successes, n, low, high):
    interval = statistics.wilson(successes, n)
    assert interval.low == pytest.approx(low, abs=6e-5)
    assert interval.high == pytest.approx(high, abs=6e-5)


def test_wilson_of_nothing_is_everything():
    assert statistics.wilson(0, 0) == statistics.Interval(0, 1)


def test_newcombe_gives_the_published_difference():
    interval = statistics.newcombe(56, 70, 48, 80)
    assert interval.low == pytest.approx(0.0524, abs=6e-5)
    assert interval.high == pytest.approx(0.3339, abs=6e-5)


def test_mcnemar_exact_gives_the_published_values():
    assert statistics.mcnemar_exact(86, 150) == pytest.approx(3.716e-5, rel=1e-3)
    assert statistics.mcnemar_exact(1, 9) == pytest.approx(0.021484, abs=1e-6)


def test_mcnemar_mid_p_gives_the_published_value():
    assert statistics.mcnemar_mid_p(1, 9) == pytest.approx(0.011719, abs=1e-6)


def test_mcnemar_without_disagreement_finds_nothing():
    assert statistics.mcnemar_mid_p(0, 0) == 1
    assert statistics.mcnemar_exact(0, 0) == 1


def test_mcnemar_of_a_draw_finds_nothing():
    assert statistics.mcnemar_mid_p(4, 4) == 1


def test_paired_t_gives_students_sleep_result():
    differences = {}
    for value in SLEEP:
        differences[value] = differences.get(value, 0) + 1
    test = statistics.paired_t(differences)
    assert (test.t, test.degrees) == (pytest.approx(-4.0621, abs=1e-4), 9)
    assert test.p == pytest.approx(0.002833, abs=1e-6)
    assert (test.low, test.high) == (pytest.approx(-2.4599, abs=1e-4), pytest.approx(-0.7001, abs=1e-4))


def test_paired_t_needs_two_cases():
    with pytest.raises(ValueError, match="two cases"):
        statistics.paired_t({1.0: 1})


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.7062), (4, 2.7764), (9, 2.2622), (29, 2.0452), (1000, 1.9623)]
)
def test_t_quantiles_are_those_of_the_tables(degrees, quantile):
    assert statistics.t_quantile(0.975, degrees) == pytest.approx(quantile, abs=1e-4)


@pytest.mark.parametrize(("n", "points"), [(50, 0.18), (200, 0.09), (500, 0.056)])
def test_smallest_detectable_difference_is_the_published_one(n, points):
    assert statistics.smallest_detectable(n) == pytest.approx(points, abs=0.005)


def test_a_clear_win_is_called_better_with_its_counts():
    comparison = statistics.compare({(1.0, 0.0): 31, (0.0, 1.0): 6, (1.0, 1.0): 8, (0.0, 0.0): 5})
    assert comparison.finding == Finding.BETTER
    assert statistics.sentence(comparison).startswith(
        "Candidate is better on 31 of 50 cases, worse on 6 (95 % interval +"
    )


def test_a_clear_loss_is_called_worse():
    comparison = statistics.compare({(1.0, 0.0): 2, (0.0, 1.0): 20, (1.0, 1.0): 28})
    assert comparison.finding == Finding.WORSE
    assert "is worse: better on 2 of 50 cases, worse on 20" in statistics.sentence(comparison)


def test_no_winner_is_crowned_inside_the_noise():
    comparison = statistics.compare({(1.0, 0.0): 9, (0.0, 1.0): 6, (1.0, 1.0): 35})
    assert comparison.finding == Finding.UNCLEAR
    assert statistics.sentence(comparison).startswith("No clear difference: better on 9 of 50 cases, worse on 6")


def test_five_cases_are_too_few_however_clear_they_look():
    comparison = statistics.compare({(1.0, 0.0): 5})
    assert comparison.finding == Finding.TOO_FEW
    assert "Too few cases" in statistics.sentence(comparison)


def test_many_equal_cases_are_equivalent():
    assert statistics.compare({(1.0, 1.0): 300, (0.0, 0.0): 20}).finding == Finding.EQUIVALENT


def test_repeats_are_compared_as_shares_of_a_case():
    comparison = statistics.compare({(1.0, 2 / 3): 12, (2 / 3, 1 / 3): 10, (1.0, 1.0): 8, (1 / 3, 2 / 3): 1})
    assert (comparison.wins, comparison.losses, comparison.ties) == (22, 1, 8)
    assert comparison.finding == Finding.BETTER


def test_no_common_case_compares_nothing():
    comparison = statistics.compare({})
    assert comparison.finding == Finding.TOO_FEW
    assert "nothing can be compared" in statistics.sentence(comparison)


def test_two_equal_versions_are_rarely_called_different():
    chance = random.Random(7)
    verdicts = []
    for _ in range(2000):
        pairs = {}
        for _ in range(60):
            easy = chance.random()
            pair = (float(chance.random() < easy), float(chance.random() < easy))
            pairs[pair] = pairs.get(pair, 0) + 1
        verdicts.append(statistics.compare(pairs).finding in (Finding.BETTER, Finding.WORSE))
    assert sum(verdicts) / len(verdicts) < 0.06


counts = st.integers(0, 60)


@given(counts, counts, counts, counts)
def test_the_paired_interval_holds_the_difference_and_mirrors(both, wins, losses, neither):
    if both + wins + losses + neither == 0:
        return
    n = both + wins + losses + neither
    interval = statistics.newcombe_paired(both, wins, losses, neither)
    mirrored = statistics.newcombe_paired(both, losses, wins, neither)
    assert -1 <= interval.low <= (wins - losses) / n + 1e-12
    assert (wins - losses) / n - 1e-12 <= interval.high <= 1
    assert mirrored.low == pytest.approx(-interval.high)


@given(
    st.dictionaries(st.tuples(st.sampled_from([0, 1 / 3, 2 / 3, 1.0]), st.sampled_from([0, 1 / 3, 2 / 3, 1.0])), counts)
)
def test_every_comparison_counts_each_case_once_and_stays_finite(pairs):
    comparison = statistics.compare(pairs)
    assert comparison.wins + comparison.losses + comparison.ties == comparison.n == sum(pairs.values())
    assert all(math.isfinite(value) for value in (comparison.difference, comparison.low, comparison.high, comparison.p))
    assert -1 <= comparison.low <= comparison.high <= 1
