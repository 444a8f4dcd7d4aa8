"""Counting tokens the way this provider bills them: four characters are one token, everywhere."""

import hashlib

CHARACTERS = 4
CACHEABLE = 1024
CACHE_STEP = 128


def count(text: str) -> int:
    """Return how many tokens a text takes."""
    return (len(text) + CHARACTERS - 1) // CHARACTERS


def cut(text: str, limit: int) -> str:
    """Return the beginning of a text that takes at most `limit` tokens."""
    return text[: limit * CHARACTERS]


class PrefixCache:
    """Remembers long prompt beginnings, as providers do, so that a repeat is billed as cached."""

    def __init__(self, keep: int = 4096) -> None:
        self._seen: dict[bytes, None] = {}
        self._keep = keep

    def clear(self) -> None:
        """Forget everything."""
        self._seen.clear()

    def look(self, model: str, prefix: str) -> tuple[int, bool]:
        """Return how many tokens of the prefix can be cached and whether they already were."""
        size = count(prefix)
        if size < CACHEABLE:
            return 0, False
        key = hashlib.blake2b(f"{model}\0{prefix}".encode("utf-8", "replace"), digest_size=16).digest()
        known = key in self._seen
        self._seen.pop(key, None)
        self._seen[key] = None
        if len(self._seen) > self._keep:
            del self._seen[next(iter(self._seen))]
        return size // CACHE_STEP * CACHE_STEP, known
