"""The price of a call from the workspace's own price list, remembered for a moment in each process."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.costs.amounts import PLACES, Priced, UsageError, amount_of, cost_of, in_force, split_inclusive
from apps.costs.models import Meter, Price

__all__ = [
    "PLACES",
    "SEEN_WITHIN",
    "Priced",
    "UsageError",
    "amount_of",
    "cost_of",
    "forget",
    "in_force",
    "quote",
    "split_inclusive",
]

SEEN_WITHIN = 1.0  # seconds until every process knows a new price; the one that added it knows at once
REMEMBERED = 2_000


class Key(NamedTuple):
    workspace_id: int
    provider: str
    model: str


_known: dict[Key, tuple[float, Sequence[Price]]] = {}


def quote(*, workspace_id: int, provider: str, model: str, at: datetime, meters: Mapping[Meter, int]) -> Priced:
    """Price the meters at the rows in force at that moment; unpriced when one that was used has none.

    Raises UsageError for a negative meter.
    """
    rows = _rows(Key(workspace_id, provider, model))
    return cost_of(meters, in_force(rows, at))


def forget() -> None:
    """Drop what this process remembers of prices."""
    _known.clear()


def _rows(key: Key) -> Sequence[Price]:
    now = time.monotonic()
    remembered = _known.get(key)
    if remembered and 0 <= now - remembered[0] < SEEN_WITHIN:
        return remembered[1]
    rows = list(Price.objects.filter(workspace_id=key.workspace_id).of(key.provider, key.model))
    if len(_known) >= REMEMBERED:
        _known.clear()
    if rows:  # a model without any price is asked for again, so that its first price counts at once
        _known[key] = (now, rows)
    return rows
