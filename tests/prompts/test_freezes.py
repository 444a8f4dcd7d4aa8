"""Windows on the wall clock: their edges, the hours that are missing or come twice, and windows that touch."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import DomainError
from apps.prompts import freezes
from apps.prompts.freezes import WEEK_MINUTES, Dated, Weekly, holding, read, spoken, upcoming, written

LISBON = ZoneInfo("Europe/Lisbon")
BERLIN = ZoneInfo("Europe/Berlin")
WEEKEND = Weekly(read("fri 16:00"), read("mon 08:00"))


def lisbon(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LISBON, fold=fold)


@pytest.mark.parametrize(
    ("at", "frozen"),
    [
        ("2026-12-04T15:59:59", False),
        ("2026-12-04T16:00:00", True),
        ("2026-12-06T12:00:00", True),
        ("2026-12-07T07:59:59", True),
        ("2026-12-07T08:00:00", False),
        ("2026-12-09T12:00:00", False),
    ],
)
def test_a_weekend_begins_and_ends_to_the_second(at: str, frozen: bool) -> None:
    assert bool(holding([WEEKEND], [], lisbon(at), LISBON)) is frozen


def test_a_freeze_says_when_it_ends() -> None:
    hold = holding([WEEKEND], [], lisbon("2026-12-05T03:00"), LISBON)
    assert hold is not None
    assert hold.end == lisbon("2026-12-07T08:00")
    assert hold.reason == "between Friday 16:00 and Monday 08:00"


def test_a_window_is_read_in_the_workspaces_zone() -> None:
    moment = datetime(2026, 12, 4, 15, 30, tzinfo=UTC)
    assert holding([WEEKEND], [], moment, BERLIN)
    assert not holding([WEEKEND], [], moment, LISBON)


def test_a_weekend_in_which_the_clocks_change_still_ends_on_monday_at_eight() -> None:
    # On 29 March 2026 Lisbon loses an hour, on 25 October it gains one.
    for saturday, monday, hours in (("2026-03-27", "2026-03-30", 63), ("2026-10-23", "2026-10-26", 65)):
        hold = holding([WEEKEND], [], lisbon(f"{saturday}T20:00"), LISBON)
        assert hold is not None
        assert hold.end == lisbon(f"{monday}T08:00")
        assert hold.end.astimezone(UTC) - hold.start.astimezone(UTC) == timedelta(hours=hours)


def test_an_edge_in_the_missing_hour_freezes_longer() -> None:
    # 01:00 to 02:00 does not exist in Lisbon on 29 March 2026.
    window = Weekly(read("sat 20:00"), read("sun 01:30"))
    hold = holding([window], [], lisbon("2026-03-28T23:00"), LISBON)
    assert hold is not None
    assert hold.end == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_an_edge_in_the_doubled_hour_freezes_until_its_second_time() -> None:
    # 01:00 to 02:00 comes twice in Lisbon on 25 October 2026.
    window = Weekly(read("sat 20:00"), read("sun 01:30"))
    assert holding([window], [], lisbon("2026-10-25T01:45"), LISBON)
    assert holding([window], [], lisbon("2026-10-25T01:15", fold=1), LISBON)
    assert not holding([window], [], lisbon("2026-10-25T01:30", fold=1), LISBON)


def test_windows_that_touch_are_one_freeze() -> None:
    party = Dated(lisbon("2026-12-07T08:00"), lisbon("2026-12-07T20:00"), "Moving the servers")
    hold = holding([WEEKEND], [party], lisbon("2026-12-06T08:00"), LISBON)
    assert hold is not None
    assert hold.end == lisbon("2026-12-07T20:00")


def test_the_next_freeze_is_foretold() -> None:
    hold = upcoming([WEEKEND], [], lisbon("2026-12-02T08:00"), LISBON)
    assert hold is not None
    assert hold.start == lisbon("2026-12-04T16:00")


@pytest.mark.parametrize("text", ["friday 16:00", "fri 24:00", "fri 16:60", "fri", "", "Fri 16:00"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        read(text)


minutes = st.integers(0, WEEK_MINUTES - 1)
moments = st.integers(1_577_836_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC))
zones = st.sampled_from(["UTC", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])


@given(minutes)
def test_what_is_written_is_read_again(minute: int) -> None:
    assert read(written(minute)) == minute
    assert spoken(minute).split()[0] in freezes.DAYS


@given(minutes, minutes, moments, zones)
def test_a_freeze_holds_from_its_start_and_never_at_its_end(start: int, end: int, at: datetime, zone: str) -> None:
    if start == end:
        return
    hold = holding([Weekly(start, end)], [], at, ZoneInfo(zone))
    if hold is None:
        return
    assert hold.start <= at < hold.end
    assert holding([Weekly(start, end)], [], hold.end, ZoneInfo(zone)) is None
    assert hold.end - hold.start < timedelta(days=7, hours=2)


@given(minutes, minutes, moments)
def test_without_clocks_that_change_a_window_is_plain_arithmetic(start: int, end: int, at: datetime) -> None:
    if start == end:
        return
    minute = at.weekday() * 24 * 60 + at.hour * 60 + at.minute
    inside = start <= minute < end if start < end else minute >= start or minute < end
    assert bool(holding([Weekly(start, end)], [], at, ZoneInfo("UTC"))) is inside
