"""The month's chart and the table behind it: a bar for each day, stacked by the chosen dimension."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from apps.core import charts, formats
from apps.costs import spend
from apps.costs.month import Month, Row

SERIES = 6
LEGEND = 32
Table = tuple[list[dict[str, Any]], list[list[str]]]


def by_day(month: Month, currency: str) -> charts.Figure:
    """Return the figure of a month: the dearest values each with a colour, the rest together, the month before as a
    line, then the forecast."""
    prefix = formats.SYMBOLS.get(currency, f"{currency} ")
    figure = charts.by_day(_points(month), prefix=prefix, forecast=_forecast(month), most=SERIES + 1)
    # The whole month is drawn from its first day on, so that nothing moves as days arrive.
    before = month.span.first - timedelta(days=1)
    figure["layout"]["xaxis"]["range"] = [f"{before} 12:00", f"{month.span.last} 12:00"]
    if any(month.previous_daily):
        figure["data"].append(_previous(month, prefix))
        figure["layout"]["showlegend"] = True
    return figure


def _previous(month: Month, prefix: str) -> charts.Figure:
    """Return the month before as a line, its first day over our first."""
    pairs = list(zip(month.days, month.previous_daily, strict=False))
    name = f"{month.span.previous_first:%B}"
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [day.isoformat() for day, _ in pairs],
        "y": [float(cost) for _, cost in pairs],
        "line": {"width": 1.5},
        "meta": {"tone": "idle"},
        "hovertemplate": f"{name}: {prefix}%{{y:,.4~f}}<extra></extra>",
    }


def _points(month: Month) -> Iterator[charts.Point]:
    reached = spend.days_of(month.span.first, month.span.until)
    kept, rest = _series(month)
    for row in kept:
        for day, cost in zip(reached, row.daily, strict=True):
            yield charts.Point(day, _legend(row.label), cost)
    if any(rest):
        for day, cost in zip(reached, rest, strict=True):
            yield charts.Point(day, charts.OTHER, cost)


def _series(month: Month) -> tuple[list[Row], list[Decimal]]:
    """Return the rows with a colour of their own, and by day what is left of the total."""
    kept = [row for row in month.rows if row.sums.cost][:SERIES]
    rest = list(month.daily)
    for row in kept:
        rest = [left - cost for left, cost in zip(rest, row.daily, strict=True)]
    return kept, rest


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


def table(month: Month, currency: str) -> Table:
    """Return the columns and rows behind the chart, each amount to the last digit."""
    kept, rest = _series(month)
    has_rest = any(rest)
    labels = (
        [row.label for row in kept] + ([charts.OTHER] if has_rest else []) + ["All", f"{month.span.previous_first:%B}"]
    )
    columns: list[dict[str, Any]] = [{"label": "Day"}, *({"label": label, "numeric": True} for label in labels)]
    rows = []
    for number, day in enumerate(spend.days_of(month.span.first, month.span.until)):
        amounts = [row.daily[number] for row in kept] + ([rest[number]] if has_rest else []) + [month.daily[number]]
        shown = [formats.exact_money(amount, currency) for amount in amounts]
        before = month.previous_daily[number : number + 1]
        shown.append(formats.exact_money(before[0], currency) if before else formats.NOTHING)
        rows.append([f"{day:%a} {day.day} {day:%b}", *shown])
    return columns, rows
