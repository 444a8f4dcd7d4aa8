"""The clock that is set back while the demo's history is written."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import Workspace
from llmops_site.demo import clock, loading, plot
from llmops_site.demo.story import Days, Story


def test_the_clock_is_set_back_for_fields_and_calls_and_then_right_again() -> None:
    then = datetime(2020, 5, 1, 9, tzinfo=UTC)
    with clock.set_back(then) as past:
        assert timezone.now() == then
        assert Workspace(slug="x").created_at == then
        past.wait(minutes=5)
        assert timezone.now() == then + timedelta(minutes=5)
    assert timezone.now() - datetime.now(UTC) < timedelta(seconds=5)
    assert timezone.now().year > 2020


def test_a_load_just_after_midnight_tells_nothing_that_is_still_to_come() -> None:
    now = datetime(2026, 3, 30, 0, 1, tzinfo=loading.ZONE)  # the day after the clocks were put forward
    told = Story(None, clock.Clock(now), Days(now, loading.ZONE))  # type: ignore[arg-type]
    plot.outline(told)
    assert max(told.events).moment < now - timedelta(hours=6)


def test_the_clock_never_runs_backwards() -> None:
    past = clock.Clock(datetime(2020, 5, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="before"):
        past.move_to(datetime(2020, 4, 30, tzinfo=UTC))
