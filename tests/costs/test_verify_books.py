from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.costs.models import SpendDay


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
    assert "gpt-4o" in out.getvalue()


def test_a_sum_without_any_charge_is_found(workspace, book):
    book()
    row = SpendDay.objects.get()
    row.pk, row.model = None, "phantom"
    row.save()
    with pytest.raises(CommandError):
        verify()


def test_rebuilding_mends_the_sums(book):
    book()
    spoil("UPDATE costs_spendday SET cost = 5")
    call_command("rebuild_sums", workspace="acme", stdout=StringIO())
    assert "The books agree." in verify()


def test_an_unknown_workspace_is_refused(db):
    with pytest.raises(CommandError, match="no workspace nowhere"):
        call_command("rebuild_sums", workspace="nowhere")
