"""What is held for a call is at least what it will cost, however the provider splits what went in."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.costs import budgets, pricing
from apps.costs.models import BudgetPeriod, Meter, Price
from tests.costs.budgets import facts_of, make_budget
from tests.costs.conftest import NOON

pytestmark = pytest.mark.django_db
INPUT, OUTPUT, READ, WRITE = Meter.INPUT, Meter.OUTPUT, Meter.CACHE_READ, Meter.CACHE_WRITE
PRICES = {INPUT: "0.000002", OUTPUT: "0.000008", READ: "0.0000005", WRITE: "0.0000025"}


@pytest.fixture
def price(workspace):
    def put(meter, unit_price, **terms):
        Price.objects.create(
            workspace=workspace, provider="openai", model="gpt-4o", meter=meter, unit_price=Decimal(unit_price),
            valid_from=NOON - timedelta(days=99), source="test", **terms,
        )  # fmt: skip
        pricing.forget()

    return put


@pytest.fixture
def priced(price):
    for meter, unit_price in PRICES.items():
        price(meter, unit_price)


def most(workspace, meters, **terms):
    return budgets.worst_case(
        workspace_id=workspace.pk, provider="openai", model="gpt-4o", at=NOON, meters=meters, **terms
    )


def test_input_is_held_at_the_dearest_that_it_may_be_billed_at(workspace, priced):
    assert most(workspace, {INPUT: 1000, OUTPUT: 500}) == Decimal("0.0025") + Decimal("0.004")


def test_without_a_price_for_cache_writes_input_is_held_as_input(workspace, price):
    price(INPUT, "0.000002")
    assert most(workspace, {INPUT: 1000}) == Decimal("0.002")


@pytest.mark.parametrize("meters", [{INPUT: 10, OUTPUT: 10}, {OUTPUT: 10}, {INPUT: 10, Meter.WEB_SEARCH: 1}])
def test_what_has_no_price_is_not_bounded(workspace, price, meters):
    price(INPUT, "0.000002")
    assert most(workspace, meters) is None


def test_a_long_request_is_held_at_its_own_step(workspace, priced, price):
    price(INPUT, "0.000004", above_input_tokens=200_000)
    assert most(workspace, {INPUT: 200_001}) == 200_001 * Decimal("0.000004")


def test_a_negotiated_price_is_what_is_held(workspace, priced, price):
    price(OUTPUT, "0.000001", connection_id=5)
    assert most(workspace, {OUTPUT: 1000}, connection_id=5) == Decimal("0.001")


def test_nothing_used_costs_nothing(workspace, priced):
    assert most(workspace, {}) == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bound=st.integers(0, 300_000),
    cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    share=st.floats(0, 1),
    longest=st.integers(0, 100_000),
)
def test_no_split_of_a_call_within_its_bounds_costs_more_than_was_held(workspace, priced, bound, cuts, share, longest):
    low, high = sorted(round(cut * bound) for cut in cuts)
    used = {INPUT: low, READ: high - low, WRITE: bound - high, OUTPUT: round(share * longest)}
    real = pricing.quote(workspace_id=workspace.pk, provider="openai", model="gpt-4o", at=NOON, meters=used)
    assert real.cost is not None
    assert real.cost <= most(workspace, {INPUT: bound, OUTPUT: longest})


def test_a_call_holds_the_worst_case_of_its_meters(workspace, priced):
    make_budget(workspace, "1.00")
    budgets.forget()
    assert budgets.reserve(
        workspace_id=workspace.pk, at=NOON, expires_at=NOON, facts=facts_of(), meters={INPUT: 1000, OUTPUT: 500}
    )
    assert BudgetPeriod.objects.get().reserved == Decimal("0.0065")


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, "0.012"),
        ({"tier": ""}, "0.0069"),
        ({"tier": "", "region": ""}, "0.0065"),
        ({"tier": "priority"}, "0.012"),
        ({"tier": "flex"}, "0.0069"),
    ],
)
def test_what_was_not_asked_for_is_held_at_the_dearest_that_the_account_may_be_served_at(
    workspace, priced, price, terms, expected
):
    for meter, amount in ((INPUT, "0.000004"), (OUTPUT, "0.000016")):
        price(meter, amount, tier="priority")
        price(meter, str(Decimal(amount) / 8), tier="flex")
        price(meter, str(Decimal(amount) * 10), tier="fast")
        price(meter, str(Decimal(amount) / 2 * Decimal("1.1")), region="us")
    assert most(workspace, {INPUT: 1000, OUTPUT: 500}, **terms) == Decimal(expected)
