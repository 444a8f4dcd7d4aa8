"""The month's chart and the table behind it: a bar for each day, stacked by the chosen dimension."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from apps.core import charts, formats
from apps.costs.month import Month, Row

SERIES = 6
LEGEND = 32


def by_day(month: Month, currency: str) -> charts.Figure:
    """Return the figure of a month: the dearest values each with a colour, the rest together, then the forecast."""
    prefix = formats.SYMBOLS.get(currency, f"{currency} ")
    figure = charts.by_day(_points(month), prefix=prefix, forecast=_forecast(month), most=SERIES)
    # The whole month is drawn from its first day on, so that nothing moves as days arrive.
    before = month.span.first - timedelta(days=1)
    figure["layout"]["xaxis"]["range"] = [f"{before} 12:00", f"{month.span.last} 12:00"]
    return figure


def _points(month: Month) -> Iterator[charts.Point]:
    for row in _every(month):
        for day, cost in zip(month.days, row.daily, strict=False):
            yield charts.Point(day, _legend(row.label), cost)


def _every(month: Month) -> list[Row]:
    rows = [row for row in month.rows if row.sums.cost]
    return [*rows, month.others] if month.others else rows


def _legend(name: str) -> str:
    """Keep a name from being read as markup by the chart, and short enough for its legend."""
    plain = (
        name.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}")
        .replace(">", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}")
        .replace("%{", "% {")
    )
    return plain if len(plain) <= LEGEND else plain[: LEGEND - 1] + "…"


def _forecast(month: Month) -> list[charts.Forecast]:
    found = month.forecast
    if found is None:
        return []
    return [
        charts.Forecast(day, max(Decimal(0), middle - found.day_margin), middle, middle + found.day_margin)
        for day, middle in found.expected.items()
    ]


def table(month: Month, currency: str) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Return the columns and rows behind the chart, each amount to the last digit."""
    every = _every(month)
    shown = every[:SERIES]
    columns: list[dict[str, Any]] = [{"label": "Day"}]
    columns += [{"label": row.label, "numeric": True} for row in shown] + [{"label": "All", "numeric": True}]
    rows = []
    for number, day in enumerate(day for day in month.days if day <= month.span.until):
        total = sum((row.daily[number] for row in every), Decimal(0))
        amounts = [*(row.daily[number] for row in shown), total]
        rows.append([f"{day:%a} {day.day} {day:%b}", *(formats.exact_money(amount, currency) for amount in amounts)])
    return columns, rows
