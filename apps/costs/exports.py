"""Charges as CSV, row by row."""

from collections.abc import Iterable, Iterator
from itertools import chain

from apps.core import csv_safe
from apps.costs.models import Charge

COLUMNS = [
    "id",
    "at",
    "provider",
    "model",
    "purpose",
    "team_id",
    "team_name",
    "prompt_id",
    "prompt_name",
    "version_id",
    "version_number",
    "environment",
    "api_key_id",
    "api_key_name",
    "user_id",
    "user_name",
    "customer",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost",
    "unpriced",
    "estimated",
    "failed",
    "latency_ms",
    "source",
    "price_ids",
]


def lines(charges: Iterable[Charge]) -> Iterator[str]:
    """Yield the header and one line for each charge."""
    rows = ([getattr(charge, name) for name in COLUMNS] for charge in charges)
    return csv_safe.stream(chain([COLUMNS], rows))
