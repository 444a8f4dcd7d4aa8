"""Word diffs in bounded time: lines that occur once on both sides are anchors, then groups of words, then words.

The time grows with the length of the texts, whatever they hold: one line of 200 kB, the same word 40,000 times, nothing
in common. What the budget does not reach is shown as gone and come, which is true of any two texts.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Piece = tuple[str, str]  # ("equal" | "delete" | "insert", text)
Match = tuple[int, int]

MAX_DEPTH = 4
MAX_EDITS = 120
# What all searching of one comparison may cost, in looks at a word: about a tenth of a second.
BUDGET = 300_000
MAX_CHANGES = 1_500
GROUPED_FROM = 4_000


def _marks() -> str:
    """Return the combining marks as ranges of a character class: they belong to the letter before them."""
    found: list[list[int]] = []
    for code in range(0x300, 0x1F000):
        if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me"):
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in found)


MARKS = _marks()
# Scripts that write words without spaces: there a letter with its marks is what can change.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
MODIFIERS = f"{MARKS}\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
INTRICATE = re.compile(f"[{UNSPACED}{MODIFIERS}\u200d\U0001f1e6-\U0001f1ff]")
# A letter keeps its marks, a family of emoji stays together, a flag is two letters.
INTRICATE_TOKEN = re.compile(
    rf"(?=\w)[{UNSPACED}][{MARKS}]*"
    rf"|[^\W{UNSPACED}][^\W{UNSPACED}{MARKS}]*(?:[{MARKS}]+[^\W{UNSPACED}{MARKS}]*)*"
    r"|\n|[^\S\n]+"
    r"|[\U0001f1e6-\U0001f1ff]{2}"
    rf"|[^\w\s][{MODIFIERS}]*(?:\u200d[^\w\s][{MODIFIERS}]*)*"
)
TOKEN = re.compile(r"\w+|\n|[^\S\n]+|[^\w\s]")
LINE = re.compile(r"[^\n]*\n|[^\n]+")
# A few words, cut behind certain letters: so an insertion moves no other cut.
GROUP = re.compile(r".+?[dey.,!?]\s+|.+", re.DOTALL)


@dataclass(slots=True)
class _Change:
    """What stayed, and what went and came after it."""

    kept: str = ""
    gone: str = ""
    came: str = ""

    @property
    def size(self) -> int:
        return max(len(self.gone), len(self.came))


def words(before: str, after: str) -> list[Piece]:
    """Return the pieces of both texts in reading order; each text is the exact sum of its pieces."""
    if before == after:
        return [("equal", before)] if before else []
    found = [_Change()]
    _by_lines(before, after, _Search(), found)
    return _pieces(_readable(found))


def _add(found: list[_Change], equal: bool, gone: str, came: str) -> None:
    last = found[-1]
    if not equal:
        last.gone += gone
        last.came += came
    elif last.gone or last.came:
        found.append(_Change(gone))
    else:
        last.kept += gone


def _by_lines(before: str, after: str, search: "_Search", found: list[_Change]) -> None:
    a, b = LINE.findall(before), LINE.findall(after)
    for equal, gone, came in _blocks(a, b, _by_anchors(a, b)):
        if equal or not gone or not came:
            _add(found, equal, gone, came)
        else:
            _by_groups(gone, came, search, found)


def _by_groups(before: str, after: str, search: "_Search", found: list[_Change]) -> None:
    if min(len(before), len(after)) < GROUPED_FROM:
        _by_words(before, after, search, found)
        return
    a, b = GROUP.findall(before), GROUP.findall(after)
    for equal, gone, came in _blocks(a, b, _by_anchors(a, b)):
        if equal or not gone or not came:
            _add(found, equal, gone, came)
        else:
            _by_words(gone, came, search, found)


def _by_words(before: str, after: str, search: "_Search", found: list[_Change]) -> None:
    a, b = tokens(before), tokens(after)
    for equal, gone, came in _blocks(a, b, search.matches(a, b)):
        _add(found, equal, gone, came)


def tokens(text: str) -> list[str]:
    """Return the words, spaces and signs of a text: their sum is the text."""
    plain = text.isascii() or not INTRICATE.search(text)
    return (TOKEN if plain else INTRICATE_TOKEN).findall(text)


def _blocks(a: Sequence[str], b: Sequence[str], matches: list[Match]) -> Iterator[tuple[bool, str, str]]:
    """Turn matching places, in order, into runs of equal and of different text."""
    at_a = at_b = 0  # everything before is told
    start = end = 0  # the run of equal tokens that may go on, by its places in `a`
    shift = 0
    for i, j in [*matches, (len(a), len(b))]:  # the last pair is the end of both
        if i == end and j - i == shift and end > start:
            end += 1
            continue
        if end > start:
            yield True, "".join(a[start:end]), ""
            at_a, at_b = end, end + shift
        if i > at_a or j > at_b:
            yield False, "".join(a[at_a:i]), "".join(b[at_b:j])
        start, end, shift = i, i + 1, j - i
    if start < len(a):
        yield True, "".join(a[start:]), ""


def _trimmed(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """Return how many tokens at the start and at the end are equal, the ends never overlapping."""
    most = min(len(a), len(b))
    start = 0
    while start < most and a[start] == b[start]:
        start += 1
    end = 0
    while end < most - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return start, end


def _increasing(pairs: list[Match]) -> list[Match]:
    """Return the longest run of pairs (sorted by the first number) whose second numbers grow."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        place = bisect_left(tails, j)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(j)
            ends.append(index)
        else:
            tails[place], ends[place] = j, index
    found = []
    at = ends[-1] if ends else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


def _anchors(a: Sequence[str], b: Sequence[str]) -> list[Match]:
    """Return the places of tokens that occur exactly once on both sides, in an order that both share."""
    count_a, count_b = Counter(a), Counter(b)
    places = {token: j for j, token in enumerate(b) if count_b[token] == 1}
    return _increasing([(i, places[token]) for i, token in enumerate(a) if count_a[token] == 1 and token in places])


def _by_rank(a: Sequence[str], b: Sequence[str]) -> list[Match]:
    """Match the n-th occurrence of a token with the n-th: seldom the best, always at once."""
    places: dict[str, list[int]] = {}
    for j in range(len(b) - 1, -1, -1):
        places.setdefault(b[j], []).append(j)
    return _increasing([(i, places[token].pop()) for i, token in enumerate(a) if places.get(token)])


def _by_anchors(a: Sequence[str], b: Sequence[str]) -> list[Match]:
    """Match lines: equal ends, anchors, and the equal neighbours of anchors."""
    start, end = _trimmed(a, b)
    inner_a, inner_b = a[start : len(a) - end], b[start : len(b) - end]
    found = [(i, i) for i in range(start)]
    at_a = at_b = 0
    for i, j in [*_anchors(inner_a, inner_b), (len(inner_a), len(inner_b))]:
        head, tail = _trimmed(inner_a[at_a:i], inner_b[at_b:j])
        found += [(start + at_a + n, start + at_b + n) for n in range(head)]
        found += [(start + i - n, start + j - n) for n in range(tail, 0, -1)]
        if i < len(inner_a):
            found.append((start + i, start + j))
        at_a, at_b = i + 1, j + 1
    return found + [(len(a) - n, len(b) - n) for n in range(end, 0, -1)]


class _Search:
    """Matches words, and remembers how much looking was paid for."""

    def __init__(self) -> None:
        self.left = BUDGET

    def matches(self, a: Sequence[str], b: Sequence[str], depth: int = 0) -> list[Match]:
        """Return the places that match, in order on both sides."""
        if not self._may(80) and depth:
            return []
        start, end = _trimmed(a, b)
        inner_a, inner_b = a[start : len(a) - end], b[start : len(b) - end]
        found = [(i, i) for i in range(start)]
        if inner_a and inner_b and self._may(len(inner_a) + len(inner_b)):
            found += [(start + i, start + j) for i, j in self._inner(inner_a, inner_b, depth)]
        found += [(len(a) - n, len(b) - n) for n in range(end, 0, -1)]
        return found

    def _may(self, cost: int) -> bool:
        """Pay for a look, or tell that there is not enough left for it."""
        affordable = cost <= self.left
        self.left -= cost if affordable else 0
        return affordable

    def _inner(self, a: Sequence[str], b: Sequence[str], depth: int) -> list[Match]:
        anchors = _anchors(a, b) if depth < MAX_DEPTH else []
        if not anchors:
            return self._without_anchors(a, b)
        found: list[Match] = []
        at_a = at_b = 0
        for i, j in [*anchors, (len(a), len(b))]:
            if i > at_a and j > at_b and self.left > 0:
                between = self.matches(a[at_a:i], b[at_b:j], depth + 1)
                found += [(at_a + x, at_b + y) for x, y in between]
            found.append((i, j))
            at_a, at_b = i + 1, j + 1
        return found[:-1]

    def _without_anchors(self, a: Sequence[str], b: Sequence[str]) -> list[Match]:
        if set(a).isdisjoint(b):
            return []
        found = self._shortest(a, b)
        if found is None:
            return _by_rank(a, b) if self._may(5 * (len(a) + len(b))) else []
        return found

    def _shortest(self, a: Sequence[str], b: Sequence[str]) -> list[Match] | None:
        """Return the matches of the fewest edits (Myers' greedy search), or None when that costs too much."""
        if abs(len(a) - len(b)) > MAX_EDITS:
            return None
        allowance = self.left // 3
        reach = {1: 0}
        trail: list[dict[int, int]] = []
        for edits in range(min(MAX_EDITS, len(a) + len(b)) + 1):
            trail.append(reach.copy())
            cost = self._step(a, b, edits, reach)
            self.left, allowance = self.left - cost, allowance - cost
            if reach.get(len(a) - len(b), -1) >= len(a):
                return _walked_back(trail, len(a), len(b))
            if allowance < 0:
                return None
        return None

    def _step(self, a: Sequence[str], b: Sequence[str], edits: int, reach: dict[int, int]) -> int:
        """Follow every diagonal one edit further and return how many steps that took."""
        steps = 0
        for k in range(-edits, edits + 1, 2):
            start = reach[k + 1] if _is_down(reach, k, edits) else reach[k - 1] + 1
            x, y = start, start - k
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x, y = x + 1, y + 1
            reach[k] = x
            steps += 1 + x - start
        return steps


def _is_down(reach: dict[int, int], k: int, edits: int) -> bool:
    """Tell whether the best way to this diagonal is an insertion."""
    return k == -edits or (k != edits and reach[k - 1] < reach[k + 1])


def _walked_back(trail: list[dict[int, int]], x: int, y: int) -> list[Match]:
    found: list[Match] = []
    for edits in range(len(trail) - 1, -1, -1):
        reach, k = trail[edits], x - y
        from_k = k + 1 if _is_down(reach, k, edits) else k - 1
        from_x = reach[from_k]
        from_y = from_x - from_k
        while x > from_x and y > from_y:
            x, y = x - 1, y - 1
            found.append((x, y))
        x, y = from_x, from_y
    return found[::-1]


def _readable(changes: list[_Change]) -> list[_Change]:
    """Merge what belongs together: little that stayed between much that went is part of the change."""
    found, longest = _without_crumbs(changes, 0), 4
    while len(found) > MAX_CHANGES:
        found, longest = _without_crumbs(found, longest), longest * 4
    return found


def _without_crumbs(changes: list[_Change], longest: int) -> list[_Change]:
    """Fold equal text into the changes around it when it is shorter than both, or than `longest`."""
    found: list[_Change] = []
    for run in _runs(changes, longest):
        gone = [text for change in run for text in (change.kept, change.gone)]
        came = [text for change in run for text in (change.kept, change.came)]
        found.append(_Change(run[0].kept, "".join(gone[1:]), "".join(came[1:])))
    return found


def _runs(changes: list[_Change], longest: int) -> Iterator[list[_Change]]:
    run: list[_Change] = []
    size = 0
    for change in changes:
        if size and change.size and _is_crumb(change.kept, min(size, change.size), longest):
            run.append(change)
            size += len(change.kept) + change.size
            continue
        if run:
            yield run
        run, size = [change], change.size
    yield run


def _is_crumb(kept: str, around: int, longest: int) -> bool:
    return "\n" not in kept if kept.isspace() else len(kept) <= max(longest, around)


def _pieces(changes: list[_Change]) -> list[Piece]:
    found: list[Piece] = []
    for change in changes:
        parts = (("equal", change.kept), ("delete", change.gone), ("insert", change.came))
        found += [(kind, text) for kind, text in parts if text]
    return found
