"""What other rooms and programs ask of the books."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from apps.costs import month, spend
from apps.costs.models import Purpose
from apps.costs.spend import AXES
from tests import factories
from tests.costs.conftest import NOON


def test_a_versions_spend_has_its_calls_cost_and_means(workspace, book, django_assert_num_queries):
    book(cost=Decimal("0.01"), latency_ms=100)
    book(cost=Decimal("0.03"), latency_ms=500)
    book(cost=None, latency_ms=None)
    with django_assert_num_queries(1):
        found = spend.by_version(workspace.pk, 11, Purpose.PRODUCTION)
    assert found == {113: spend.VersionSpend(3, Decimal("0.04"), Decimal(300), Decimal("0.02"))}


def test_a_version_that_nothing_could_price_has_no_cost_per_call(workspace, book):
    book(cost=None)
    assert spend.by_version(workspace.pk, 11, Purpose.PRODUCTION)[113].cost_per_call is None


def test_another_workspaces_spend_is_not_seen(book):
    book()
    other = factories.make_workspace("other")
    assert spend.by_version(other.pk, 11, Purpose.PRODUCTION) == {}
    assert spend.by_prompt(other.pk, [11])[11].calls == 0


def test_a_prompts_last_days_end_with_the_workspaces_today(workspace, book, django_assert_num_queries):
    for ago, cost in ((0, "0.01"), (6, "0.02"), (7, "0.04")):
        book(NOON - timedelta(days=ago), cost=Decimal(cost))
    with time_machine.travel(NOON + timedelta(hours=3)), django_assert_num_queries(1):
        found = spend.by_prompt(workspace.pk, [11, 12])
    assert (found[11].calls, found[11].cost) == (2, Decimal("0.03"))
    assert [str(cost) for cost in found[11].daily[:1] + found[11].daily[-1:]] == ["0.020000000000", "0.010000000000"]
    assert found[12] == spend.PromptSpend(0, Decimal(0), [Decimal(0)] * 7)


def test_the_month_is_set_against_the_same_days_of_the_month_before(workspace, book):
    book(NOON - timedelta(days=1), cost=Decimal("3"))
    book(datetime(2026, 10, 14, 12, tzinfo=UTC), cost=Decimal("2"))
    book(datetime(2026, 10, 15, 12, tzinfo=UTC), cost=Decimal("50"))
    found = month.of(workspace, month.span_of("", date(2026, 11, 15)))
    assert (found.proof.cost, found.previous.cost, found.change) == (3, 2, Decimal("0.5"))


def test_a_month_that_is_over_is_set_against_the_whole_month_before(workspace, book):
    book(datetime(2026, 9, 30, 12, tzinfo=UTC), cost=Decimal("4"))
    book(datetime(2026, 10, 31, 12, tzinfo=UTC), cost=Decimal("5"))
    found = month.of(workspace, month.span_of("2026-10", date(2026, 11, 15)))
    assert (found.proof.cost, found.previous.cost, found.forecast) == (5, 4, None)


def test_the_thirty_first_is_set_against_a_shorter_month(workspace):
    span = month.span_of("", date(2026, 3, 30))
    assert span.previous_until == date(2026, 2, 28)


@pytest.mark.parametrize("text", ["2026", "2026-13", "0001-01", "x", "2026-11-01"])
def test_a_month_that_no_calendar_has_is_refused(text):
    with pytest.raises(month.UnknownMonth):
        month.span_of(text, date(2026, 11, 15))


@pytest.mark.parametrize("axis", AXES.values(), ids=list(AXES))
def test_every_way_to_group_adds_up_to_the_same_total(workspace, book, axis):
    book(cost=Decimal("1"))
    book(cost=Decimal("2"), team_id=None, prompt_id=None, version_id=None, api_key_id=None, environment="", model="o3")
    found = month.of(workspace, month.span_of("2026-11", date(2026, 11, 15)), axis)
    assert sum(row.sums.cost for row in found.rows) == found.proof.cost == 3
    assert sum(row.share for row in found.rows) == 1


def test_the_proof_names_what_is_unpriced_estimated_and_nobodys(workspace, book):
    book(cost=Decimal("6"))
    book(cost=Decimal("1"), estimated=True)
    book(cost=Decimal("3"), team_id=None)
    book(cost=None)
    proof = month.of(workspace, month.span_of("2026-11", date(2026, 11, 15))).proof
    assert (proof.unpriced_calls, proof.estimated_share, proof.unattributed_share) == (
        1,
        Decimal("0.1"),
        Decimal("0.3"),
    )


def bearer(workspace, *scopes):
    return {"Authorization": f"Bearer {factories.make_api_key(workspace, *scopes)[1]}"}


def get(client, headers, **query):
    return client.get(reverse("api_spend"), {"from": "2026-11-01", "to": "2026-11-30", **query}, headers=headers)


def test_the_api_answers_exact_decimals_grouped_as_asked(client, workspace, book):
    book(cost=Decimal("0.000000000001"))
    book(cost=Decimal("2"), team_id=None)
    body = get(client, bearer(workspace, "spend:read"), group_by="team,model").json()
    assert (body["cost"], body["calls"], body["currency"]) == ("2.000000000001", 2, "USD")
    assert [row["group"]["team_name"] for row in body["rows"]] == ["No team", "Support"]
    assert body["rows"][1]["cost"] == "0.000000000001"


def test_the_api_needs_the_scope(client, workspace):
    assert get(client, bearer(workspace, "prompts:read")).status_code == 403
    assert get(client, {}).status_code == 401


@pytest.mark.parametrize(
    "query", [{"group_by": "password"}, {"group_by": ","}, {"to": "2026-10-01"}, {"to": "2031-01-01"}, {"from": "soon"}]
)
def test_the_api_says_what_is_wrong_with_a_question(client, workspace, query):
    answer = get(client, bearer(workspace, "spend:read"), **query)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"]


def test_a_key_reads_its_own_workspace_alone(client, book):
    book()
    other = factories.make_workspace("other")
    assert get(client, bearer(other, "spend:read")).json()["calls"] == 0
