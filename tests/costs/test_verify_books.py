import re
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.costs import verification
from apps.costs.models import SpendDay, Verification
from tests.costs.budgets import make_budget


def verify():
    out = StringIO()
    call_command("verify_books", stdout=out)
    return out.getvalue()


def spoil(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_sound_books_agree_and_print_their_totals(book):
    book()
    book(datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
    printed = verify()
    assert "acme 2026-11: 1 charges, $0.01: agrees" in printed
    assert "acme 2026-01: 1 charges, $0.01: agrees" in printed
    assert "The books agree." in printed


def test_books_without_charges_agree(db):
    assert verify() == "The books agree.\n"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE costs_spendday SET cost = cost + 0.000000000001",
        "UPDATE costs_spendday SET unpriced_calls = 1",
        "DELETE FROM costs_spendday",
        "UPDATE costs_spendday SET day = day - 40",
        "UPDATE costs_spendmonth SET calls = calls + 1",
        "UPDATE costs_spendmonth SET team_id = 8",
        "UPDATE costs_spendmonth SET saved = 1",
        "UPDATE costs_spendhour SET cost = cost - 0.000000000001",
        "UPDATE costs_spendhour SET starts_at = starts_at + interval '15 minutes'",
        "UPDATE costs_spendaxis SET tokens = tokens + 1 WHERE axis = 'model'",
        "UPDATE costs_spendaxis SET calls = calls + 1 WHERE axis = 'customer'",
        "DELETE FROM costs_spendaxis WHERE axis = 'user'",
    ],
)
def test_a_sum_that_is_off_is_named_and_ends_with_1(book, sql):
    book()
    spoil(sql)
    out = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("verify_books", stdout=out)
    assert failure.value.returncode == 1
    assert "differs" in out.getvalue()
    assert re.search(r"costs_spend\w+ \[.*2026-11", out.getvalue())
    kept = Verification.objects.get()
    assert not kept.agrees
    assert kept.details[0] in out.getvalue()


def test_a_sum_without_any_charge_is_found(workspace, book):
    book()
    row = SpendDay.objects.get()
    row.pk, row.model = None, "phantom"
    row.save()
    with pytest.raises(CommandError):
        verify()


@pytest.mark.parametrize("conditions", [{}, {"customer": ""}, {"customer": "", "team_id": 7}])
@pytest.mark.parametrize("column", ["spent", "reserved"])
def test_a_budget_that_says_otherwise_than_its_charges_is_found(workspace, book, column, conditions):
    budget = make_budget(workspace, period="month", **conditions)
    book()
    assert "The books agree." in verify()
    spoil(f"UPDATE costs_budgetperiod SET {column} = {column} + 0.000000000001")
    with pytest.raises(CommandError):
        verify()
    (found,) = Verification.objects.order_by("-pk")[0].details
    assert f"costs_budgetperiod [{budget.pk} 2026-11-01" in found


def test_a_busy_month_is_proved_day_by_day(book, monkeypatch):
    monkeypatch.setattr(verification, "AT_ONCE", 2)
    for day in (1, 14, 30):
        book(datetime(2026, 11, day, 12, tzinfo=UTC))
    assert "3 charges, $0.03: agrees" in verify()
    spoil("UPDATE costs_spendday SET calls = calls + 1 WHERE day = '2026-11-30'")
    with pytest.raises(CommandError):
        verify()


def test_each_recount_is_kept_with_its_outcome(workspace, book):
    book()
    verify()
    kept = Verification.objects.get()
    assert (kept.workspace, kept.agrees, kept.charges, kept.months, kept.cost) == (
        workspace,
        True,
        1,
        1,
        Decimal("0.01"),
    )
    assert kept.started_at <= kept.finished_at


def test_rebuilding_mends_the_sums(book):
    book()
    spoil("UPDATE costs_spendday SET cost = 5")
    call_command("rebuild_sums", workspace="acme", stdout=StringIO())
    assert "The books agree." in verify()


def test_an_unknown_workspace_is_refused(db):
    with pytest.raises(CommandError, match="no workspace nowhere"):
        call_command("rebuild_sums", workspace="nowhere")
