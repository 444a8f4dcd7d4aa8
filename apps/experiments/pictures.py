"""Where an interval lies, as the numbers of a small drawing 640 wide."""

from dataclasses import dataclass
from typing import Any

WIDTH = 640
MARGIN = 40
STEPS = (0.1, 0.2, 0.3, 0.4, 0.6, 1.0)


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True)
class IntervalPicture:
    """A line from `low` to `high` with a dot at `middle`, over an axis whose zero is at `zero`."""

    low: float
    high: float
    middle: float
    zero: float
    width: float
    tone: str
    ticks: list[Tick]
    words: str


TONES = {"better": "good", "worse": "bad"}


def difference(comparison: dict[str, Any]) -> IntervalPicture:
    """Draw a difference in points, the same distance to both sides of nothing."""
    reach = max(abs(comparison["low"]), abs(comparison["high"]))
    span = next((step for step in STEPS if reach <= step), 1.0)
    return _picture(comparison, comparison["difference"], -span, span, TONES.get(comparison["finding"], "idle"))


def share(rate: dict[str, Any]) -> IntervalPicture:
    """Draw a pass rate between nothing and all."""
    return _picture(rate, rate["share"], 0.0, 1.0, "active")


def _picture(interval: dict[str, Any], middle: float, start: float, end: float, tone: str) -> IntervalPicture:
    def place(value: float) -> float:
        inside = min(max(value, start), end)
        return round(MARGIN + (inside - start) / (end - start) * (WIDTH - 2 * MARGIN), 1)

    low, high = place(interval["low"]), place(interval["high"])
    ticks = [
        Tick(place(start + (end - start) * part / 4), _points(start + (end - start) * part / 4)) for part in range(5)
    ]
    words = f"{_points(middle)}, 95 % interval {_points(interval['low'])} to {_points(interval['high'])}"
    return IntervalPicture(low, high, place(middle), place(0.0), round(max(high - low, 4), 1), tone, ticks, words)


def _points(value: float) -> str:
    points = round(value * 100)
    return f"\u2212{-points}" if points < 0 else str(points)
