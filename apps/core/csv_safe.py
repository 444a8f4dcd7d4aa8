"""CSV that streams line by line, and of which no spreadsheet executes a cell."""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """What csv writes to when its lines are wanted one by one."""

    def write(self, line: str) -> str:
        return line


def stream(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield one line for each row; memory stays flat however many there are."""
    writer = csv.writer(_Line())
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def cell(value: Any) -> Any:
    """Return what stands in a cell: every digit of an amount, moments in ISO 8601, and text that no sheet executes."""
    if isinstance(value, str):
        # Sheets skip spaces before a formula.
        return f"'{value}" if value.lstrip(" ").startswith(FORMULA) else value
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return cell(" ".join(str(part) for part in value))
    return _plain(value)


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return f"{value:f}" if hasattr(value, "quantize") else value
