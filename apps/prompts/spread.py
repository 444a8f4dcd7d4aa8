"""How far the answers to the same question differ: which came how often, and the ranges of length, money and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

from apps.core import formats
from apps.prompts.tries import Outcome

FEWEST, MOST = 2, 10


@dataclass(frozen=True)
class Group:
    """Equal answers: the text, and the calls that gave it."""

    text: str
    outcomes: tuple[Outcome, ...]

    @property
    def count(self) -> int:
        return len(self.outcomes)


@dataclass(frozen=True)
class Range:
    """The lowest, the middle and the highest of something, in words."""

    label: str
    lowest: str
    middle: str
    highest: str


@dataclass(frozen=True)
class Spread:
    """What asking several times showed."""

    groups: list[Group]
    ranges: list[Range]
    failures: list[Outcome]
    times: int

    @property
    def sentence(self) -> str:
        answered = self.times - len(self.failures)
        if not answered:
            return f"None of {self.times} runs was answered."
        if len(self.groups) == 1:
            said = "the same answer" if answered > 1 else "one answer"
            return f"{said.capitalize()} in {_runs(answered, self.times)}."
        often = self.groups[0].count
        most = f"the most frequent came {often} times" if often > 1 else "no two were equal"
        return f"{len(self.groups)} different answers in {_runs(answered, self.times)}; {most}."


def _runs(answered: int, times: int) -> str:
    return f"{times} runs" if answered == times else f"{answered} of {times} runs (the others failed)"


def of(outcomes: Sequence[Outcome]) -> Spread:
    """Group equal answers, the most frequent first, and measure them."""
    answered = [one for one in outcomes if not one.error]
    groups: dict[str, list[Outcome]] = {}
    for one in answered:
        groups.setdefault(_said(one), []).append(one)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return Spread(
        groups=[Group(text, tuple(same)) for text, same in ordered],
        ranges=_ranges(answered),
        failures=[one for one in outcomes if one.error],
        times=len(outcomes),
    )


def _said(outcome: Outcome) -> str:
    """Return what was said, called tools included."""
    return "\n".join(filter(None, [outcome.text.strip(), outcome.called]))


def _ranges(answered: list[Outcome]) -> list[Range]:
    done = [one.completion for one in answered if one.completion]
    if not done:
        return []
    costs = [one.cost for one in done if one.cost is not None]
    rows: list[tuple[str, list[Any], Any]] = [
        ("Length, characters", [len(one.text) for one in done], _whole),
        ("Cost", costs, formats.money),
        ("Time", [one.latency_ms for one in done], formats.duration),
    ]
    return [_range(label, values, words) for label, values, words in rows if values]


def _range(label: str, values: list[Any], words: Any) -> Range:
    middle = median(values)
    return Range(label, words(min(values)), words(middle), words(max(values)))


def _whole(value: Decimal | float) -> str:
    return formats.number(round(value))
