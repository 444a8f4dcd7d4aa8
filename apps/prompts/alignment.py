"""Which message of one version is which of the other: by what they say, not by where they stand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from apps.prompts import word_diffs

T = TypeVar("T")
# Words looked at of one text: enough to know it again, few enough to compare a hundred with a hundred.
SAMPLE = 300
ALIKE = 0.35
SAME_TEXT = 0.9


@dataclass(frozen=True)
class Pair:
    """A place before and a place after; None where there is none. `moved` when others passed between."""

    before: int | None
    after: int | None
    moved: bool = False


def align(before: Sequence[T], after: Sequence[T], *, kind: Callable[[T], str], text: Callable[[T], str]) -> list[Pair]:
    """Return pairs in the order of `after`, with what went where it stood.

    Only equal kinds are paired unless the texts are equal; one alone between two pairs is paired with the one
    alone on the other side, whatever they say.
    """
    old = [_Sketch(kind(item), text(item)) for item in before]
    new = [_Sketch(kind(item), text(item)) for item in after]
    matches = _best_order(old, new)
    moves = _moves(old, new, matches)
    return _in_reading_order(old, new, matches, moves)


class _Sketch:
    """What is looked at of an item."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind, self.text = kind, text
        self.words = frozenset([word for word in word_diffs.tokens(text[:6_000]) if not word.isspace()][:SAMPLE])

    def likeness(self, other: "_Sketch") -> float:
        """Return 0 to 1: the share of words that both have, a little less for another role."""
        if self.text == other.text:
            return 1.0 if self.kind == other.kind else SAME_TEXT
        if not self.words or not other.words or self.kind != other.kind:
            return 0.0
        return 2 * len(self.words & other.words) / (len(self.words) + len(other.words))


def _best_order(old: list[_Sketch], new: list[_Sketch]) -> list[tuple[int, int]]:
    """Return the pairs, in order on both sides, that are most alike together."""
    start = 0
    while start < min(len(old), len(new)) and old[start].likeness(new[start]) == 1.0:
        start += 1
    a, b = old[start:], new[start:]
    likeness = [[one.likeness(other) for other in b] for one in a]
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            paired = best[i + 1][j + 1] + _worth(likeness[i][j])
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    found, i, j = [(n, n) for n in range(start)], 0, 0
    while i < len(a) and j < len(b):
        if best[i][j] == best[i + 1][j + 1] + _worth(likeness[i][j]):
            found.append((start + i, start + j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def _worth(likeness: float) -> float:
    """Return what a pair adds: two that are equal are worth more than two that are only much alike."""
    if likeness < ALIKE:
        return -1.0
    return 2.0 if likeness == 1.0 else likeness


def _moves(old: list[_Sketch], new: list[_Sketch], matches: list[tuple[int, int]]) -> dict[int, int]:
    """Return where items that the order left over went: places after, by places before."""
    left = [i for i in range(len(old)) if i not in {i for i, _ in matches}]
    free = [j for j in range(len(new)) if j not in {j for _, j in matches}]
    found: dict[int, int] = {}
    for i in left:
        scores = [(old[i].likeness(new[j]), -j) for j in free]
        score, place = max(scores, default=(0.0, 0))
        if score >= SAME_TEXT:
            found[i] = -place
            free.remove(-place)
    return found


def _in_reading_order(
    old: list[_Sketch], new: list[_Sketch], matches: list[tuple[int, int]], moves: dict[int, int]
) -> list[Pair]:
    came_from = {j: i for i, j in moves.items()}
    found: list[Pair] = []
    at_old = at_new = 0
    for i, j in [*matches, (len(old), len(new))]:
        gone = [n for n in range(at_old, i) if n not in moves]
        come = list(range(at_new, j))
        fresh = [n for n in come if n not in came_from]
        if len(gone) == len(fresh) and all(old[x].kind == new[y].kind for x, y in zip(gone, fresh, strict=True)):
            partner, gone = dict(zip(fresh, gone, strict=True)), []
        else:
            partner = {}
        found += [Pair(n, None) for n in gone]
        found += [Pair(came_from.get(n, partner.get(n)), n, moved=n in came_from) for n in come]
        if i < len(old):
            found.append(Pair(i, j))
        at_old, at_new = i + 1, j + 1
    return found
