"""The attempts at one request along one line of time: how long each took, and the waits between. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.core import formats
from apps.llm.models import Call

LEAST_WIDTH = 0.6  # percent, so that what took no time can still be seen


@dataclass(frozen=True)
class Bar:
    """One attempt in percent of the whole time; `waited_ms` is the pause before it, None before the first."""

    call: Call
    left: float
    width: float
    first_token: float | None
    took_ms: int
    waited_ms: int | None
    wait_left: float
    wait_width: float
    is_running: bool

    @property
    def words(self) -> str:
        """What the bar shows, for those who do not see it."""
        waited = f"after waiting {formats.duration(self.waited_ms)}, " if self.waited_ms else ""
        so_far = "so far " if self.is_running else ""
        return f"Attempt {self.call.attempt}: {waited}{so_far}{formats.duration(self.took_ms)}"


def bars_of(attempts: Sequence[Call], now: datetime) -> list[Bar]:
    """Return a bar for each attempt, in the order in which they were made."""
    if not attempts:
        return []
    start = attempts[0].sent_at
    ends = [_end_ms(call, start, now) for call in attempts]
    total = max(1, *ends)
    bars: list[Bar] = []
    ended = 0
    for call, end in zip(attempts, ends, strict=True):
        sent = min(_ms(call.sent_at, start), end)
        token = None if call.first_token_ms is None else min(end, sent + call.first_token_ms)
        bars.append(
            Bar(
                call=call,
                left=_percent(sent, total),
                width=max(LEAST_WIDTH, _percent(end - sent, total)),
                first_token=None if token is None else _percent(token, total),
                took_ms=end - sent,
                waited_ms=max(0, sent - ended) if bars else None,
                wait_left=_percent(min(ended, sent), total),
                wait_width=_percent(max(0, sent - ended), total) if bars else 0.0,
                is_running=call.ended_at is None,
            )
        )
        ended = max(ended, end)
    return bars


def _end_ms(call: Call, start: datetime, now: datetime) -> int:
    sent = _ms(call.sent_at, start)
    if call.latency_ms is not None:
        return sent + call.latency_ms
    return max(sent, _ms(call.ended_at or now, start))


def _ms(moment: datetime, start: datetime) -> int:
    return max(0, round((moment - start).total_seconds() * 1000))


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2)
