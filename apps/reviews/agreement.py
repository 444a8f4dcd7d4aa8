"""What ratings say and how far raters agree: pure arithmetic over lists of labels, one list for each item.

What cannot be computed is None together with its counts, never a flattering 1.0.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

Units = Sequence[Sequence[str]]

CANDIDATE, BASELINE = "candidate", "baseline"
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A coefficient and what it was computed from: items with two ratings or more, and the ratings on them."""

    value: float | None
    items: int
    ratings: int


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class Preference:
    """How often the candidate is preferred, every item weighing the same and ties counting half."""

    share: float | None
    interval: Interval | None
    items: int
    ratings: int

    @property
    def is_worse(self) -> bool:
        """Tell whether even the upper end of the interval stays below half."""
        return self.interval is not None and self.interval.high < 0.5

    @property
    def is_better(self) -> bool:
        return self.interval is not None and self.interval.low > 0.5


def preference(units: Units) -> Preference:
    """Return the share of the candidate with its 95 % interval.

    Ratings of one item are not independent of each other, so the interval counts items, not ratings.
    """
    shares = [sum(map(_points, unit)) / len(unit) for unit in units if unit]
    ratings = sum(len(unit) for unit in units)
    if not shares:
        return Preference(None, None, 0, 0)
    share = sum(shares) / len(shares)
    return Preference(share, wilson(sum(shares), len(shares)), len(shares), ratings)


def _points(label: str) -> float:
    return {CANDIDATE: 1.0, BASELINE: 0.0}.get(label, 0.5)


def wilson(successes: float, n: int, z: float = Z_95) -> Interval:
    """Return Wilson's interval of a share; ties may make `successes` a half. Raises ValueError without trials."""
    if n <= 0:
        raise ValueError("a share of nothing has no interval")
    share = successes / n
    middle = share + z * z / (2 * n)
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))


def raw_agreement(units: Units) -> Estimate:
    """Return how often two raters of the same item say the same, averaged over items."""
    paired = _paired(units)
    value = sum(map(_agreeing, paired)) / len(paired) if paired else None
    return _estimate(value, paired)


def krippendorff_alpha(units: Units) -> Estimate:
    """Return Krippendorff's alpha for names; undefined while every paired rating has the same label."""
    paired = _paired(units)
    totals = Counter(label for unit in paired for label in unit)
    n = sum(totals.values())
    expected = n * n - sum(count * count for count in totals.values())
    if not expected:
        return _estimate(None, paired)
    observed = sum(len(unit) * (1 - _agreeing(unit)) for unit in paired)
    return _estimate(1 - (n - 1) * observed / expected, paired)


def gwet_ac1(units: Units) -> Estimate:
    """Return Gwet's AC1, which stays sensible when nearly all say the same; undefined for a single label."""
    paired, rated = _paired(units), [unit for unit in units if unit]
    labels = {label for unit in rated for label in unit}
    if not paired or len(labels) < 2:
        return _estimate(None, paired)
    shares = [sum(unit.count(label) / len(unit) for unit in map(list, rated)) / len(rated) for label in labels]
    chance = sum(share * (1 - share) for share in shares) / (len(labels) - 1)
    observed = sum(map(_agreeing, paired)) / len(paired)
    return _estimate((observed - chance) / (1 - chance), paired)


def bootstrap(
    units: Units, statistic: Callable[[Units], Estimate], *, seed: int = 0, rounds: int = 400
) -> Interval | None:
    """Return the 95 % interval of `statistic` when items are drawn anew; None below five items."""
    paired = _paired(units)
    if len(paired) < 5:
        return None
    draw = random.Random(seed)  # noqa: S311  repeatable, and guards nothing
    samples = (statistic(draw.choices(paired, k=len(paired))).value for _ in range(rounds))
    values = sorted(value for value in samples if value is not None)
    if len(values) < rounds // 2:
        return None
    return Interval(values[int(0.025 * len(values))], values[int(0.975 * (len(values) - 1))])


def agreement_words(estimate: Estimate) -> str:
    """Say in plain words what an alpha means for the decision."""
    if estimate.value is None:
        return "not known yet" if not estimate.items else "not clear: everyone gave the same answer"
    for floor, words in ((0.8, "good"), (0.667, "fair"), (0.2, "shaky"), (0.0, "hardly better than chance")):
        if estimate.value >= floor:
            return words
    return "worse than chance"


def disagreement(unit: Sequence[str]) -> float:
    """Return the share of rater pairs on one item who differ; 0 for fewer than two ratings."""
    return 1 - _agreeing(unit) if len(unit) > 1 else 0.0


def _paired(units: Units) -> list[Sequence[str]]:
    return [unit for unit in units if len(unit) > 1]


def _agreeing(unit: Sequence[str]) -> float:
    m = len(unit)
    return sum(count * (count - 1) for count in Counter(unit).values()) / (m * (m - 1))


def _estimate(value: float | None, paired: Sequence[Sequence[str]]) -> Estimate:
    return Estimate(value, len(paired), sum(map(len, paired)))
