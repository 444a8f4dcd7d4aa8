"""The hourly sums are what the calls say, however often they are made; percentiles read from them are close."""

import math
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError
from django.db import connection as database
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import Workspace
from apps.llm import hours, observed
from apps.llm.models import Call, CallHour, Connection, Model
from tests import factories
from tests.llm.calls import columns, made

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_an_hour_counts_what_was_sent_in_it(model: Model) -> None:
    made(model, NOON - timedelta(milliseconds=1))
    made(model, NOON, ms=100)
    made(model, NOON + 59 * MINUTE, ms=None, kind="rate_limited", usage=None)
    made(model, NOON + 59 * MINUTE, ms=5_000, kind="timeout")
    made(model, NOON + MINUTE, ms=0, reused_id=Call.objects.earliest("id").pk)
    made(model, NOON + MINUTE, ms=None, state=Call.State.SENT, ended_at=None)
    assert hours.refresh(NOON + 59 * MINUTE) == 2
    hour = CallHour.objects.get(hour=NOON)
    assert (hour.calls, hour.answered, hour.failed, hour.throttled, hour.reused) == (4, 2, 2, 1, 1)
    assert hour.troubles == {"rate_limited": 1, "timeout": 1}
    assert (hour.input_tokens, hour.output_tokens) == (360, 30)
    assert hour.latencies == {str(math.floor(math.log(100) / math.log(1.1))): 1}
    assert hour.first_tokens == {}


def test_summing_up_again_changes_nothing_but_what_has_ended_since(model: Model) -> None:
    made(model, NOON)
    call = made(model, NOON, ms=None, state=Call.State.SENT, ended_at=None)
    hours.refresh(NOON)
    hours.refresh(NOON)
    assert CallHour.objects.get().calls == 1
    Call.objects.filter(pk=call.pk).update(state="answered", ended_at=NOON, latency_ms=900, first_token_ms=200)
    hours.refresh(NOON + timedelta(hours=2))
    hour = CallHour.objects.get()
    assert (hour.calls, sum(hour.latencies.values()), sum(hour.first_tokens.values())) == (2, 2, 1)


def test_hours_long_past_are_left_alone(model: Model) -> None:
    made(model, NOON)
    made(model, NOON + timedelta(hours=3))
    hours.refresh(NOON + timedelta(hours=3))
    made(model, NOON)
    assert hours.refresh(NOON + timedelta(hours=3)) == 1
    assert CallHour.objects.get(hour=NOON).calls == 1
    hours.rebuild(NOON + 30 * MINUTE, NOON + 31 * MINUTE)
    assert CallHour.objects.get(hour=NOON).calls == 2


def test_hours_that_nobody_summed_up_are_made_up_for(model: Model) -> None:
    made(model, NOON)
    hours.refresh(NOON)
    for later in (timedelta(0), timedelta(hours=5), timedelta(days=3), timedelta(days=9)):
        made(model, NOON + later + MINUTE)
    hours.refresh(NOON + timedelta(days=9, hours=1))
    assert list(CallHour.objects.order_by("hour").values_list("calls", flat=True)) == [2, 1, 1, 1]


def test_whoever_sums_up_for_the_first_time_begins_with_the_first_call(model: Model) -> None:
    made(model, NOON - timedelta(days=2))
    made(model, NOON)
    assert hours.refresh(NOON + timedelta(hours=5)) == 2


def test_a_long_time_without_calls_costs_little(model: Model, django_assert_max_num_queries: Any) -> None:
    made(model, NOON - timedelta(days=400))
    hours.refresh(NOON - timedelta(days=400))
    with django_assert_max_num_queries(4):
        hours.refresh(NOON)
    with django_assert_max_num_queries(4):
        hours.refresh(NOON + MINUTE)


def test_a_call_whose_id_and_time_lie_on_two_sides_of_the_hour_is_counted_once(model: Model) -> None:
    made(model, NOON, sent_at=NOON - timedelta(milliseconds=3))
    made(model, NOON - timedelta(milliseconds=3), sent_at=NOON)
    hours.rebuild(NOON, NOON + MINUTE)
    hours.rebuild(NOON - MINUTE, NOON)
    assert list(CallHour.objects.order_by("hour").values_list("calls", flat=True)) == [1, 1]


def test_one_workspace_is_summed_up_without_the_others(workspace: Workspace, model: Model) -> None:
    other = factories.make_model(factories.make_connection(factories.make_workspace("other")))
    made(model, NOON)
    made(other, NOON)
    assert hours.rebuild(NOON, NOON + MINUTE, workspace.pk) == 1
    assert CallHour.objects.get().workspace == workspace


def test_the_command_sums_up_past_days(workspace: Workspace, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    made(model)
    made(model, datetime.now(UTC) - timedelta(days=9))
    call_command("rebuild_hours", workspace=workspace.slug, days=10)
    assert "2 hours" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("rebuild_hours", workspace="nowhere")
    with pytest.raises(CommandError):
        call_command("rebuild_hours", days=0)


def bucketed(values: list[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for value in values:
        bucket = math.floor(math.log(max(value, 1)) / math.log(hours.BASE))
        found[bucket] = found.get(bucket, 0) + 1
    return found


@given(
    st.lists(st.integers(min_value=1, max_value=600_000), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99])
)
def test_a_percentile_of_buckets_is_within_five_percent(values: list[int], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values) - 1e-9)) - 1]
    found = hours.percentile(bucketed(values), share)
    assert found is not None
    assert abs(found - exact) <= 0.05 * exact


@given(st.lists(st.lists(st.integers(min_value=1, max_value=60_000), max_size=40), max_size=6))
def test_buckets_add_up_like_what_they_count(parts: list[list[int]]) -> None:
    whole = [value for part in parts for value in part]
    added = observed.together(observed.Observed(latencies=bucketed(part)) for part in parts)
    assert added.latencies == bucketed(whole)


def test_nothing_has_no_percentile() -> None:
    assert hours.percentile({}, 0.5) is None


def test_what_was_observed_leaves_out_kept_answers_and_those_who_left(workspace: Workspace, model: Model) -> None:
    made(model, NOON)
    made(model, NOON, ms=0, reused_id=Call.objects.get().pk)
    made(model, NOON, kind="interrupted")
    made(model, NOON, kind="timeout")
    hours.refresh(NOON)
    seen = observed.of_models(workspace.pk, NOON)[model.pk]
    assert (seen.calls, seen.asked, seen.error_share, seen.timed) == (4, 2, 0.5, 1)
    assert seen.p50 == pytest.approx(500, rel=0.05)


@pytest.mark.parametrize("zone_hours", [0, 10.5, -8])
def test_slots_begin_at_local_midnight_and_hold_every_call(model: Model, zone_hours: float) -> None:
    zone = timezone(timedelta(hours=zone_hours))
    for back in (0, 30, 24 * 29):
        made(model, NOON - timedelta(hours=back))
        hours.rebuild(NOON - timedelta(hours=back), NOON - timedelta(hours=back) + MINUTE)
    found = observed.over_time([model.pk], observed.SPANS["30d"], NOON + MINUTE, zone)
    assert len(found) == 30
    assert {moment.astimezone(zone).hour for moment in found} == {0}
    assert sum(seen.calls for seen in found.values()) == 3


@pytest.mark.django_db(transaction=True)
def test_those_who_sum_up_at_once_do_not_hold_each_other_up(connection: Connection) -> None:
    models = [factories.make_model(connection, f"m{number}") for number in range(12)]
    Call.objects.bulk_create(
        Call(**columns(model, NOON - timedelta(hours=hour))) for model in models for hour in range(24) for _ in range(2)
    )
    failures: list[Exception] = []

    def sum_up() -> None:
        try:
            for _ in range(5):
                hours.rebuild(NOON - timedelta(hours=24), NOON + MINUTE)
        except DatabaseError as error:
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=sum_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(CallHour.objects.values_list("calls", flat=True)) == {2}
    assert CallHour.objects.count() == 12 * 24
