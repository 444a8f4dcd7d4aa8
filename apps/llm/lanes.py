"""What the governor does with a model now, in plain words."""

from dataclasses import dataclass
from datetime import datetime

from apps.llm.models import Lane, Model


@dataclass(frozen=True)
class LaneNow:
    """The present of a lane: a word for its state, and a sentence for everything that holds calls back."""

    state: str
    word: str
    in_flight: int
    may_fly: int
    sentences: tuple[str, ...]


def of_model(model: Model, now: datetime) -> LaneNow:
    """Return how the lane of the model is now; one that was never used is as wide as a new one."""
    lane = Lane.objects.filter(pk=model.pk).first() or Lane(model=model)
    most = model.connection.max_concurrency
    state, word = _state(lane, now)
    return LaneNow(state, word, lane.in_flight, min(lane.width, most), tuple(_sentences(lane, model, now)))


def _state(lane: Lane, now: datetime) -> tuple[str, str]:
    if lane.failures >= Lane.DOWN_AFTER:
        return "failed", "Down"
    if lane.paused_until and lane.paused_until > now:
        return "paused", "Pausing"
    if lane.throttled_in_a_row:
        return "degraded", "Throttled"
    return ("running", "In use") if lane.in_flight else ("idle", "Idle")


def _sentences(lane: Lane, model: Model, now: datetime) -> list[str]:
    most = model.connection.max_concurrency
    told = [f"Up to {min(lane.width, most)} calls may be in flight now; the connection allows {most}."]
    if lane.ceiling is not None:
        told.append(f"The provider last asked us to slow down at {lane.ceiling}, so Galley stays just below that.")
    elif lane.width < most:
        told.append("Where the provider's limit lies is not known now, so this grows while calls are answered.")
    if lane.paused_until and lane.paused_until > now:
        seconds = max(1, round((lane.paused_until - now).total_seconds()))
        told.append(f"Nothing is sent for another {seconds} s, as the provider asked.")
    if lane.failures:
        told.append(f"The last {lane.failures} calls failed." if lane.failures > 1 else "The last call failed.")
    return told + _limits(model)


def _limits(model: Model) -> list[str]:
    account = model.connection
    requests = model.requests_per_minute or account.requests_per_minute
    tokens = model.tokens_per_minute or account.tokens_per_minute
    told = []
    if requests:
        told.append(f"At most {requests:,} requests leave in any minute.")
    if tokens:
        told.append(f"About {tokens:,} tokens a minute are drawn.")
    return told
