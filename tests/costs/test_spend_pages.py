"""What finance sees: numbers that click down to their charges, and never a prompt's text."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from apps.costs import actions, ledger
from apps.costs.models import Meter
from tests import factories
from tests.costs.conftest import NOON, new_charge

CANARY = "canary-7f3a-never-shown-to-finance"
PAGES = ["spend_month", "spend_charges", "spend_charges_csv"]


@pytest.fixture(autouse=True)
def mid_november():
    with time_machine.travel(NOON + timedelta(hours=6), tick=True):
        yield


@pytest.fixture
def visit(client_of, fay):
    client = client_of(fay)

    def open_page(name, query=None, **kwargs):
        return client.get(reverse(name, kwargs={"workspace": "acme"}), query or {}, **kwargs)

    return open_page


def text_of(response):
    return (response.getvalue() if response.streaming else response.content).decode()


def test_a_month_that_is_over_shows_what_a_day_cost(visit, book):
    book(cost=Decimal("60"), at=NOON - timedelta(days=31))
    page = text_of(visit("spend_month", {"month": "2026-10"}))
    assert "A day, on average" in page
    assert "$1.94" in page


@pytest.fixture
def price(workspace, fay):
    def add(model):
        facts = {"provider": "openai", "meter": Meter.INPUT, "source": "contract", "unit_price": Decimal("0.000001")}
        return actions.add_price(workspace=workspace, model=model, acting_user=fay, **facts)

    return add


def test_a_model_without_an_output_price_says_so(visit, price):
    price("gpt-x")
    page = text_of(visit("price_history", {"provider": "openai", "model": "gpt-x"}))
    assert "Output tokens have no price in force" in page


def test_the_month_shows_its_total_to_the_last_digit(visit, book):
    book(cost=Decimal("12.000000000001"))
    page = text_of(visit("spend_month"))
    assert "November 2026" in page
    assert "$12.000000000001" in page


def test_every_number_of_the_table_links_to_its_charges(visit, book):
    book()
    link = re.search(r'href="([^"]+charges/\?[^"]+team_id=7[^"]*)"', text_of(visit("spend_month", {"by": "team"})))
    charges = text_of(
        visit("spend_charges", dict(part.split("=") for part in link[1].partition("?")[2].split("&amp;")))
    )
    assert "in 1 call<" in charges
    assert "Team: Support" in charges


@pytest.mark.parametrize("by", ["model", "prompt", "team", "purpose", "environment", "version", "key", "nonsense"])
def test_the_month_groups_by_anything_within_its_query_budget(visit, book, by, django_assert_max_num_queries):
    for number in range(30):
        book(team_id=number, team_name=f"Team {number}", prompt_id=number, version_id=number, model=f"m{number}")
    with django_assert_max_num_queries(13):
        assert visit("spend_month", {"by": by}).status_code == 200


def test_the_breakdown_is_a_fragment_of_its_page(visit, book):
    book()
    page = text_of(visit("spend_month", headers={"HX-Request": "true"}))
    assert "By model" in page
    assert "<html" not in page


def test_unpriced_calls_are_named_and_never_shown_as_zero(visit, book):
    book(cost=None)
    page = text_of(visit("spend_month"))
    assert "1 unpriced call, not in the total" in page
    assert "$0.00" not in page


def test_a_workspace_without_charges_is_told_what_to_do(visit):
    assert "Nothing has been spent yet" in text_of(visit("spend_month"))


def test_a_month_without_charges_says_so(visit, book):
    book()
    assert "No charges in this month" in text_of(visit("spend_month", {"month": "2024-02"}))


def test_a_month_that_is_none_is_refused_in_words(visit):
    answer = visit("spend_month", {"month": "soon"})
    assert answer.status_code == 422
    assert "2026-11" in text_of(answer)


def test_a_hostile_name_is_text_everywhere(visit, book):
    book(team_name="<script>alert(1)</script>", model="</script><img src=x>")
    for name, query in (("spend_month", {"by": "team"}), ("spend_month", {}), ("spend_charges", {})):
        page = text_of(visit(name, query))
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_the_total_of_a_filter_is_the_sum_of_its_charges(visit, book):
    book(cost=Decimal("1"))
    book(cost=Decimal("2"), purpose="judge")
    book(cost=Decimal("4"), purpose="judge", environment="")
    page = text_of(visit("spend_charges", {"purpose": "judge"}))
    assert "$6.00" in page
    assert "in 2 calls" in page


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"team_id": 0}, 1),
        ({"team_id": 7}, 2),
        ({"environment": "-"}, 1),
        ({"model": "o3"}, 1),
        ({"prompt_id": 11, "version_id": 113}, 3),
        ({"api_key_id": 9}, 0),
        ({"first": "2026-11-14", "last": "2026-11-14"}, 0),
    ],
)
def test_the_list_and_its_total_agree_on_every_filter(visit, book, query, count):
    book(team_id=None)
    book(environment="")
    book(model="o3")
    page = text_of(visit("spend_charges", query))
    assert f"in {count} call" in page
    assert page.count("<time datetime=") == count


def test_a_day_is_the_workspaces_day_for_charges_too(visit, book):
    summer = datetime(2026, 7, 31, 23, 30, tzinfo=UTC)  # already August in Lisbon
    book(summer)
    august = {"first": "2026-08-01", "last": "2026-08-01"}
    assert "in 1 call<" in text_of(visit("spend_charges", august))
    assert "1 Aug 00:30:00" in text_of(visit("spend_charges", august))
    assert "in 0 calls" in text_of(visit("spend_charges", {"first": "2026-07-01", "last": "2026-07-31"}))


def test_older_charges_are_one_link_away_and_none_is_lost(visit, make_charge, django_assert_max_num_queries):
    charges = [make_charge(NOON - timedelta(minutes=n)) for n in range(120)]
    ledger.record(charges)
    seen, query = [], {}
    while True:
        with django_assert_max_num_queries(13):
            page = text_of(visit("spend_charges", query))
        seen += re.findall(r'title="([0-9a-f-]{36})"', page)
        older = re.search(r"before=([0-9a-f-]{36})", page)
        if not older:
            break
        query = {"before": older[1]}
    assert seen == [str(charge.id) for charge in charges]


@pytest.mark.parametrize("query", [{"first": "x"}, {"first": "2026-11-20", "last": "2026-11-01"}, {"purpose": "fun"}])
def test_a_filter_that_makes_no_sense_is_shown_with_its_fault(visit, query):
    assert visit("spend_charges", query).status_code == 422
    assert visit("spend_charges_csv", query).status_code == 422


@pytest.mark.parametrize("query", [{"team_id": "9" * 40}, {"prompt_id": "-1"}, {"first": "0001-01-01"}])
def test_numbers_beyond_the_books_are_no_crash(visit, query):
    assert visit("spend_charges", query).status_code == 422


def test_a_page_mark_that_is_no_id_is_not_found(visit):
    assert visit("spend_charges", {"before": "x"}).status_code == 404


def rows_of(response):
    return list(csv.DictReader(io.StringIO(text_of(response))))


def test_the_export_holds_every_charge_with_every_digit(visit, book):
    charge = book(cost=Decimal("0.000000000001"), price_ids=(4, 5))
    book(NOON + timedelta(seconds=1), cost=None)
    unpriced, priced = rows_of(visit("spend_charges_csv"))
    assert (priced["id"], priced["cost"], priced["price_ids"]) == (str(charge.id), "0.000000000001", "4 5")
    assert (unpriced["cost"], unpriced["unpriced"]) == ("", "true")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", " =1"])
def test_no_cell_of_the_export_is_a_formula(visit, book, name):
    book(team_name=name, customer=name)
    (row,) = rows_of(visit("spend_charges_csv"))
    assert row["team_name"] == f"'{name}"


def test_the_export_streams(visit, book):
    book()
    assert visit("spend_charges_csv").streaming


@pytest.mark.parametrize("name", PAGES)
def test_strangers_find_nothing_and_editors_may_not_look(client_of, workspace, stranger, paula, ana, client, name):
    address = reverse(name, kwargs={"workspace": "acme"})
    assert client_of(stranger).get(address).status_code == 404
    assert client_of(paula).get(address).status_code == 403
    assert client_of(ana).get(address).status_code == 403
    assert client.get(address).status_code == 302


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_only_read(client_of, fay, name):
    assert client_of(fay).post(reverse(name, kwargs={"workspace": "acme"})).status_code == 405


@pytest.mark.parametrize("name", PAGES)
def test_an_admin_sees_spend(client_of, olga, name):
    assert client_of(olga).get(reverse(name, kwargs={"workspace": "acme"})).status_code == 200


@pytest.mark.parametrize("name", [*PAGES, "price_list", "price_new"])
def test_finance_never_receives_prompt_text(visit, workspace, book, name):
    prompt = factories.make_prompt(workspace, "support/secret", description=CANARY)
    messages = [{"role": "user", "content": CANARY}]
    version = factories.make_version(prompt, messages=messages, message=CANARY)
    book(prompt_id=prompt.pk, prompt_name=prompt.name, version_id=version.pk, version_number=1)
    page = text_of(visit(name))
    assert CANARY not in page


def test_another_workspaces_charges_never_show(visit, book):
    book()
    other = factories.make_workspace("other")
    ledger.record([new_charge(other.pk, cost=Decimal("777"), model="foreign")])
    for name in PAGES:
        assert "foreign" not in text_of(visit(name))
