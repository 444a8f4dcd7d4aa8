"""The tables of the spend room as CSV, row by row."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse

from apps.core import csv_safe
from apps.costs import ranking, spend
from apps.costs.explorer import Question
from apps.costs.models import Charge
from apps.costs.month import Month, Span
from apps.costs.spend import SUMS, Axis, Sums, Value

COLUMNS = [
    "id",
    "at",
    "provider",
    "model",
    "tier",
    "region",
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
    "tags",
    "calls",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "web_searches",
    "other_meters",
    "cost",
    "saved",
    "unpriced",
    "estimated",
    "failed",
    "latency_ms",
    "source",
    "source_id",
    "corrects",
    "price_ids",
]
MOST_VALUES = 100_000
NAMED_AT_ONCE = 2_000


def answer(lines: Iterator[str], name: str) -> StreamingHttpResponse:
    """Return the lines as a file of that name."""
    response = StreamingHttpResponse(lines, content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def lines(charges: Iterable[Charge]) -> Iterator[str]:
    """Yield the header and one line for each charge."""
    rows = ([_field(charge, name) for name in COLUMNS] for charge in charges)
    return csv_safe.stream(chain([COLUMNS], rows))


def _field(charge: Charge, name: str) -> Any:
    value = getattr(charge, name)
    return value or None if name in ("tags", "other_meters") else value


def values(workspace_id: int, axis: Axis, span: Span) -> Iterator[str]:
    """Yield the month by one dimension: every value, not only those that a page shows."""
    found = ranking.ranked(workspace_id, axis, span, rows=MOST_VALUES)
    others = (
        _others(axis, found, spend.proof(workspace_id, span.first, span.until)) if len(found) >= MOST_VALUES else []
    )
    header = [axis.name, *axis.columns, *SUMS, "cost_complete_days", "cost_same_days_before", "calls_same_days_before"]
    return csv_safe.stream(chain([header], _values(workspace_id, axis, found), others))


def _others(axis: Axis, found: list[ranking.Ranked], total: spend.Sums) -> list[list[Any]]:
    """Return the line of what is beyond the last value, so that the file adds up to the total of the page."""
    for one in found:
        total.add(one.sums, -1)
    sums = [getattr(total, name) for name in SUMS]
    return [["others", *["" for _ in axis.columns], *sums, None, None, None]]


def _values(workspace_id: int, axis: Axis, found: list[ranking.Ranked]) -> Iterator[list[Any]]:
    for start in range(0, len(found), NAMED_AT_ONCE):
        part = found[start : start + NAMED_AT_ONCE]
        words = spend.name_values(workspace_id, axis, [one.value for one in part])
        for one in part:
            sums = [getattr(one.sums, name) for name in SUMS]
            yield [words[one.value], *one.value, *sums, one.compared, one.previous.cost, one.previous.calls]


def days(month: Month) -> Iterator[str]:
    """Yield the cost of each day of the month so far, and of the same day of the month before."""
    before = month.previous_daily
    reached = spend.days_of(month.span.first, month.span.until)
    rows = (
        [day, cost, before[number] if number < len(before) else None]
        for number, (day, cost) in enumerate(zip(reached, month.daily, strict=True))
    )
    return csv_safe.stream(chain([["day", "cost", "cost_month_before"]], rows))


def pairs(question: Question, found: Iterable[tuple[str, str, Value, Value, Sums]]) -> Iterator[str]:
    """Yield the explorer's pairs, a line for each."""
    ours, theirs = question.rows, question.columns
    ids = [*(f"{ours.name}.{name}" for name in ours.columns), *(f"{theirs.name}.{name}" for name in theirs.columns)]
    header = [ours.name, theirs.name, *ids, "calls", "unpriced_calls", "cost"]
    rows = (
        [name, other_name, *value, *other, sums.calls, sums.unpriced_calls, sums.cost]
        for name, other_name, value, other, sums in found
    )
    return csv_safe.stream(chain([header], rows))
