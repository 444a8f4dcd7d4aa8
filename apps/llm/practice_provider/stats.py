"""What the provider has seen: calls by kind, those in flight, and the attempts behind every call key."""

import time
from collections import Counter


class Stats:
    """Counts since the last reset. A call key seen twice is a call that somebody made twice."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew; what is in flight stays in flight."""
        self.since = time.monotonic()
        self.peak = self.in_flight
        self.calls: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.api_keys: Counter[str] = Counter()
        self.generation_calls = self.ok = self.streams = self.refused = self.gone = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.keys: dict[str, list[int]] = {}

    def enter(self) -> None:
        """Note that a call has begun."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)

    def leave(self) -> None:
        """Note that a call has ended, however it did."""
        self.in_flight -= 1

    def attempt(self, key: str) -> int:
        """Note an attempt under a call key and return its number, from 1."""
        record = self.keys.setdefault(key, [0, 0])
        record[0] += 1
        return record[0]

    def complete(self, key: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Note that a whole answer went out."""
        self.ok += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        if record := self.keys.get(key):
            record[1] += 1

    def describe(self, *, with_keys: bool = False) -> dict[str, object]:
        """Return the counts; with_keys adds [attempts, completed] for each call key."""
        records = self.keys.values()
        shown: dict[str, object] = {
            "since_s": round(time.monotonic() - self.since, 3),
            "calls": dict(self.calls),
            "generation_calls": self.generation_calls,
            "ok": self.ok,
            "streams": self.streams,
            "faults": dict(self.faults),
            "bad_request": self.refused,
            "client_gone": self.gone,
            "in_flight": self.in_flight,
            "in_flight_peak": self.peak,
            "per_api_key": dict(self.api_keys),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "distinct": len(self.keys),
            "distinct_completed": sum(1 for _, completed in records if completed),
            "repeated": sum(attempts - 1 for attempts, _ in records if attempts),
            "completed_twice": sum(completed - 1 for _, completed in records if completed > 1),
        }
        if with_keys:
            shown["keys"] = self.keys
        return shown
