"""The price of a call from the workspace's own price list, remembered for a moment in each process."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from apps.costs.amounts import (
    PLACES,
    Priced,
    Terms,
    UsageError,
    amount_of,
    cost_of,
    in_force,
    rows_for,
    split_inclusive,
)
from apps.costs.model_names import GUESSED, is_guess, undated
from apps.costs.models import Charge, Meter, Price

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
    "missing",
    "quote",
    "rows_of",
    "split_inclusive",
    "terms_of",
    "without_any",
]

SEEN_WITHIN = 1.0  # seconds until every process knows a new price; the one that added it knows at once
REMEMBERED = 2_000


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
    priced = cost_of(meters, in_force(rows, at), Terms(tier, region, connection_id))
    guessed = bool(rows) and rows[0].model != model and is_guess(provider, model)
    return replace(priced, doubt=GUESSED) if guessed and not priced.unpriced and not priced.doubt else priced


def terms_of(*, workspace_id: int, provider: str, model: str, at: datetime) -> tuple[set[str], set[str]]:
    """Return the tiers and the regions that the rows in force at that moment know."""
    rows = in_force(_rows(Key(workspace_id, provider, model)), at)
    return {row.tier for row in rows}, {row.region for row in rows}


def rows_of(charge: Charge) -> dict[Meter, Price]:
    """Return the rows that price a charge's meters at its moment; a meter that is not among them has no price."""
    prices = in_force(_rows(Key(charge.workspace_id, charge.provider, charge.model)), charge.at)
    found = rows_for(charge.meters, prices, Terms(charge.tier, charge.region, charge.connection_id))
    return {meter: row for meter, row in found.items() if meter in charge.meters}


def without_any(models: Iterable[tuple[int, str, str]]) -> set[tuple[int, str, str]]:
    """Return those of these models, each with its workspace and provider, that have no price at all."""
    return {key for key in set(models) if not _rows(Key(*key))}


def missing(charge: Charge, *, has_any: bool = True) -> str:
    """Say for which of its meters a charge has no price at its moment; nothing when it has them all.

    Without `has_any` its model is known to have no price, and nobody is asked.
    """
    if not charge.meters:
        return "nothing was counted"
    there = rows_of(charge) if has_any else {}
    names = [str(meter.label) for meter in Meter if meter in charge.meters and meter not in there]
    return f"no price for {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}" if names else ""


def forget() -> None:
    """Drop what this process remembers of prices."""
    _known.clear()


def _rows(key: Key) -> Sequence[Price]:
    now = time.monotonic()
    remembered = _known.get(key)
    if remembered and 0 <= now - remembered[0] < SEEN_WITHIN:
        return remembered[1]
    prices = Price.objects.standing().filter(workspace_id=key.workspace_id)
    rows = list(prices.of(key.provider, key.model)) or list(prices.of(key.provider, undated(key.model)))
    if len(_known) >= REMEMBERED:
        _known.clear()
    if rows:  # a model without any price is asked for again, so that its first price counts at once
        _known[key] = (now, rows)
    return rows
