"""Is it better? Intervals and tests for proportions and paired differences, on the standard library alone.

The unit is the case: repeats of a case are averaged before anything is compared. Differences are candidate minus
baseline, as shares of 1.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

Z95 = 1.959963984540054
MIN_CASES = 8
EQUIVALENCE_MARGIN = 0.05
MINUS = "\u2212"
POWER_FACTOR = 2.801585218  # z(97.5 %) + z(80 %): the effect found four times in five
TYPICAL_DISAGREEMENT = 0.2

Pairs = Mapping[tuple[float, float], int]  # (candidate, baseline) of a case -> number of such cases


@dataclass(frozen=True)
class Interval:
    low: float
    high: float

    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def is_within(self, margin: float) -> bool:
        return -margin < self.low and self.high < margin


class Finding(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    UNCLEAR = "unclear"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Rate:
    """A share of cases with its 95 % interval."""

    passed: float
    n: int
    share: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """What two arms did on the same cases."""

    n: int
    wins: int
    losses: int
    ties: int
    difference: float
    low: float
    high: float
    p: float
    finding: Finding

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def wilson(successes: float, n: int, z: float = Z95) -> Interval:
    """Return Wilson's interval of a proportion; of nothing, everything."""
    if n == 0:
        return Interval(0.0, 1.0)
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(max(share * (1 - share), 0.0) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def rate(passed: float, n: int) -> Rate:
    """Return a pass rate with its interval. `passed` may be a sum of shares when cases were repeated: the interval is
    then on the wide side, as a share varies less than a coin."""
    interval = wilson(passed, n)
    return Rate(passed, n, passed / n if n else 0.0, interval.low, interval.high)


def newcombe(successes_1: int, n_1: int, successes_2: int, n_2: int) -> Interval:
    """Return the interval of p1 - p2 for two separate samples (Newcombe's hybrid score interval)."""
    p_1, p_2 = successes_1 / n_1, successes_2 / n_2
    one, two = wilson(successes_1, n_1), wilson(successes_2, n_2)
    return Interval(
        p_1 - p_2 - math.hypot(p_1 - one.low, two.high - p_2), p_1 - p_2 + math.hypot(one.high - p_1, p_2 - two.low)
    )


def newcombe_paired(both: int, only_1: int, only_2: int, neither: int) -> Interval:
    """Return the interval of p1 - p2 on the same cases (Newcombe's paired score interval, his method 10)."""
    n = both + only_1 + only_2 + neither
    first, second = both + only_1, both + only_2
    p_1, p_2 = first / n, second / n
    one, two = wilson(first, n), wilson(second, n)
    phi = _phi(both, only_1, only_2, neither)
    down, down_2 = p_1 - one.low, two.high - p_2
    up, up_2 = one.high - p_1, p_2 - two.low
    difference = (only_1 - only_2) / n
    return Interval(
        max(-1.0, difference - math.sqrt(max(0.0, down**2 - 2 * phi * down * down_2 + down_2**2))),
        min(1.0, difference + math.sqrt(max(0.0, up**2 - 2 * phi * up * up_2 + up_2**2))),
    )


def _phi(a: int, b: int, c: int, d: int) -> float:
    product = (a + b) * (c + d) * (a + c) * (b + d)
    if product == 0:
        return 0.0
    cross = a * d - b * c
    if cross > 0:
        cross = max(cross - (a + b + c + d) / 2, 0)  # type: ignore[assignment]
    return cross / math.sqrt(product)


def mcnemar_exact(b: int, c: int) -> float:
    """Return the two-sided exact p of McNemar's test for b and c discordant pairs."""
    return min(1.0, 2 * _binomial_tail(min(b, c), b + c))


def mcnemar_mid_p(b: int, c: int) -> float:
    """Return the mid-p of McNemar's test: the exact p less the probability of what was seen."""
    n = b + c
    if n == 0:
        return 1.0
    seen = math.exp(_log_choose(n, min(b, c)) - n * math.log(2))
    return 1.0 if b == c else min(1.0, 2 * _binomial_tail(min(b, c), n) - seen)


def _binomial_tail(k: int, n: int) -> float:
    return math.fsum(math.exp(_log_choose(n, i) - n * math.log(2)) for i in range(k + 1))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@dataclass(frozen=True)
class PairedT:
    mean: float
    t: float
    degrees: int
    p: float
    low: float
    high: float


def paired_t(differences: Mapping[float, int]) -> PairedT:
    """Return the paired t test of differences (difference -> how many cases). Raises ValueError for fewer than two."""
    n = sum(differences.values())
    if n < 2:
        raise ValueError("a paired test needs two cases")
    mean = math.fsum(d * count for d, count in differences.items()) / n
    variance = math.fsum(count * (d - mean) ** 2 for d, count in differences.items()) / (n - 1)
    error = math.sqrt(variance / n)
    if error < 1e-12:
        # Every case moved alike. That is no proof of certainty, so nothing narrower than the score interval is claimed.
        return PairedT(mean, 0.0, n - 1, 1.0 if mean == 0 else 0.5 ** (n - 1), *_alike(mean, n))
    t = mean / error
    reach = t_quantile(0.975, n - 1) * error
    return PairedT(mean, t, n - 1, t_two_sided(t, n - 1), mean - reach, mean + reach)


def _alike(mean: float, n: int) -> tuple[float, float]:
    low = wilson(n, n).low
    edge = abs(mean) * (2 * low - 1), abs(mean)
    if mean == 0:
        reach = 1 - low
        return -reach, reach
    return edge if mean > 0 else (-edge[1], -edge[0])


def t_two_sided(t: float, degrees: int) -> float:
    """Return the chance of a Student t at least as far from 0."""
    return _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))


def t_quantile(share: float, degrees: int) -> float:
    """Return the t below which `share` (above one half) of Student's distribution lies."""
    low, high = 0.0, 1.0
    while 1 - t_two_sided(high, degrees) / 2 < share:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if 1 - t_two_sided(middle, degrees) / 2 < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function by its continued fraction."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1 - front * _beta_fraction(b, a, 1 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    result = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / _away_from_zero(1 + step * d, tiny)
            c = _away_from_zero(1 + step / c, tiny)
            result *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return result


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def smallest_detectable(n: int, disagreement: float = TYPICAL_DISAGREEMENT) -> float:
    """Return the difference that `n` cases show four times in five, when the arms disagree on that share of them."""
    return min(1.0, POWER_FACTOR * math.sqrt(disagreement / n)) if n else 1.0


def compare(pairs: Pairs) -> Comparison:
    """Compare candidate and baseline case by case.

    When every case passed or failed outright: McNemar's mid-p and Newcombe's paired interval. When repeats give
    shares: the paired t test.
    """
    n = sum(pairs.values())
    wins = sum(count for (candidate, baseline), count in pairs.items() if candidate > baseline + 1e-9)
    losses = sum(count for (candidate, baseline), count in pairs.items() if candidate < baseline - 1e-9)
    difference = math.fsum((pair[0] - pair[1]) * count for pair, count in pairs.items()) / n if n else 0.0
    interval, p = _interval_and_p(pairs, n, wins, losses)
    finding = _finding(n, difference, interval, p)
    return Comparison(n, wins, losses, n - wins - losses, difference, interval.low, interval.high, p, finding)


def _interval_and_p(pairs: Pairs, n: int, wins: int, losses: int) -> tuple[Interval, float]:
    if n < 2:
        return Interval(-1.0, 1.0), 1.0
    if all(value in (0.0, 1.0) for pair in pairs for value in pair):
        both, neither = pairs.get((1.0, 1.0), 0), pairs.get((0.0, 0.0), 0)
        return newcombe_paired(both, wins, losses, neither), mcnemar_mid_p(wins, losses)
    differences: dict[float, int] = {}
    for (candidate, baseline), count in pairs.items():
        differences[candidate - baseline] = differences.get(candidate - baseline, 0) + count
    test = paired_t(differences)
    return Interval(max(-1.0, test.low), min(1.0, test.high)), test.p


def _finding(n: int, difference: float, interval: Interval, p: float) -> Finding:
    if n < MIN_CASES:
        return Finding.TOO_FEW
    if interval.excludes_zero() and p < 0.05:
        return Finding.BETTER if difference > 0 else Finding.WORSE
    return Finding.EQUIVALENT if interval.is_within(EQUIVALENCE_MARGIN) else Finding.UNCLEAR


def sentence(comparison: Comparison) -> str:
    """Say in plain words what the comparison found, with its interval, and no more than it found."""
    interval = f"95 % interval {_points(comparison.low)} to {_points(comparison.high)} points"
    if comparison.n == 0:
        return "There is no case that both answered, so nothing can be compared."
    counts = f"better on {comparison.wins} of {comparison.n} {_cases(comparison.n)}, worse on {comparison.losses}"
    match comparison.finding:
        case Finding.BETTER:
            return f"Candidate is {counts} ({interval})."
        case Finding.WORSE:
            return f"Candidate is worse: {counts} ({interval})."
        case Finding.EQUIVALENT:
            return f"Candidate and baseline are as good as each other: {counts} ({interval})."
        case Finding.TOO_FEW:
            return f"Too few cases to tell: {counts}. At least {MIN_CASES} are needed."
    return f"No clear difference: {counts} ({interval})."


def _cases(n: int) -> str:
    return "case" if n == 1 else "cases"


def _points(share: float) -> str:
    points = round(share * 100)
    return f"+{points}" if points > 0 else f"{MINUS}{-points}" if points < 0 else "0"
