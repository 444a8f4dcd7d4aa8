"""A month before and after a change: by what tests measured, else by tokens that were counted."""

from decimal import Decimal

import pytest

from apps.costs.change_forecast import ChangeForecast, Measured, Side, Traffic, is_over, of_change

TRAFFIC = Traffic(calls=1000, priced_calls=1000, cost=Decimal(10), input_tokens=500_000, output_tokens=100_000)
IN, OUT = Decimal("0.00001"), Decimal("0.00004")


def side(model: str = "small", tokens: int = 400, **fields: object) -> Side:
    return Side(model, tokens, **{"input_price": IN, "output_price": OUT, **fields})  # type: ignore[arg-type]


def test_more_tokens_cost_more_at_the_price_of_the_model() -> None:
    found = of_change(TRAFFIC, side(), side(tokens=500))
    assert found.before == 10
    assert found.increase == 1000 * 100 * IN
    assert "+100 tokens a call" in found.basis


def test_fewer_tokens_cost_less_but_never_less_than_nothing() -> None:
    assert of_change(TRAFFIC, side(), side(tokens=300)).increase == -1000 * 100 * IN
    assert of_change(TRAFFIC, side(tokens=999_999), side(tokens=0)).after == 0


def test_another_model_costs_its_own_prices_on_the_traffic_there_is() -> None:
    found = of_change(TRAFFIC, side(), side("large", 400, input_price=IN * 10, output_price=OUT * 10))
    assert found.per_call_after == 500 * IN * 10 + 100 * OUT * 10
    assert "list prices of large" in found.basis


def test_what_tests_measured_goes_before_what_is_counted() -> None:
    cheap, dear = Measured(20, Decimal("0.20")), Measured(20, Decimal("0.30"))
    found = of_change(TRAFFIC, side(measured=cheap), side(tokens=1, measured=dear))
    assert found.increase == 5
    assert "20 test calls" in found.basis


@pytest.mark.parametrize("few", [Measured(4, Decimal(1)), Measured(9, Decimal(0))])
def test_a_handful_of_test_calls_and_free_ones_prove_nothing(few: Measured) -> None:
    assert "Counted" in of_change(TRAFFIC, side(measured=few), side(measured=few)).basis


def test_a_model_without_a_price_is_unknown_not_free() -> None:
    found = of_change(TRAFFIC, side(), side("mystery", input_price=None))
    assert "No price is known for mystery" in found.problem
    assert found.per_call_after is None


def test_traffic_that_is_all_unpriced_is_unknown() -> None:
    assert of_change(Traffic(calls=10), side(), side()).problem


def test_without_traffic_nothing_changes_yet() -> None:
    found: ChangeForecast = of_change(Traffic(), None, side("mystery", input_price=None))
    assert (found.increase, found.problem) == (0, "")


def test_a_young_prompts_traffic_is_stretched_to_a_month() -> None:
    young = Traffic(calls=100, priced_calls=100, cost=Decimal(1), input_tokens=1, output_tokens=1, days=3)
    found = of_change(young, side(), side())
    assert found.before == 10
    assert "known for 3 days" in found.basis


@pytest.mark.parametrize(
    ("before", "after", "amount", "percent", "over"),
    [
        (10, 10, 0, 0, False),
        (10, 9, 0, 0, False),
        (10, 15, 5, None, False),
        (10, 16, 5, None, True),
        (10, 11, 5, 10, False),
        (10, 12, 5, 10, True),
        (0, 1, None, 50, True),
        (0, 1, 5, None, False),
        (10, 99, None, None, False),
    ],
)
def test_limits_are_passed_and_not_touched(
    before: int, after: int, amount: int | None, percent: int | None, over: bool
) -> None:
    limits = [None if limit is None else Decimal(limit) for limit in (amount, percent)]
    assert is_over(Decimal(before), Decimal(after), *limits) is over
