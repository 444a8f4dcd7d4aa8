"""Charges go by the month when nobody keeps them any more; their sums stay, and nothing is booked there again."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import AuditEvent
from apps.costs import actions, beat, ledger, ledger_sums, partitions, retention, verification
from apps.costs.models import Budget, Charge, LetGo, Retention, SpendDay, Verification
from tests import factories
from tests.costs import recount
from tests.costs.conftest import NOON, new_charge

pytestmark = pytest.mark.django_db
MAY = datetime(2026, 5, 20, 12, tzinfo=UTC)
JUNE = datetime(2026, 6, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_remembered_partitions():
    partitions.forget()
    yield
    partitions.forget()


@pytest.fixture
def kept(workspace):
    """Keep two months, with a recount that agrees."""
    workspace.time_zone = "UTC"
    workspace.save()
    ledger.record([new_charge(workspace.pk, at) for at in (MAY, JUNE, NOON)])
    list(verification.verify())
    return Retention.objects.create(workspace=workspace, months=2)


def gone(now=NOON):
    return retention.let_go(now)[-1:]


def has_partition(name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        return cursor.fetchone()[0]


def test_months_that_nobody_keeps_go_and_their_sums_stay(workspace, kept):
    before = recount.held(workspace.pk)
    assert gone() == [date(2026, 8, 1)]
    assert not has_partition("costs_charge_2026_05")
    assert [charge.at for charge in Charge.objects.all()] == [NOON]
    assert recount.held(workspace.pk) == before
    assert LetGo.objects.get(month=date(2026, 5, 1)).charges == 1
    assert AuditEvent.objects.filter(verb="let charges go").count() == 2


def test_kept_months_are_whole_months_before_the_present_one(kept):
    assert gone(datetime(2026, 7, 31, 12, tzinfo=UTC)) == []
    assert gone(datetime(2026, 8, 1, 12, tzinfo=UTC)) == [date(2026, 5, 1)]


def test_a_month_that_is_partly_kept_in_the_workspaces_zone_stays(workspace, kept):
    workspace.time_zone = "Asia/Kathmandu"
    workspace.save()
    assert gone(datetime(2026, 8, 1, 12, tzinfo=UTC)) == []


def test_a_month_without_charges_takes_late_ones_as_long_as_it_is_kept(make_charge, kept):
    gone()
    assert ledger.record([make_charge(datetime(2026, 9, 1, tzinfo=UTC))]) == 1


def test_a_workspace_without_a_word_keeps_its_charges_for_ever(kept):
    other = factories.make_workspace("other")
    ledger.record([new_charge(other.pk, JUNE)])
    assert gone() == [date(2026, 5, 1)]
    assert Charge.objects.filter(workspace_id=other.pk).exists()


def test_nothing_goes_where_nobody_asked_for_it(workspace, make_charge):
    partitions.ensure_around(NOON)
    for _ in range(2):
        with time_machine.travel(NOON):
            beat.make_partitions()
    assert not LetGo.objects.exists()
    assert ledger.record([make_charge(datetime(2025, 3, 1, tzinfo=UTC))]) == 1


def test_the_beat_goes_on_after_the_month_before_was_let_go(workspace, kept):
    kept.months = 1
    kept.save()
    third = datetime(2026, 12, 3, 12, tzinfo=UTC)
    with time_machine.travel(third):
        list(verification.verify())
        beat.make_partitions()
        assert LetGo.objects.filter(month=date(2026, 10, 1)).exists()
        beat.make_partitions()
    march = datetime(2027, 3, 1, 12, tzinfo=UTC)
    with time_machine.travel(march):
        list(verification.verify())
        beat.make_partitions()
        beat.make_partitions()
    assert has_partition("costs_charge_2027_05")


def test_what_was_never_proved_stays(kept):
    Verification.objects.all().delete()
    assert gone() == []


def test_what_did_not_agree_stays(kept):
    Verification.objects.update(differences=1)
    assert gone() == []


def limit(workspace, period="year", **conditions):
    return Budget.objects.create(
        workspace=workspace, name="b", limit_amount=1, counted_from=date(2026, 1, 1), period=period, **conditions
    )


@pytest.mark.parametrize(
    ("period", "conditions", "last"),
    [
        ("year", {"customer": "", "team_id": 7}, []),
        ("quarter", {"customer": "", "team_id": 7}, [date(2026, 8, 1)]),
        ("year", {"customer": ""}, [date(2026, 8, 1)]),
    ],
    ids=["the running period needs them", "it began later", "the customer's own sums are enough"],
)
def test_a_budget_of_a_customer_holds_only_what_it_cannot_be_counted_without(period, conditions, last, workspace, kept):
    limit(workspace, period, **conditions)
    assert gone() == last


@pytest.mark.parametrize("conditions", [{"customer": ""}, {"customer": "", "team_id": 7}, {"team_id": 7}])
def test_what_a_budget_has_spent_outlives_its_charges(conditions, workspace, kept):
    budget = limit(workspace, "month", **conditions)
    ledger_sums.recount_budget(budget=budget)
    before = list(budget.periods.order_by("starts_on").values_list("starts_on", "spent"))
    gone()
    ledger_sums.rebuild_sums(workspace_id=workspace.pk)
    assert list(budget.periods.order_by("starts_on").values_list("starts_on", "spent")) == before
    assert [spent for _, spent in before] == [Decimal("0.01")] * 3


def test_a_new_budget_that_could_not_be_counted_is_refused_in_words(workspace, kept, fay):
    gone()
    facts = {"workspace": workspace, "name": "b", "mode": "warn", "limit_amount": Decimal(1), "acting_user": fay}
    with time_machine.travel(NOON), pytest.raises(actions.budgets.BudgetRefused, match="shorter period"):
        actions.create_budget(period="year", conditions={"customer": "Acme", "team_id": 7}, **facts)
    with time_machine.travel(NOON):
        assert actions.create_budget(period="year", conditions={"customer": "Acme"}, **facts).pk


def test_nothing_is_booked_in_a_month_that_is_gone(make_charge, kept):
    gone()
    with pytest.raises(partitions.MonthLetGo, match="May 2026"):
        ledger.record([make_charge(MAY)])
    with pytest.raises(partitions.MonthLetGo):
        ledger.record([make_charge(datetime(2021, 1, 1, tzinfo=UTC))])


def test_a_process_that_remembers_a_month_learns_that_it_is_gone(make_charge, kept):
    remembered = set(partitions._known) | {"costs_charge_2026_05"}
    gone()
    partitions._known.update(remembered)
    with pytest.raises(IntegrityError), transaction.atomic():
        ledger.record([make_charge(MAY)])
    with pytest.raises(partitions.MonthLetGo):
        ledger.record([make_charge(MAY)])


def test_books_with_a_gap_behind_them_still_agree_and_are_written_anew_with_it(workspace, kept):
    gone()
    before = recount.held(workspace.pk)
    ledger_sums.rebuild_sums(workspace_id=workspace.pk)
    assert recount.held(workspace.pk) == before
    assert [difference for total in verification.verify() for difference in total.differences] == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"])
def test_a_move_of_zones_after_months_went_keeps_every_cent(workspace, kept, zone):
    edge = datetime(2026, 9, 1, tzinfo=UTC)
    ledger.record([new_charge(workspace.pk, edge + timedelta(hours=n), cost=Decimal(1)) for n in range(-30, 30)])
    list(verification.verify())
    gone()
    total = sum(SpendDay.objects.values_list("cost", flat=True))
    workspace.time_zone = zone
    workspace.save()
    assert sum(SpendDay.objects.values_list("cost", flat=True)) == total
    assert [difference for total in verification.verify() for difference in total.differences] == []


def test_the_beat_makes_partitions_and_proves_the_books(book):
    book()
    beat.make_partitions()
    beat.verify_books()
    proved = Verification.objects.get()
    assert (proved.agrees, proved.charges, proved.cost, proved.months) == (True, 1, Decimal("0.01"), 1)
