"""Charts of how models or connections did over time, each with the table behind it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from apps.core import charts, formats
from apps.llm import observed
from apps.llm.errors import ErrorKind
from apps.llm.observed import Observed, Span

Row = list[str]
KINDS = {
    ErrorKind.RATE_LIMITED.value: "Too many requests",
    ErrorKind.OVERLOADED.value: "Overloaded",
    ErrorKind.SERVER_ERROR.value: "Failed on its side",
    ErrorKind.TIMEOUT.value: "Timeout",
    ErrorKind.CONNECTION.value: "Connection",
    ErrorKind.BAD_REQUEST.value: "Bad request",
    ErrorKind.AUTHENTICATION.value: "Key refused",
    ErrorKind.PERMISSION.value: "Not allowed",
    ErrorKind.NOT_FOUND.value: "Not found",
    ErrorKind.MALFORMED.value: "Unreadable answer",
    ErrorKind.INTERRUPTED.value: "Asker went away",
    "lost": "Lost",
}
NUMERIC = ("Calls", "Failed", "Throttled")


@dataclass(frozen=True)
class Picture:
    """A chart: what `components/_chart.html` asks for."""

    id: str
    title: str
    summary: str
    figure: charts.Figure
    columns: list[dict[str, Any]]
    rows: list[Row]


@dataclass(frozen=True)
class History:
    """A span of time in total and in pictures."""

    span: Span
    total: Observed
    pictures: tuple[Picture, ...]


def of_models(model_ids: Collection[int], span: Span, now: datetime, zone: tzinfo) -> History:
    """Return how the models did together over the span. There are no pictures when nothing was called."""
    slots = {moment.astimezone(zone): seen for moment, seen in observed.over_time(model_ids, span, now, zone).items()}
    total = observed.together(slots.values())
    if not total.calls:
        return History(span, total, ())
    pictures = [_latency(slots, total, span), _throttling(slots, total, span)]
    if total.failed:
        pictures.insert(1, _troubles(slots, total, span))
    return History(span, total, tuple(pictures))


def _latency(slots: Mapping[datetime, Observed], total: Observed, span: Span) -> Picture:
    lines = {
        "Typical (p50)": [_seconds(seen.p50) for seen in slots.values()],
        "1 in 20 takes longer (p95)": [_seconds(seen.p95) for seen in slots.values()],
        "1 in 100 takes longer (p99)": [_seconds(seen.p99) for seen in slots.values()],
    }
    summary = (
        "No answer came."
        if total.p50 is None
        else (f"Half of the answers came within {_duration(total.p50)}, 99 of 100 within {_duration(total.p99)}.")
    )
    rows = [
        [
            _slot_name(moment, span),
            formats.number(seen.timed),
            *(_duration(ms) for ms in (seen.p50, seen.p95, seen.p99)),
        ]
        for moment, seen in slots.items()
        if seen.timed
    ]
    return Picture(
        "latency",
        "Time to the whole answer",
        summary,
        charts.over_time(_stamps(slots), lines, kind="line", suffix=" s"),
        _columns("From", "Answers", "p50", "p95", "p99"),
        rows[::-1],
    )


def _troubles(slots: Mapping[datetime, Observed], total: Observed, span: Span) -> Picture:
    kinds = sorted(total.troubles, key=lambda kind: (-total.troubles[kind], kind))
    bars = {words_of(kind): [seen.troubles.get(kind, 0) for seen in slots.values()] for kind in kinds}
    most = kinds[0]
    failed = total.failed - total.troubles.get(ErrorKind.INTERRUPTED, 0)
    summary = f"{failed:,} of {total.asked:,} calls failed; most often: {words_of(most).lower()}."
    rows = [
        [_slot_name(moment, span), formats.number(seen.calls), formats.number(seen.failed), _told(seen)]
        for moment, seen in slots.items()
        if seen.failed
    ]
    return Picture(
        "troubles",
        "What went wrong",
        summary,
        charts.over_time(_stamps(slots), bars, kind="bar"),
        _columns("From", "Calls", "Failed", "Kinds", text=("From", "Kinds")),
        rows[::-1],
    )


def _throttling(slots: Mapping[datetime, Observed], total: Observed, span: Span) -> Picture:
    bars = {
        "Answered or failed": [seen.calls - seen.throttled - seen.reused for seen in slots.values()],
        "Throttled": [seen.throttled for seen in slots.values()],
        "Kept answers": [seen.reused for seen in slots.values()],
    }
    share = total.throttled_share
    told = "The provider never asked us to slow down."
    if total.throttled:
        times = "once" if total.throttled == 1 else f"{total.throttled:,} times"
        told = f"The provider asked us to slow down {times}, in {formats.percent(share, 1)} of the calls."
    rows = [
        [_slot_name(moment, span), *(formats.number(n) for n in (seen.calls, seen.throttled, seen.reused))]
        for moment, seen in slots.items()
        if seen.calls
    ]
    return Picture(
        "throttling",
        "Calls and throttling",
        told,
        charts.over_time(
            _stamps(slots),
            {name: counts for name, counts in bars.items() if any(counts)},
            kind="bar",
            tones={"Throttled": "warn", "Kept answers": "good"},
        ),
        _columns("From", "Calls", "Throttled", "Kept answers"),
        rows[::-1],
    )


def words_of(kind: str) -> str:
    """Return an error kind in words; one that nobody knows as it is."""
    return KINDS.get(kind, kind.replace("_", " ").capitalize())


def _told(seen: Observed) -> str:
    ordered = sorted(seen.troubles.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{words_of(kind).lower()} {count:,}" for kind, count in ordered)


def _columns(*labels: str, text: Collection[str] = ("From",)) -> list[dict[str, Any]]:
    return [{"label": label, "numeric": label not in text} for label in labels]


def _stamps(slots: Mapping[datetime, Observed]) -> list[str]:
    """Return the slots as the clocks of the workspace show them: the page draws what it is told."""
    return [moment.replace(tzinfo=None).isoformat() for moment in slots]


def _slot_name(moment: datetime, span: Span) -> str:
    day = f"{moment.day} {moment:%b}"
    return day if span.slot.days else f"{day} {moment:%H:%M}"


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 3)


def _duration(milliseconds: float | None) -> str:
    return formats.duration(observed.milliseconds(milliseconds))
