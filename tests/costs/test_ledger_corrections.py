"""A correction is a signed row; what a charge stands at is the sum of all that name it."""

import threading
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from apps.core.ids import uuid7
from apps.costs import ledger, ledger_corrections
from apps.costs.amounts import Priced
from apps.costs.ledger_corrections import NothingToCorrect
from apps.costs.models import Charge, SpendDay, SpendMonth
from tests import factories
from tests.costs import recount
from tests.costs.conftest import new_charge

pytestmark = pytest.mark.django_db


@pytest.fixture
def reprice(workspace):
    def to(cost, *charges, doubt=""):
        priced = Priced(None if cost is None else Decimal(cost), (9,) if cost else (), doubt)
        return ledger_corrections.reprice(
            workspace_id=workspace.pk,
            charge_ids=[charge.id for charge in charges],
            price_of=lambda row: priced,
            reason="repricing 1",
        )

    return to


def test_a_dearer_price_adds_the_difference_and_no_call(book, reprice):
    charge = book(cost=Decimal("0.01"))
    outcome = reprice("0.03", charge)
    row = Charge.objects.get(corrects=charge.id)
    assert (row.cost, row.calls, row.meters, row.price_ids) == (Decimal("0.02"), 0, {}, [9])
    assert (row.at, row.team_name, row.source) == (charge.at, "Support", "correction")
    assert (outcome.before, outcome.after, outcome.changed) == (Decimal("0.01"), Decimal("0.03"), 1)
    day = SpendDay.objects.get()
    assert (day.calls, day.cost, day.input_tokens) == (1, Decimal("0.03"), 100)


def test_a_cheaper_price_takes_away(book, reprice):
    reprice("0.004", book(cost=Decimal("0.01")))
    assert SpendMonth.objects.get().cost == Decimal("0.004")


def test_a_price_for_what_had_none_takes_it_out_of_the_unpriced(book, reprice):
    charge = book(cost=None)
    outcome = reprice("0.5", charge)
    day = SpendDay.objects.get()
    assert (day.calls, day.unpriced_calls, day.cost, day.input_tokens) == (1, 0, Decimal("0.5"), 100)
    assert (outcome.before_unpriced, outcome.after_unpriced) == (1, 0)


def test_a_price_that_turns_out_not_to_be_makes_it_unpriced(book, reprice):
    reprice(None, book(cost=Decimal(1)))
    day = SpendDay.objects.get()
    assert (day.calls, day.unpriced_calls, day.cost) == (1, 1, 0)


def test_a_doubtful_price_marks_the_whole_cost_as_estimated(book, reprice):
    reprice("0.3", book(cost=Decimal("0.1")), doubt="no such tier")
    day = SpendDay.objects.get()
    assert (day.estimated_calls, day.estimated_cost, day.cost) == (1, Decimal("0.3"), Decimal("0.3"))


def test_a_price_without_doubt_takes_the_estimate_back_even_at_the_same_cost(book, reprice):
    charge = book(cost=Decimal("0.1"), estimated=True)
    reprice("0.1", charge)
    day = SpendDay.objects.get()
    assert (day.estimated_calls, day.estimated_cost, day.cost, day.calls) == (0, 0, Decimal("0.1"), 1)


def test_what_was_counted_here_stays_an_estimate_at_any_price(book, reprice):
    reprice("0.3", book(cost=Decimal("0.1"), estimated=True, counted_here=True))
    assert SpendDay.objects.get().estimated_cost == Decimal("0.3")


def test_a_run_that_is_repeated_changes_nothing(book, reprice):
    charge = book()
    reprice("0.3", charge)
    assert reprice("0.3", charge).changed == 0
    assert Charge.objects.count() == 2


def test_each_correction_counts_up_from_the_one_before(workspace, book, reprice):
    charge = book(cost=Decimal(1))
    for cost in ("3", None, "2", "7"):
        reprice(cost, charge)
    assert Charge.objects.of_one(charge.id).aggregate(Sum("cost"))["cost__sum"] == 7
    assert recount.held(workspace.pk) == recount.wanted(Charge.objects.all(), workspace.zone)


def test_corrections_among_the_charges_of_a_run_are_passed_over(book, reprice):
    charge = book(cost=Decimal(1))
    reprice("2", charge)
    correction = ledger_corrections.Charge.objects.get(corrects=charge.id)
    assert reprice("5", correction).seen == 0


def test_a_run_sees_its_own_workspace_alone(workspace, book):
    charge = book()
    other = factories.make_workspace("other")
    outcome = ledger_corrections.reprice(
        workspace_id=other.pk, charge_ids=[charge.id], price_of=lambda row: Priced(Decimal(9), ()), reason="r"
    )
    assert (outcome.seen, Charge.objects.count()) == (0, 1)


def test_a_charge_of_the_wrong_team_moves_with_all_it_counts(workspace, book):
    charge = book(cost=Decimal(2), tags={"ticket": "7"}, other_meters={"image_input": 3}, latency_ms=50)
    ledger_corrections.correct(
        workspace_id=workspace.pk,
        charge_id=charge.id,
        changes={"team_id": 8, "team_name": "Sales"},
        priced=Priced(Decimal(2), ()),
        reason="wrong team",
    )
    teams = {day.team_id: (day.calls, day.cost, day.input_tokens, day.latency_ms) for day in SpendDay.objects.all()}
    assert teams == {7: (0, 0, 0, 0), 8: (1, 2, 100, 50)}
    back, anew = Charge.objects.filter(corrects=charge.id).order_by("calls")
    assert (back.other_meters, anew.other_meters, anew.tags) == (
        {"image_input": -3},
        {"image_input": 3},
        {"ticket": "7"},
    )


def test_what_may_not_change_is_refused(workspace, book):
    charge = book()
    facts = {"workspace_id": workspace.pk, "charge_id": charge.id, "reason": "r"}
    with pytest.raises(KeyError, match="at"):
        ledger_corrections.correct(changes={"at": charge.at}, priced=Priced(charge.cost, ()), **facts)
    with pytest.raises(NothingToCorrect):
        ledger_corrections.correct(changes={"team_id": 7}, priced=Priced(charge.cost, ()), **facts)


def test_a_charge_that_is_not_there_and_a_correction_are_not_corrected(workspace, book, reprice):
    charge = book()
    reprice("9", charge)
    for charge_id in (uuid7(), Charge.objects.get(corrects=charge.id).pk):
        with pytest.raises(NothingToCorrect):
            ledger_corrections.correct(
                workspace_id=workspace.pk, charge_id=charge_id, changes={}, priced=Priced(None, ()), reason="r"
            )


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_leave_each_charge_at_the_price_of_one_of_them(workspace):
    charges = [new_charge(workspace.pk) for _ in range(20)]
    ledger.record(charges)

    def run(cost):
        try:
            for charge in charges:
                ledger_corrections.reprice(
                    workspace_id=workspace.pk, charge_ids=[charge.id], price_of=lambda row: Priced(cost, ()), reason="r"
                )
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[Decimal(cost)]) for cost in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    costs = [Charge.objects.of_one(charge.id).aggregate(Sum("cost"))["cost__sum"] for charge in charges]
    assert {2, 3} >= set(costs)
    assert SpendMonth.objects.get().cost == sum(costs)


@pytest.mark.parametrize(
    "values", [{"cost": Decimal(-1)}, {"calls": 0}, {"calls": -1}, {"saved": Decimal(-1)}, {"other_meters": {"x": -1}}]
)
def test_only_a_correction_may_be_negative(make_charge, values):
    with pytest.raises(IntegrityError, match=r"not_negative|only_as_correction"), transaction.atomic():
        ledger.record([make_charge(**values)])
    assert ledger.record([make_charge(**values, corrects=uuid7())]) == 1


def test_a_correction_takes_away_one_call_at_most(make_charge):
    with pytest.raises(IntegrityError, match="only_as_correction"), transaction.atomic():
        ledger.record([make_charge(calls=-2, corrects=uuid7())])
