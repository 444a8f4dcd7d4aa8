"""A month's cost is the sum of what the books would charge, and what has no price is never zero."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.core.ids import uuid7
from apps.costs import ledger, partitions, pricing
from apps.costs.models import Meter, Price, Purpose, Tier
from apps.llm import estimator, rates, traffic
from apps.llm.estimator import Traffic
from apps.llm.models import Model
from apps.llm.rates import Rate, Rates

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Decimal("30.44")


def rate(meter: Meter, per_million: str, **terms: Any) -> Rate:
    return Rate(meter, Decimal(per_million) / 1_000_000, SINCE, "a list", **terms)


PLAIN = Rates("p", "m", (rate(Meter.INPUT, "2"), rate(Meter.OUTPUT, "8")))
RICH = Rates(
    "p", "m",
    (*PLAIN.rows, rate(Meter.CACHE_READ, "0.5"), rate(Meter.INPUT, "1", tier=Tier.BATCH),
     rate(Meter.OUTPUT, "4", tier=Tier.BATCH), rate(Meter.CACHE_READ, "0.25", tier=Tier.BATCH)),
)  # fmt: skip


def month(rates: Rates, **given: Any) -> estimator.Estimate:
    asked = {"requests_per_day": Decimal(1000), "input_tokens": 1000, "output_tokens": 100, **given}
    return estimator.estimate("m", Traffic(**asked), rates)


def test_a_month_is_thirty_days_and_a_half() -> None:
    found = month(PLAIN)
    assert found.cost == DAY * 1000 * (1000 * 2 + 100 * 8) / 1_000_000
    assert found.per_thousand == Decimal("2.8")
    assert found.notes == []


@pytest.mark.parametrize(
    ("given", "per_thousand"),
    [
        ({"cached_share": Decimal("0.5")}, "2.05"),  # 500 at 2, 500 at 0.5, 100 at 8
        ({"batch_share": Decimal(1)}, "1.4"),
        ({"batch_share": Decimal("0.5")}, "2.1"),
        ({"cached_share": Decimal(1), "batch_share": Decimal(1)}, "0.65"),  # 1000 at 0.25 and 100 at 4
        ({"reused_share": Decimal("0.25")}, "2.1"),
        ({"reused_share": Decimal(1)}, "0"),
    ],
)
def test_discounts_are_those_of_the_price_list(given: dict[str, Any], per_thousand: str) -> None:
    found = month(RICH, **given)
    assert found.per_thousand == Decimal(per_thousand)
    assert found.notes == []


def test_what_kept_answers_save_is_what_they_would_have_cost() -> None:
    found = month(PLAIN, reused_share=Decimal("0.25"))
    assert found.saved_by_reuse == month(PLAIN).cost / 4


def test_a_discount_that_nobody_knows_is_not_given_and_that_is_said() -> None:
    found = month(PLAIN, batch_share=Decimal(1), cached_share=Decimal("0.5"))
    assert found.cost == month(PLAIN).cost
    assert found.notes == [
        "No price for cached input is known, so it counts as other input.",
        "No batch price is known for input tokens, cached input tokens, output tokens: counted in full.",
    ]


def test_a_missing_price_is_no_price() -> None:
    found = month(Rates("p", "m", (rate(Meter.INPUT, "2"),)))
    assert (found.cost, found.per_thousand, found.missing) == (None, None, ["output tokens"])
    assert month(Rates("p", "m", ())).missing == ["input tokens", "output tokens"]
    assert month(Rates("p", "m", (rate(Meter.INPUT, "2"),)), output_tokens=0).cost is not None


def test_long_requests_pay_the_step_that_they_pass() -> None:
    stepped = Rates(
        "p", "m", (*PLAIN.rows, rate(Meter.INPUT, "4", above=200_000), rate(Meter.INPUT, "9", above=500_000))
    )
    assert stepped.of(Meter.INPUT, input_tokens=200_000) == PLAIN.input
    long = month(stepped, input_tokens=200_001, output_tokens=0)
    assert long.rates == [rate(Meter.INPUT, "4", above=200_000)]


def test_a_negotiated_price_goes_before_the_list() -> None:
    own = Rates("p", "m", (*PLAIN.rows, rate(Meter.INPUT, "4", above=10), rate(Meter.INPUT, "1", is_negotiated=True)))
    assert month(own).per_thousand == Decimal("1.8")


def test_the_cheapest_is_marked_and_what_has_no_price_comes_last() -> None:
    dear = Rates("p", "d", (rate(Meter.INPUT, "20"), rate(Meter.OUTPUT, "80")))
    asked = Traffic(Decimal(10), 10, 10)
    found = estimator.of_models(asked, [("none", Rates("p", "n", ())), ("dear", dear), ("plain", PLAIN)])
    assert [(one.name, one.is_cheapest) for one in found] == [("plain", True), ("dear", False), ("none", False)]


def test_a_free_model_is_free_and_not_unpriced() -> None:
    free = Rates("p", "f", (rate(Meter.INPUT, "0"), rate(Meter.OUTPUT, "0")))
    assert month(free).cost == 0


@pytest.mark.parametrize("tier", [Tier.STANDARD, Tier.BATCH])
@pytest.mark.parametrize("tokens_in", [1_000, 300_000])
def test_an_estimate_agrees_with_the_books(workspace: Workspace, model: Model, tier: Tier, tokens_in: int) -> None:
    for meter, price, terms in (
        (Meter.CACHE_READ, "0.0000005", {}),
        (Meter.INPUT, "0.000002", {"above_input_tokens": 200_000}),
        (Meter.INPUT, "0.0000007", {"tier": Tier.BATCH}),
        (Meter.OUTPUT, "0.000003", {"connection_id": model.connection_id}),
        (Meter.OUTPUT, "0.0000001", {"connection_id": model.connection_id + 1}),
    ):
        Price.objects.create(
            workspace=workspace, provider=model.connection.provider, model=model.name, meter=meter,
            unit_price=Decimal(price), valid_from=SINCE, source="test", **terms,
        )  # fmt: skip
    now = timezone.now()
    meters = {Meter.INPUT: tokens_in // 2, Meter.CACHE_READ: tokens_in // 2, Meter.OUTPUT: 100}
    booked = pricing.quote(
        workspace_id=workspace.pk, provider=model.connection.provider, model=model.name, at=now, meters=meters,
        tier=tier, connection_id=model.connection_id,
    )  # fmt: skip
    asked = Traffic(
        Decimal(1), tokens_in, 100, cached_share=Decimal("0.5"), batch_share=Decimal(int(tier == Tier.BATCH))
    )
    found = estimator.estimate("m", asked, rates.of_models(workspace, [model], now)[model.pk])
    assert booked.cost is not None
    assert found.cost == booked.cost * DAY


def test_a_prompt_s_real_traffic_is_the_mean_of_its_calls(workspace: Workspace) -> None:
    now = timezone.now()
    partitions.ensure(now - timedelta(days=40), now)

    def charge(days: int, **fields: Any) -> ledger.NewCharge:
        at = now - timedelta(days=days)
        plain: dict[str, Any] = {"purpose": Purpose.PRODUCTION, "prompt_id": 7, "prompt_name": "support/reply"}
        return ledger.NewCharge(
            id=uuid7(at), workspace_id=workspace.pk, provider="p", model="m", cost=Decimal(1), **{**plain, **fields}
        )

    ledger.record([
        charge(3, input_tokens=100, cache_read_tokens=300, output_tokens=50),
        charge(0, input_tokens=200, output_tokens=150),
        charge(0, failed=True),
        charge(0, purpose=Purpose.PLAYGROUND, input_tokens=10_000),
        charge(35, input_tokens=9_000),
    ])  # fmt: skip
    today = now.astimezone(workspace.zone).date()
    found = traffic.of_prompt(workspace, 7, today)
    assert found is not None
    assert (found.prompt, found.days) == ("support/reply", 4)
    assert (found.requests_per_day, found.input_tokens, found.output_tokens) == (Decimal("0.5"), 300, 100)
    assert found.cached_share == Decimal("0.5")
    assert traffic.prompts_of(workspace, today) == [(7, "support/reply")]
    assert traffic.of_prompt(workspace, 8, today) is None


def test_a_quiet_month_has_no_traffic(workspace: Workspace) -> None:
    assert traffic.prompts_of(workspace, date(2026, 1, 1)) == []
