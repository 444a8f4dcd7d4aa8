"""However charges, repeats, late events and corrections interleave, the sums are those of a recount."""

import random
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.ids import time_of, uuid7
from apps.costs import ledger, ledger_corrections, ledger_sums, verification
from apps.costs.amounts import Priced
from apps.costs.models import Charge, Purpose
from tests import factories
from tests.costs import recount
from tests.costs.conftest import NOON, new_charge

pytestmark = pytest.mark.django_db

ZONES = ["Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana", "Pacific/Chatham", "UTC"]
# Around every change of the clocks of those zones, and at the ends of months.
START = datetime(2026, 3, 20, tzinfo=UTC)
MOMENTS = st.one_of(
    st.integers(0, 224 * 86_400).map(lambda second: START + timedelta(seconds=second)),
    st.sampled_from(
        [
            datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe puts its clocks back by half an hour
            datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # and forward
            datetime(2026, 11, 1, 5, tzinfo=UTC),  # Havana's midnight comes twice
            datetime(2026, 3, 31, 18, 15, tzinfo=UTC),  # Kathmandu's April begins
            datetime(2026, 3, 31, 18, 14, 59, 999_000, tzinfo=UTC),
        ]
    ),
)
BOOK, CORRECT, REPRICE = "book", "correct", "reprice"
STEPS = st.lists(
    st.tuples(st.sampled_from([BOOK, BOOK, CORRECT, REPRICE]), st.lists(st.integers(0, 14), min_size=1, max_size=8)),
    max_size=8,
)
PRICES = st.one_of(st.none(), st.integers(0, 10**18).map(lambda picos: Decimal(picos).scaleb(-12)))


def a_charge(workspace_id, at, dice):
    cost = dice.choice([None, Decimal("1E-12"), Decimal(10**6), Decimal(dice.randrange(10**12)).scaleb(-12)])
    return new_charge(
        workspace_id,
        at,
        cost=cost,
        saved=Decimal(dice.randrange(3)).scaleb(-12),
        model=dice.choice(["gpt-4o", "o3"]),
        team_id=dice.choice([None, 1, 2]),
        user_id=dice.choice([None, 4]),
        customer=dice.choice(["", "Acme", "Ünïcode"]),
        environment=dice.choice(["", "production"]),
        purpose=dice.choice(list(Purpose)),
        estimated=dice.random() < 0.3,
        failed=dice.random() < 0.2,
        latency_ms=dice.choice([None, 120]),
        input_tokens=dice.randrange(1000),
        cache_write_1h_tokens=dice.randrange(9),
        audio_output_tokens=dice.randrange(9),
        web_searches=dice.randrange(2),
        other_meters=dice.choice(
            [{}, {"image_input": 5, "audio_cache_read": 3}, {"file_search": 2, "image_output": 7}]
        ),
    )


def differences():
    return [difference for total in verification.verify() for difference in total.differences]


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(MOMENTS, min_size=15, max_size=15), steps=STEPS, price=PRICES, seed=st.integers())
def test_any_interleaving_leaves_the_sums_of_a_recount(zone, moments, steps, price, seed):
    dice = random.Random(seed)
    with transaction.atomic():
        workspace = factories.make_workspace(f"w{dice.getrandbits(60)}", time_zone=zone)
        pool = [a_charge(workspace.pk, at, dice) for at in moments]
        for step, places in steps:
            take(step, [pool[place] for place in places], price, dice)
        booked = list(Charge.objects.filter(workspace_id=workspace.pk))
        assert {charge.pk for charge in booked if not charge.corrects} <= {charge.id for charge in pool}
        assert recount.held(workspace.pk) == recount.wanted(booked, ZoneInfo(zone))
        assert differences() == []
        transaction.set_rollback(True)


def take(step, charges, price, dice):
    workspace_id = charges[0].workspace_id
    if step == BOOK:
        ledger.record(charges)
    elif step == REPRICE:
        ids = [charge.id for charge in charges]
        found = Priced(price, (3,), dice.choice(["", "a doubt"]))
        ledger_corrections.reprice(
            workspace_id=workspace_id, charge_ids=ids, price_of=lambda row: found, reason="repricing 1"
        )
    elif Charge.objects.filter(pk=charges[0].id).exists():
        changes = {"team_id": dice.choice([3, 4]), "input_tokens": dice.randrange(10**6), "estimated": False}
        ledger_corrections.correct(
            workspace_id=workspace_id,
            charge_id=charges[0].id,
            changes=changes,
            priced=Priced(price, ()),
            reason="wrong team",
        )


@pytest.mark.parametrize("zone", ZONES)
def test_a_move_to_another_zone_leaves_the_sums_of_a_recount(workspace, zone):
    dice = random.Random(zone)
    pool = [a_charge(workspace.pk, START + timedelta(hours=dice.randrange(5000)), dice) for _ in range(60)]
    ledger.record(pool)
    workspace.time_zone = zone
    workspace.save()
    assert recount.held(workspace.pk) == recount.wanted(pool, ZoneInfo(zone))
    assert differences() == []


def test_sums_written_anew_are_the_same(workspace):
    dice = random.Random(3)
    ledger.record([a_charge(workspace.pk, NOON + timedelta(hours=dice.randrange(-900, 900)), dice) for _ in range(80)])
    before = recount.held(workspace.pk)
    ledger_sums.rebuild_sums(workspace_id=workspace.pk)
    assert recount.held(workspace.pk) == before


def test_days_of_any_zone_are_sums_of_quarter_hours(workspace):
    dice = random.Random(5)
    pool = [a_charge(workspace.pk, START + timedelta(minutes=dice.randrange(99_999)), dice) for _ in range(60)]
    ledger.record(pool)
    quarters = recount.held(workspace.pk)[recount.SpendHour]
    for zone in map(ZoneInfo, ZONES):
        days = {}
        for (_, starts_at, *_rest), sums in quarters.items():
            day = starts_at.astimezone(zone).date()
            days[day] = days.get(day, 0) + sums[3]
        totals = recount.wanted(pool, zone)[recount.SpendAxis]
        expected = {key[2]: sums[3] for key, sums in totals.items() if key[1] == "all"}
        assert days == expected


def test_a_clock_set_back_an_hour_books_both_hours_once(workspace):
    first = [new_charge(workspace.pk, NOON + timedelta(seconds=n)) for n in range(5)]
    again = [new_charge(workspace.pk, NOON - timedelta(hours=1) + timedelta(seconds=n)) for n in range(5)]
    assert ledger.record(first) + ledger.record(again) + ledger.record(first) == 10
    assert recount.held(workspace.pk) == recount.wanted(first + again, workspace.zone)


@pytest.mark.django_db(transaction=True)
def test_eight_writers_with_repeats_and_late_events_leave_the_sums_of_a_recount():
    workspace = factories.make_workspace("crowd", time_zone="Asia/Kathmandu")
    dice = random.Random(7)
    plans = [traffic(workspace.pk, dice) for _ in range(8)]
    repeated = [plan[dice.randrange(8)] for plan in plans for _ in range(2)]
    errors, booked = [], []

    def write(batches):
        try:
            booked.append(sum(ledger.record(batch) for batch in batches))
        except DatabaseError as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[[*plan, *repeated]]) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = {charge.id: charge for plan in plans for batch in plan for charge in batch}
    assert errors == []
    assert sum(booked) == len(sent) == Charge.objects.count()
    assert recount.held(workspace.pk) == recount.wanted(sent.values(), workspace.zone)
    assert differences() == []


def traffic(workspace_id, dice):
    """Return eight batches of an hour: one charge in a hundred comes twice, one in twenty three weeks late."""
    batches = []
    for _ in range(8):
        batch = []
        for _ in range(50):
            late = timedelta(weeks=3) if dice.random() < 0.05 else timedelta()
            batch.append(a_charge(workspace_id, NOON - late + timedelta(seconds=dice.randrange(3600)), dice))
        batches.append(batch + [charge for charge in batch if dice.random() < 0.01])
    return batches


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_dies_between_its_statements_leaves_nothing(workspace):
    charge = new_charge(workspace.pk)

    def die():
        with transaction.atomic():
            ledger.record([charge])
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseError):
        die()
    connection.close()
    assert Charge.objects.count() == 0
    assert not any(recount.held(workspace.pk).values())
    assert ledger.record([charge]) == 1
    assert differences() == []


def test_ids_of_a_moment_hold_that_moment():
    assert time_of(uuid7(NOON)) == NOON
