"""Charges are booked once, for ever, and the sums are always theirs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.core.ids import time_of, uuid7
from apps.costs import ledger, ledger_sql, partitions, verification
from apps.costs.ledger_ids import charge_id
from apps.costs.models import Charge, Dimension, Meter, SpendAxis, SpendDay, SpendMonth
from tests import db_guards, factories
from tests.costs.conftest import NOON, new_charge

pytestmark = pytest.mark.django_db


def execute(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.rowcount


def differences():
    return [difference for total in verification.verify() for difference in total.differences]


def test_a_charge_is_read_back_with_every_value(make_charge):
    charge = make_charge(
        cost=Decimal("12345678.123456789012"),
        price_ids=(3, 4),
        customer="Ünïcode 会社",
        reasoning_tokens=7,
        audio_input_tokens=8,
        web_searches=2,
        other_meters={"image_input": 9},
        saved=Decimal("0.000000000001"),
        tier="priority",
        region="us",
        tags={"ticket": "47", "größe": '"\\'},
        source="otlp",
        source_id="trace/span",
        reservation_id=uuid7(),
    )
    assert ledger.record([charge]) == 1
    stored = Charge.objects.get()
    for name in ledger.COLUMNS:
        expected = getattr(charge, name)
        assert getattr(stored, name) == (list(expected) if name == "price_ids" else expected), name
    assert stored.at == time_of(charge.id)


def test_names_with_quotes_braces_and_backslashes_come_back_as_they_were(book):
    hostile = """{a,"b"} \\ 'c' NULL %s $1 ; -- \n\t"""
    book(customer=hostile, team_name="NULL", prompt_name='"')
    stored = Charge.objects.get()
    assert (stored.customer, stored.team_name, stored.prompt_name) == (hostile, "NULL", '"')


def test_tags_that_no_column_holds_do_not_lose_the_charge(book):
    book(tags={"a\x00b": "\ud800"})
    assert Charge.objects.get().tags == {"ab": "?"}


def test_common_meters_stand_in_columns_and_rare_ones_beside_them(book):
    counts = {Meter.INPUT: 1, Meter.AUDIO_OUTPUT: 2, Meter.WEB_SEARCH: 3, Meter.IMAGE_INPUT: 4, Meter.OUTPUT: 0}
    book(**ledger.meters_of(counts))
    charge = Charge.objects.get()
    assert charge.meters == {meter: count for meter, count in counts.items() if count}
    assert (charge.web_searches, charge.other_meters, charge.total_input_tokens) == (3, {"image_input": 4}, 5)


def test_a_hit_of_the_cache_costs_nothing_and_says_what_it_saved(book):
    book(cost=Decimal(0), saved=Decimal("0.25"), input_tokens=0, output_tokens=0)
    assert (SpendDay.objects.get().cost, SpendMonth.objects.get().saved) == (0, Decimal("0.25"))
    assert SpendAxis.objects.get(axis="all").saved == Decimal("0.25")


def test_the_smallest_and_a_large_cost_add_up_exactly(book):
    book(cost=Decimal("1E-12"))
    book(cost=Decimal(10**6))
    assert SpendMonth.objects.get().cost == Decimal("1000000.000000000001")


def test_a_charge_that_comes_twice_counts_once(make_charge):
    charge = make_charge()
    assert ledger.record([charge, charge]) == 1
    assert ledger.record([charge]) == 0
    assert SpendDay.objects.get().calls == 1


def test_an_empty_batch_books_nothing(workspace):
    assert ledger.record([]) == 0


def test_what_has_no_price_is_unpriced_and_adds_no_cost(book):
    book(cost=None)
    charge, day = Charge.objects.get(), SpendDay.objects.get()
    assert (charge.cost, charge.unpriced) == (None, True)
    assert (day.calls, day.unpriced_calls, day.cost) == (1, 1, 0)


def test_the_day_is_the_workspaces_own(client_of):
    tokyo = factories.make_workspace("tokyo", time_zone="Asia/Tokyo")
    ledger.record([new_charge(tokyo.pk, datetime(2026, 11, 30, 15, tzinfo=UTC))])
    assert SpendDay.objects.get().day.isoformat() == "2026-12-01"
    assert SpendMonth.objects.get().month.isoformat() == "2026-12-01"


def test_the_books_roll_back_with_the_caller(make_charge):
    with transaction.atomic():
        ledger.record([make_charge()])
        transaction.set_rollback(True)
    assert Charge.objects.count() == SpendDay.objects.count() == SpendMonth.objects.count() == 0


@pytest.mark.parametrize("sql", ["UPDATE costs_charge SET failed = NOT failed", "DELETE FROM costs_charge"])
def test_a_charge_cannot_be_changed_or_removed(book, sql):
    book()
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        execute(sql)
    assert Charge.objects.count() == 1


def test_a_charge_is_guarded_in_its_partition_too(book):
    book(NOON)
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        execute("DELETE FROM costs_charge_2026_11")


def test_a_partition_made_later_is_guarded_as_well(book):
    book(datetime(2031, 3, 5, tzinfo=UTC))
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        execute("UPDATE costs_charge_2031_03 SET cost = 0")


def test_a_priced_charge_cannot_be_marked_unpriced(book):
    book()
    with pytest.raises(IntegrityError, match="charge_priced_or_unpriced"), transaction.atomic():
        execute(
            "INSERT INTO costs_charge SELECT (jsonb_populate_record(c, jsonb_build_object('id', %s::text, 'unpriced', true))).* "
            "FROM costs_charge c",
            str(Charge.objects.get().pk)[:-4] + "0000",
        )


@pytest.mark.parametrize("meter", ["input_tokens", "cache_read_tokens", "cache_write_1h_tokens", "output_tokens"])
def test_a_negative_meter_is_refused(make_charge, meter):
    with pytest.raises(IntegrityError, match="charge_meters_not_negative"), transaction.atomic():
        ledger.record([make_charge(**{meter: -1})])


def test_money_as_a_float_is_refused(make_charge):
    with pytest.raises(TypeError, match="Decimal"):
        ledger.record([make_charge(cost=0.1)])


def test_a_moment_that_is_not_the_ids_is_refused(book):
    book()
    with pytest.raises(IntegrityError, match="charge_at_is_in_id"), transaction.atomic():
        execute(
            "INSERT INTO costs_charge SELECT (jsonb_populate_record(c, jsonb_build_object('id', %s::text))).* FROM costs_charge c",
            str(uuid7(NOON + timedelta(seconds=1))),
        )


def test_names_that_no_column_holds_do_not_lose_the_charge(book):
    book(customer="a\x00b\ud800" + "x" * 500, prompt_name="é" * 300)
    stored = Charge.objects.get()
    assert stored.customer.startswith("ab?x")
    assert (len(stored.customer), len(stored.prompt_name)) == (120, 255)


def test_charges_of_another_age_find_their_partition(book):
    book(datetime(2019, 2, 3, tzinfo=UTC))
    assert partition_of(Charge.objects.get()) == "costs_charge_2019_02"


def partition_of(charge):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM costs_charge WHERE id = %s", [charge.pk])
        return cursor.fetchone()[0]


def test_the_newest_name_wins_however_late_the_old_one_comes(book):
    book(NOON, team_name="Care")
    book(NOON - timedelta(days=1), team_name="Support")
    assert Dimension.objects.get(kind="team").name == "Care"
    book(NOON + timedelta(days=1), team_name="Customer care")
    assert Dimension.objects.get(kind="team").name == "Customer care"


def test_a_known_name_is_not_touched_again(book):
    book()
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin, ctid FROM costs_dimension ORDER BY id")
        before = cursor.fetchall()
        ledger.record([new_charge(SpendDay.objects.get().workspace_id)])
        cursor.execute("SELECT xmin, ctid FROM costs_dimension ORDER BY id")
        assert cursor.fetchall() == before


def test_moving_a_workspace_to_another_zone_moves_its_days(workspace, book):
    book(datetime(2026, 11, 15, 23, 30, tzinfo=UTC))
    assert SpendDay.objects.get().day.isoformat() == "2026-11-15"
    workspace.time_zone = "Asia/Tokyo"
    workspace.save(update_fields=["time_zone"])
    assert SpendDay.objects.get().day.isoformat() == "2026-11-16"
    assert differences() == []


def test_partitions_are_made_once(db):
    start = datetime(2040, 11, 20, tzinfo=UTC)
    made = partitions.ensure(start, start + timedelta(days=60))
    assert made == ["costs_charge_2040_11", "costs_charge_2040_12", "costs_charge_2041_01"]
    assert partitions.ensure(start, start + timedelta(days=60)) == []


def test_a_booking_whose_month_is_missing_writes_nothing_and_a_record_makes_the_month(make_charge):
    charge = make_charge(datetime(2045, 5, 5, tzinfo=UTC))
    with pytest.raises(IntegrityError, match="no partition"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(ledger_sql.RECORD, ledger.values_of([charge]))
    assert Charge.objects.count() == SpendDay.objects.count() == SpendAxis.objects.count() == 0
    assert ledger.record([charge]) == 1


def test_the_same_event_has_the_same_id_and_any_other_another():
    event = {"workspace_id": 1, "source": "otlp", "source_id": "a/1", "at": NOON}
    one = charge_id(**event)
    assert (charge_id(**event), time_of(one), one.version, one.variant) == (one, NOON, 7, "specified in RFC 4122")
    others = [{"workspace_id": 2}, {"source": "csv"}, {"source_id": "a/2"}, {"at": NOON + timedelta(seconds=1)}]
    assert len({one, *(charge_id(**{**event, **other}) for other in others)}) == 5


def test_a_partition_that_was_rolled_back_is_made_again(make_charge):
    at = datetime(2042, 5, 5, tzinfo=UTC)
    with transaction.atomic():
        partitions.ensure(at, at)
        transaction.set_rollback(True)
    assert ledger.record([make_charge(at)]) == 1


def refuses_truncate(table):
    with pytest.raises(DatabaseError, match="The ledger keeps its charges"), transaction.atomic():
        execute(f"TRUNCATE {table}")
    return True


def test_the_database_refuses_to_empty_the_ledger_by_its_whole_or_by_a_month(book):
    month = partitions.name_of(book().at)
    with db_guards.switched_on("costs_charge"):
        assert refuses_truncate("costs_charge")
    with db_guards.switched_on(month):
        assert refuses_truncate(month)
        assert refuses_truncate("costs_charge")
    assert Charge.objects.count() == 1


def test_a_new_month_is_guarded_from_its_first_moment(db):
    at = datetime(2043, 5, 5, tzinfo=UTC)
    with db_guards.switched_on("costs_charge"):
        partitions.ensure(at, at)
        assert refuses_truncate("costs_charge_2043_05")


def test_a_new_month_of_a_ledger_whose_guard_is_off_can_be_flushed(db):
    at = datetime(2044, 5, 5, tzinfo=UTC)
    partitions.ensure(at, at)
    execute("TRUNCATE costs_charge_2044_05")
