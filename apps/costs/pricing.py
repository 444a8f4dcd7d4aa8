"""The price of a call from the workspace's own price list, remembered for a moment in each process."""

import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.costs.amounts import PLACES, Priced, Terms, UsageError, amount_of, cost_of, in_force, split_inclusive
from apps.costs.models import Meter, Price

__all__ = [
    "PLACES",
    "SEEN_WITHIN",
    "Priced",
    "Terms",
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
DATED = re.compile(r"([-@]\d{8}|-latest)$")


class Key(NamedTuple):
    workspace_id: int
    provider: str
    model: str


_known: dict[Key, tuple[float, Sequence[Price]]] = {}


def quote(  # noqa: PLR0913  a call has this many facts that decide its price
    *,
    workspace_id: int,
    provider: str,
    model: str,
    at: datetime,
    meters: Mapping[Meter, int],
    tier: str = "",
    region: str = "",
    connection_id: int | None = None,
) -> Priced:
    """Price the meters at the rows in force at that moment; unpriced when one that was used has none.

    `tier` and `region` are what the response named, in the provider's own words. With a doubt in the answer, book the
    charge as estimated. Raises UsageError for a negative meter.
    """
    rows = _rows(Key(workspace_id, provider, model))
    return cost_of(meters, in_force(rows, at), Terms(tier, region, connection_id))


def _undated(key: Key) -> str:
    """Return the name of the family: Anthropic's answers name a model by its date, its price list does not."""
    return DATED.sub("", key.model) if key.provider == "anthropic" else key.model


def forget() -> None:
    """Drop what this process remembers of prices."""
    _known.clear()


def _rows(key: Key) -> Sequence[Price]:
    now = time.monotonic()
    remembered = _known.get(key)
    if remembered and 0 <= now - remembered[0] < SEEN_WITHIN:
        return remembered[1]
    prices = Price.objects.filter(workspace_id=key.workspace_id)
    rows = list(prices.of(key.provider, key.model)) or list(prices.of(key.provider, _undated(key)))
    if len(_known) >= REMEMBERED:
        _known.clear()
    if rows:  # a model without any price is asked for again, so that its first price counts at once
        _known[key] = (now, rows)
    return rows
