"""Cells that no spreadsheet executes, and lines that come one by one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.core import csv_safe


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "   @"])
def test_text_that_begins_like_a_formula_is_quoted(start: str) -> None:
    assert csv_safe.cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["", " ", "1-1", "a=b", "müller@example.com"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert csv_safe.cell(text) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0, 0),
        (True, "true"),
        (Decimal("0.000000000001"), "0.000000000001"),
        (Decimal("-0.5"), "-0.5"),
        (datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00+00:00"),
        ([1, 2], "1 2"),
        (["=1", "2"], "'=1 2"),
        ({"é": "=1"}, '{"é": "=1"}'),
    ],
)
def test_every_kind_of_value_is_written_exactly(value: Any, shown: Any) -> None:
    assert csv_safe.cell(value) == shown


def test_lines_are_made_as_they_are_asked_for() -> None:
    def rows() -> Iterator[list[str]]:
        yield ["a", "=b"]
        raise AssertionError("read too early")

    assert next(csv_safe.stream(rows())) == "a,'=b\r\n"
