"""What finance puts right: dialects, totals, costs that look wrong; and what has been mended is counted."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User, Workspace
from apps.accounts.rights import Scope
from apps.costs.models import Charge, IngestCount, Quarantined
from tests import factories
from tests.costs.ingesting import item, price_of, send

PAGE = "/w/acme/spend/ingest/"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[1]


@pytest.fixture
def desk(fay: User) -> Client:
    client = Client()
    client.force_login(fay)
    return client


def the_reason(secret: str, sent: dict[str, Any]) -> str:
    return send(secret, sent).json()["results"][0]["reason"]


def mend(desk: Client, **values: str) -> int:
    row = Quarantined.objects.open().earliest("pk")
    names = {name: row.payload.get(name) or "" for name in ("provider", "model", "dialect")}
    return desk.post(f"{PAGE}{row.pk}/", {**names, **values}).status_code


def test_a_dialect_that_was_named_wrongly_is_put_right(secret: str, desk: Client) -> None:
    assert the_reason(secret, item(meters=None, dialect="anthropic", usage=USAGE)) == "no-usage"
    assert mend(desk, dialect="openai") == 302
    assert Charge.objects.get().cost == Decimal("0.0075")


@pytest.mark.parametrize("total", ["1500", ""])
@pytest.mark.parametrize(
    "sent",
    [
        {"meters": None, "dialect": "openai", "usage": {**USAGE, "total_tokens": 1400}},
        {"total_tokens": 1400},
        {"meters": None, "dialect": "opentelemetry", "usage": {"input": 1000, "output": 500, "total": 1400}},
    ],
    ids=["openai", "meters", "opentelemetry"],
)
def test_a_providers_total_is_put_right_or_left_out(
    sent: dict[str, Any], total: str, secret: str, desk: Client
) -> None:
    assert the_reason(secret, item(**sent)) == "sum-differs"
    assert mend(desk, provider_total="1400") == 422
    assert mend(desk, provider_total=total) == 302
    assert Charge.objects.get().cost == Decimal("0.0075")


@pytest.mark.parametrize("cost", ["0.75", "0.00001", "0"], ids=["cents for dollars", "a unit too small", "nothing"])
def test_a_trusted_cost_far_from_our_list_waits_for_a_word(cost: str, secret: str) -> None:
    assert the_reason(secret, item(cost=cost, trust_cost=True)) == "cost-surprising"
    assert not Charge.objects.exists()


@pytest.mark.parametrize("cost", ["0.005", "0.0075", "0.07"])
def test_a_trusted_cost_near_our_list_is_booked_as_it_is(cost: str, secret: str) -> None:
    send(secret, item(cost=cost, trust_cost=True))
    assert Charge.objects.get().cost == Decimal(cost)


def test_a_trusted_cost_is_booked_where_our_list_knows_nothing(secret: str) -> None:
    send(secret, item(model="house-model", cost="1000000", trust_cost=True))
    assert Charge.objects.get().cost == 10**6


@pytest.mark.parametrize(("word", "cost"), [("sent", "0.75"), ("listed", "0.0075")])
def test_finance_says_which_cost_is_right_for_all_alike(word: str, cost: str, secret: str, desk: Client) -> None:
    send(secret, *[item(str(number), cost="0.75", trust_cost=True) for number in range(3)])
    assert mend(desk) == 422
    assert mend(desk, cost_is=word, alike="on") == 302
    assert set(Charge.objects.values_list("cost", flat=True)) == {Decimal(cost)}
    assert Charge.objects.count() == 3


def test_a_sender_cannot_say_for_us_that_a_cost_is_meant(secret: str) -> None:
    assert the_reason(secret, item(cost="0.75", trust_cost=True, cost_meant=True)) == "cost-surprising"


def test_what_was_mended_is_counted_beside_what_was_accepted(secret: str, desk: Client, workspace: Workspace) -> None:
    send(secret, item("1"), item("2", model=None), item("3", model=None), item("4", model=None))
    row = Quarantined.objects.get(source_id="2")
    desk.post(f"{PAGE}{row.pk}/", {"provider": "openai", "model": "gpt-4o"})
    send(secret, item("3"))
    count = IngestCount.objects.get(workspace=workspace)
    assert (count.accepted, count.quarantined, count.mended) == (2, 3, 1)
    assert count.accepted + count.mended == Charge.objects.count()
    assert b"Mended" in desk.get(PAGE).content


def test_rare_meters_stay_when_tokens_are_put_in_place(secret: str, desk: Client) -> None:
    send(secret, item(meters={"input": 1, "audio_input": 7}, total_tokens=9))
    values = {"replace_meters": "on", "provider_total": "9", "meter_input": "2", "meter_audio_input": "7"}
    assert mend(desk, **values) == 302
    charge = Charge.objects.get()
    assert (charge.input_tokens, charge.audio_input_tokens) == (2, 7)
