"""Which pairs are worth people's time: where the tests see a difference first, then evenly over the tags. Pure."""

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from apps.core import canonical


@dataclass(frozen=True)
class Pair:
    """Two answers to the same input, and what the tests made of them."""

    candidate_id: int
    baseline_id: int
    candidate_text: str
    baseline_text: str
    case_key: Hashable
    tags: tuple[str, ...] = ()
    disagrees: bool = False

    @property
    def differs(self) -> bool:
        return self.candidate_text.strip() != self.baseline_text.strip()

    @property
    def content_hash(self) -> str:
        """Return the same hash for the same two texts on the same case, whichever repeat they come from."""
        return canonical.sha256([str(self.case_key), self.candidate_text, self.baseline_text])


def choose(pairs: Sequence[Pair], limit: int) -> list[Pair]:
    """Return up to `limit` pairs that differ: one of each case before a second of any. Same input, same choice."""
    distinct = {pair.content_hash: pair for pair in reversed(pairs) if pair.differs}
    rounds: dict[Hashable, int] = defaultdict(int)
    ranked = []
    for pair in sorted(distinct.values(), key=lambda pair: (not pair.disagrees, pair.content_hash)):
        ranked.append((rounds[pair.case_key], not pair.disagrees, pair))
        rounds[pair.case_key] += 1
    groups: dict[tuple[int, bool], list[Pair]] = defaultdict(list)
    for repeat, agrees, pair in ranked:
        groups[repeat, agrees].append(pair)
    return [pair for key in sorted(groups) for pair in _spread(groups[key])][:limit]


def _spread(pairs: list[Pair]) -> list[Pair]:
    """Deal the pairs out tag by tag, as cards to players."""
    hands: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        hands[min(pair.tags, default="")].append(pair)
    dealt = [(place, tag, pair) for tag, hand in hands.items() for place, pair in enumerate(hand)]
    return [pair for _, _, pair in sorted(dealt, key=lambda card: card[:2])]


def sides(items: int, overlap: int, shuffle: random.Random) -> list[list[bool]]:
    """Decide for each slot of each item whether the candidate stands on the right.

    Neighbouring slots of an item take opposite sides and half of the items begin with either, so that each side is
    the candidate's half of the time (give or take one) and nobody can guess which.
    """
    first = [bool(index % 2) for index in range(items)]
    shuffle.shuffle(first)
    return [[start ^ bool(k % 2) for k in range(overlap)] for start in first]
