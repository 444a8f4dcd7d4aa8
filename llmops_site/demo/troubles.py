"""What went wrong at the provider now and then, in the words that `failures` finds for it."""

import random
from dataclasses import dataclass

import httpx2
import openai

from apps.llm import failures
from apps.llm.errors import ProviderError
from apps.llm.models import Connection
from apps.llm.practice_provider import faults, openai_wire

TIMED_OUT = 0


@dataclass(frozen=True)
class Trouble:
    """A way in which an attempt ends: the status that the provider refused with, or none that came in time."""

    status: int
    shortest_ms: int = 20
    longest_ms: int = 400
    retry_after: float | None = None
    words: str = ""

    def milliseconds(self, draw: random.Random) -> int:
        """Draw how long it took to fail."""
        return round(draw.uniform(self.shortest_ms, self.longest_ms))

    def error(self, connection: Connection) -> ProviderError:
        """Return what the connection's client would have raised."""
        request = httpx2.Request("POST", connection.base_url)
        if self.status == TIMED_OUT:
            late = openai.APITimeoutError(request=request)
            late.__cause__ = httpx2.ReadTimeout("late", request=request)
            return failures.of(late, connection.name)
        headers = {} if self.retry_after is None else {"retry-after": f"{self.retry_after:g}"}
        words = self.words or faults.MESSAGES[self.status]
        said = openai_wire.error(self.status, words)
        response = httpx2.Response(self.status, json=said, headers=headers, request=request)
        refusal = openai.APIStatusError(words, response=response, body=said)
        return failures.of(refusal, connection.name)


THROTTLED = Trouble(429, retry_after=1.0)
UNAVAILABLE = Trouble(503, 100, 900)
BROKEN = Trouble(500, 200, 2_000)
LATE = Trouble(TIMED_OUT, 60_000, 60_000)
REFUSED = Trouble(400, words="temperature must be at most 2.")


def at_a_run(draw: random.Random) -> tuple[Trouble, ...]:
    """Draw what an answer of a run met on its way: mostly nothing, now and then a provider that had enough."""
    luck = draw.random()
    if luck < 0.018:
        return (THROTTLED,)
    if luck < 0.022:
        return (THROTTLED, THROTTLED)
    return (UNAVAILABLE,) if luck < 0.026 else ()


def at_the_playground(draw: random.Random) -> tuple[Trouble, ...]:
    """Draw what somebody met who tried a prompt; what is refused for good ends there."""
    luck = draw.random()
    for share, trouble in ((0.012, THROTTLED), (0.018, BROKEN), (0.022, LATE), (0.03, REFUSED)):
        if luck < share:
            return (trouble,)
    return ()
