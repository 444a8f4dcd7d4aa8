"""Rows become plain Plotly figures. Colours are named by meaning (meta) and painted by the page, in light and dark."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

Number = Decimal | float
Figure = dict[str, Any]
OTHER = "Other"
BAR = 0.75 * 24 * 60 * 60 * 1000  # three quarters of a day, in the milliseconds of an axis of dates
MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}


@dataclass(frozen=True)
class Point:
    """What one series came to on one day."""

    day: date
    series: str
    value: Number


@dataclass(frozen=True)
class Forecast:
    """What a day to come is expected to reach, and between which bounds."""

    day: date
    low: Number
    middle: Number
    high: Number


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds of its doubt; tone is good, bad, warn, active or idle."""

    label: str
    low: Number
    middle: Number
    high: Number
    tone: str = "active"


def by_day(
    points: Iterable[Point],
    *,
    kind: Literal["bar", "area", "line"] = "bar",
    prefix: str = "",
    suffix: str = "",
    forecast: Sequence[Forecast] = (),
    most: int = 7,
) -> Figure:
    """Draw series over days: stacked as bars or areas, or side by side as lines. Beyond `most`, the smallest are Other."""
    table = _folded(_table(points), most)
    days = sorted({day for values in table.values() for day in values})
    hover = f"%{{fullData.name}}: {prefix}%{{y:,.4~f}}{suffix}<extra></extra>"
    traces = [
        _day_trace(kind, name, days, [_coordinate(values.get(day, 0)) for day in days], hover, index)
        for index, (name, values) in enumerate(table.items())
    ]
    layout = _layout(legend=len(traces) > 1 or bool(forecast))
    layout |= {"barmode": "stack", "bargap": 0.25, "hovermode": "x unified"}
    layout["xaxis"] |= {"type": "date", "tickformat": "%-d %b", "hoverformat": "%a %-d %b %Y"}
    layout["yaxis"] |= {"tickprefix": prefix, "ticksuffix": suffix, "rangemode": "tozero"}
    return {"data": [*traces, *_forecast_traces(forecast, hover)], "layout": layout}


def _table(points: Iterable[Point]) -> dict[str, dict[date, Number]]:
    table: dict[str, dict[date, Number]] = {}
    for point in points:
        days = table.setdefault(point.series, {})
        days[point.day] = _sum(days.get(point.day, 0), point.value)
    return table


def _folded(table: dict[str, dict[date, Number]], most: int) -> dict[str, dict[date, Number]]:
    """Keep the largest series in order of size and add the rest up as Other."""
    sizes = {name: sum(_coordinate(value) for value in days.values()) for name, days in table.items()}
    ranked = sorted(table, key=lambda name: (-sizes[name], name))
    kept = {name: table[name] for name in ranked[:most]}
    for name in ranked[most:]:
        other = kept.setdefault(OTHER, {})
        for day, value in table[name].items():
            other[day] = _sum(other.get(day, 0), value)
    return kept


def _day_trace(kind: str, name: str, days: list[date], values: list[float], hover: str, index: int) -> Figure:
    trace: Figure = {
        "name": name,
        "x": [day.isoformat() for day in days],
        "y": values,
        "hovertemplate": hover,
        "meta": {"series": index},
    }
    if kind == "bar":
        # Said and not left to the drawing, which would make a hair of a day that stands alone.
        return trace | {"type": "bar", "width": BAR}
    trace |= {"type": "scatter", "mode": "lines", "line": {"width": 2}}
    if kind == "area":
        trace |= {"stackgroup": "all", "fill": "tonexty", "line": {"width": 1.5}}
    return trace


def _forecast_traces(forecast: Sequence[Forecast], hover: str) -> list[Figure]:
    if not forecast:
        return []
    days = [one.day.isoformat() for one in forecast]
    shared = {"type": "scatter", "mode": "lines", "x": days, "meta": {"tone": "idle", "band": True}}
    edge = shared | {"line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    return [
        edge | {"name": "low", "y": [_coordinate(one.low) for one in forecast]},
        edge | {"name": "high", "y": [_coordinate(one.high) for one in forecast], "fill": "tonexty"},
        shared
        | {"name": "Forecast", "y": [_coordinate(one.middle) for one in forecast]}
        | {"line": {"width": 2, "dash": "dot"}, "hovertemplate": hover},
    ]


def over_time(
    moments: Sequence[str],
    series: Mapping[str, Sequence[Number | None]],
    *,
    kind: Literal["bar", "line"] = "line",
    suffix: str = "",
    tones: Mapping[str, str] | None = None,
) -> Figure:
    """Draw series over moments (ISO, without zone): bars stacked, or lines with gaps where nothing is known."""
    shared = {"x": list(moments), "hovertemplate": f"%{{fullData.name}}: %{{y:,.4~f}}{suffix}<extra></extra>"}
    look: Figure = {"type": "bar"}
    if kind == "line":
        # A value between two gaps is a dot: a line alone would not show it.
        look = {"type": "scatter", "mode": "lines+markers", "line": {"width": 2}, "marker": {"size": 4}}
    traces = []
    for index, (name, values) in enumerate(series.items()):
        tone = (tones or {}).get(name)
        meta: Figure = {"tone": tone} if tone else {"series": index}
        drawn = [None if value is None else _coordinate(value) for value in values]
        traces.append({**look, **shared, "name": name, "y": drawn, "meta": meta})
    layout = _layout(legend=len(traces) > 1)
    layout |= {"barmode": "stack", "bargap": 0.2, "hovermode": "x unified"}
    layout["xaxis"] |= {"type": "date", "hoverformat": "%a %-d %b, %H:%M"}
    layout["yaxis"] |= {"ticksuffix": suffix, "rangemode": "tozero"}
    return {"data": traces, "layout": layout}


def ranked_bars(rows: Iterable[tuple[str, Number]], *, prefix: str = "", suffix: str = "") -> Figure:
    """Draw one horizontal bar for each label, the largest on top."""
    ranked = sorted(rows, key=lambda row: (row[1], row[0]))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [_coordinate(value) for _, value in ranked],
        "y": [label for label, _ in ranked],
        "hovertemplate": f"%{{y}}: {prefix}%{{x:,.4~f}}{suffix}<extra></extra>",
        "meta": {"series": 0},
    }
    layout = _layout(legend=False)
    layout["xaxis"] |= {"tickprefix": prefix, "ticksuffix": suffix, "showgrid": True, "rangemode": "tozero"}
    layout["yaxis"] |= {"type": "category", "showgrid": False}
    return {"data": [trace], "layout": layout | {"bargap": 0.35}}


def intervals(rows: Sequence[Interval], *, suffix: str = "", reference: Number | None = None) -> Figure:
    """Draw a dot and its whisker for each estimate, against a dotted line at the value that would mean no difference."""
    ordered = list(reversed(rows))
    layout = _layout(legend=False)
    layout["xaxis"] |= {"ticksuffix": suffix, "showgrid": True}
    layout["yaxis"] |= {"type": "category", "showgrid": False}
    # One trace draws the labels in order; the tones would otherwise regroup the categories.
    layout["yaxis"] |= {"categoryorder": "array", "categoryarray": [row.label for row in ordered]}
    if reference is not None:
        line: Figure = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 1, "dash": "dot"}}
        layout["shapes"] = [line | {"x0": _coordinate(reference), "x1": _coordinate(reference)}]
    tones = sorted({row.tone for row in ordered})
    return {"data": [_interval_trace([r for r in ordered if r.tone == tone], tone, suffix) for tone in tones]} | {
        "layout": layout
    }


def _interval_trace(rows: list[Interval], tone: str, suffix: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_coordinate(row.middle) for row in rows],
        "y": [row.label for row in rows],
        "customdata": [[_coordinate(row.low), _coordinate(row.high)] for row in rows],
        "hovertemplate": f"%{{y}}: %{{x:.3~f}}{suffix} (%{{customdata[0]:.3~f}} to %{{customdata[1]:.3~f}})<extra></extra>",
        "marker": {"size": 10},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [_coordinate(row.high) - _coordinate(row.middle) for row in rows],
            "arrayminus": [_coordinate(row.middle) - _coordinate(row.low) for row in rows],
            "thickness": 2,
            "width": 5,
        },
        "meta": {"tone": tone},
    }


def sparkline(values: Sequence[Number], *, label: str, width: int = 96, height: int = 26) -> Figure:
    """Return the paths of a small line for components/_spark.html; no line for fewer than two values or all zero."""
    heights = [_coordinate(value) for value in values]
    shape: Figure = {"line": "", "area": "", "width": width, "height": height, "label": label}
    if len(heights) < 2 or not any(heights):
        return shape
    low, high = min(0.0, *heights), max(0.0, *heights)
    inside = height - 4
    step = (width - 4) / (len(heights) - 1)
    dots = [(2 + i * step, 2 + inside * (1 - (value - low) / (high - low))) for i, value in enumerate(heights)]
    line = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in dots)
    ground = 2 + inside * (1 - (0 - low) / (high - low))
    shape |= {"line": line, "area": f"{line} L{dots[-1][0]:.1f} {ground:.1f} L2.0 {ground:.1f} Z"}
    return shape | {"last_x": f"{dots[-1][0]:.1f}", "last_y": f"{dots[-1][1]:.1f}"}


def _layout(*, legend: bool) -> Figure:
    return {
        "margin": dict(MARGIN),
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "xaxis": {"automargin": True, "fixedrange": True, "showgrid": False, "zeroline": False},
        "yaxis": {"automargin": True, "fixedrange": True, "showgrid": True, "zeroline": False},
        "dragmode": False,
    }


def _coordinate(value: Number) -> float:
    """Place a value on the page; a pixel needs no more digits than a float has."""
    return float(value)


def _sum(first: Number, second: Number) -> Number:
    if isinstance(first, Decimal) or isinstance(second, Decimal):
        return Decimal(str(first)) + Decimal(str(second))
    return first + second
