"""Repeatable chance: the same words always draw the same lot."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Draws that depend on what was said; a variation shifts them a little, so that repeats differ in some cases."""

    def __init__(self, said: str, variation: str = "") -> None:
        self._base = hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=16).digest()
        self._varied = variation.encode("utf-8", "replace")

    def draw(self, what: str) -> float:
        """Return a number from 0 up to 1 for one named question."""
        base = _fraction(self._base + what.encode())
        if not self._varied:
            return base
        return (base + 0.25 * (_fraction(self._base + what.encode() + self._varied) - 0.5)) % 1.0

    def happens(self, what: str, probability: float) -> bool:
        """Say whether something happens that happens that often."""
        return self.draw(what) < probability

    def pick(self, what: str, options: Sequence[T]) -> T:
        """Choose one of the options; a variation may choose another."""
        return options[int(_fraction(self._base + what.encode() + self._varied) * len(options))]


def _fraction(data: bytes) -> float:
    return int.from_bytes(hashlib.blake2b(data, digest_size=6).digest(), "big") / 2**48
