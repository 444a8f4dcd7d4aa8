"""Shares that rounding must not turn into nothing or into all; and counts in good grammar."""

from decimal import Decimal

import pytest
import time_machine
from django.template.loader import render_to_string
from django.urls import reverse

from apps.costs import shares
from apps.costs.repricing_report import Day
from tests.costs import budgets as budget_rows
from tests.costs.conftest import NOON


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [
        ("0", 1, "0.0\xa0%"),
        ("0.0004", 1, "<0.1\xa0%"),
        ("0.0006", 1, "0.1\xa0%"),
        ("0.9996", 1, ">99.9\xa0%"),
        ("1", 1, "100.0\xa0%"),
        ("0.004", 0, "<1\xa0%"),
        ("0.996", 0, ">99\xa0%"),
        ("1.2", 0, "120\xa0%"),
        (None, 0, "\N{EN DASH}"),
    ],
)
def test_a_share_is_nothing_or_all_only_when_it_is(share, digits, shown):
    assert shares.percent(None if share is None else Decimal(share), digits) == shown


def test_the_days_of_a_re_pricing_say_what_is_still_unpriced_once():
    day = Day(NOON.date(), calls=3, was_unpriced=3, still_unpriced=3)
    some = Day(NOON.date(), calls=3, was_unpriced=3, still_unpriced=2)
    text = render_to_string("costs/repricing_days.html", {"days": [some], "total": day, "currency": "USD"})
    assert "still unpriced" in text
    assert "2 of them still" in text
    assert "3 still" not in text


def test_a_budget_beside_the_month_is_named_before_its_limit(client_of, fay, workspace):
    with time_machine.travel(NOON, tick=True):
        budget_rows.make_budget(workspace, "10", name="The whole house")
        budget_rows.book(workspace, cost="12")
        page = client_of(fay).get(reverse("spend_month", kwargs={"workspace": "acme"})).content.decode()
    assert "· The whole house, $10.00 a month" in page
    assert "Used up of" not in " ".join(page.split())
