"""Figures are valid Plotly, add up, and say what they show."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from plotly.graph_objects import Figure

from apps.core import charts
from apps.core.charts import Forecast, Interval, Point

MONDAY = date(2026, 11, 2)


def spend() -> list[Point]:
    return [
        Point(MONDAY, "support/reply", Decimal("2.50")),
        Point(MONDAY, "triage", Decimal("0.25")),
        Point(MONDAY + timedelta(1), "support/reply", Decimal("1.50")),
    ]


@pytest.mark.parametrize("kind", ["bar", "area", "line"])
def test_figures_by_day_are_valid_plotly(kind):
    forecast = [Forecast(MONDAY + timedelta(2), 1, 2, 3), Forecast(MONDAY + timedelta(3), 1, 2, 4)]
    figure = charts.by_day(spend(), kind=kind, prefix="$", forecast=forecast)
    assert len(Figure(figure).data) == 5


def test_a_day_without_a_value_is_zero_not_missing():
    figure = charts.by_day(spend())
    triage = next(trace for trace in figure["data"] if trace["name"] == "triage")
    assert triage["y"] == [0.25, 0.0]


def test_a_day_that_stands_alone_is_as_wide_as_any_other():
    alone = charts.by_day(spend()[:1])["data"][0]
    assert (
        alone["width"] == charts.by_day(spend())["data"][0]["width"] == timedelta(hours=18) / timedelta(milliseconds=1)
    )


def test_series_are_stacked_from_the_largest():
    assert [trace["name"] for trace in charts.by_day(spend())["data"]] == ["support/reply", "triage"]


def test_points_of_one_day_and_series_are_added_up_exactly():
    figure = charts.by_day([Point(MONDAY, "a", Decimal("0.1"))] * 3)
    assert figure["data"][0]["y"] == [0.3]


def test_the_smallest_series_beyond_the_most_become_other_and_nothing_is_lost():
    points = [Point(MONDAY, f"prompt {size}", size) for size in range(1, 11)]
    traces = charts.by_day(points, most=3)["data"]
    assert [trace["name"] for trace in traces] == ["prompt 10", "prompt 9", "prompt 8", "Other"]
    assert sum(trace["y"][0] for trace in traces) == sum(range(1, 11))


def test_no_points_make_an_empty_figure():
    assert len(Figure(charts.by_day([])).data) == 0


def test_bars_stand_in_order_with_the_largest_on_top():
    figure = charts.ranked_bars([("small", 1), ("large", Decimal(9)), ("middle", 4)])
    assert Figure(figure).data[0].y == ("small", "middle", "large")


def test_an_interval_reaches_from_its_low_to_its_high_bound():
    figure = charts.intervals([Interval("Helpful", 4, 11, 18, "good")], suffix=" points", reference=0)
    trace = Figure(figure).data[0]
    assert (trace.x[0] - trace.error_x.arrayminus[0], trace.x[0] + trace.error_x.array[0]) == (4, 18)
    assert figure["layout"]["shapes"][0]["x0"] == 0


def test_intervals_keep_their_order_whatever_their_tones():
    rows = [Interval("a", 0, 1, 2, "good"), Interval("b", 0, 1, 2, "bad"), Interval("c", 0, 1, 2, "good")]
    assert charts.intervals(rows)["layout"]["yaxis"]["categoryarray"] == ["c", "b", "a"]


def test_no_figure_names_a_colour_of_its_own():
    assert "#" not in str(charts.by_day(spend())) + str(charts.ranked_bars([("a", 1)]))


def test_a_sparkline_spans_its_box_and_ends_at_its_last_value():
    spark = charts.sparkline([0, 5, 10], label="Calls", width=104, height=24)
    assert spark["line"] == "M2.0 22.0 L52.0 12.0 L102.0 2.0"
    assert (spark["last_x"], spark["last_y"]) == ("102.0", "2.0")


@pytest.mark.parametrize("values", [[], [4], [0, 0, 0]])
def test_too_little_to_draw_makes_no_line(values):
    assert charts.sparkline(values, label="Calls")["line"] == ""


def test_a_sparkline_below_zero_stays_in_its_box():
    spark = charts.sparkline([-4, 4], label="Change", height=24)
    assert spark["line"].endswith("2.0")
    assert " 22.0 " in spark["line"]
