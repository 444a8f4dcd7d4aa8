"""Charges as CSV, row by row: a spreadsheet opens it, and no cell of it is a formula."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

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
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """What csv writes to when its lines are wanted one by one."""

    def write(self, line: str) -> str:
        return line


def lines(charges: Iterable[Charge]) -> Iterator[str]:
    """Yield the header and one line for each charge."""
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for charge in charges:
        yield writer.writerow([cell(getattr(charge, name)) for name in COLUMNS])


def cell(value: Any) -> Any:
    """Return what stands in a cell: every digit of an amount, moments in ISO 8601, and text that no sheet executes."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(FORMULA) else value
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return f"{value:f}" if hasattr(value, "quantize") else value
