"""How long an answer is likely to be, for the minute's allowance: a guess that its end puts right."""

import time
from datetime import timedelta

from django.db.models import F, Sum
from django.utils import timezone

from apps.llm.models import CallHour, Model

UNKNOWN = 512
LOOK_BACK = timedelta(hours=6)
KNOWN_FOR = 60.0  # seconds until a process looks again
REMEMBERED = 2_000

_known: dict[int, tuple[float, int]] = {}


def output_of(model: Model, limit: int | None) -> int:
    """Return about how many tokens an answer takes: as many as the model's answers took lately, or the request's limit.

    The mean is enough: what some take more, others take less, and each end says which it was.
    """
    usual = _usual(model) if model.tokens_per_minute or model.connection.tokens_per_minute else UNKNOWN
    return min(limit, usual) if limit else usual


def _usual(model: Model) -> int:
    now = time.monotonic()
    remembered = _known.get(model.pk)
    if remembered and now - remembered[0] < KNOWN_FOR:
        return remembered[1]
    lately = CallHour.objects.filter(model=model).since(timezone.now() - LOOK_BACK)
    seen = lately.aggregate(tokens=Sum("output_tokens"), answers=Sum(F("answered") - F("reused")))
    usual = max(1, seen["tokens"] // seen["answers"]) if seen["answers"] else UNKNOWN
    if len(_known) >= REMEMBERED:
        _known.clear()
    _known[model.pk] = (now, usual)
    return usual


def forget() -> None:
    """Drop what this process remembers of answers."""
    _known.clear()
