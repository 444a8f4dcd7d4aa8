"""The price list: it grows forward, and what was charged keeps its price."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.costs import actions, pricing, seed
from apps.costs.models import Meter, Price
from tests import db_guards, factories
from tests.costs.conftest import NOON


@pytest.fixture
def add(workspace, fay):
    def add_price(unit_price="0.000001", begins=NOON, **values):
        facts = {"provider": "openai", "model": "gpt-x", "meter": Meter.INPUT, "source": "contract", "acting_user": fay}
        return actions.add_price(
            workspace=workspace, unit_price=Decimal(unit_price), valid_from=begins, **{**facts, **values}
        )

    return add_price


def quote(workspace, at, **meters):
    meters = {Meter(name): count for name, count in meters.items()}
    return pricing.quote(workspace_id=workspace.pk, provider="openai", model="gpt-x", at=at, meters=meters)


def test_a_new_price_closes_the_one_before_and_is_audited(add, fay):
    first, second = add(), add("0.000002", NOON + timedelta(days=1))
    first.refresh_from_db()
    assert (first.valid_to, second.valid_to) == (second.valid_from, None)
    event = AuditEvent.objects.latest("number")
    assert (event.verb, event.actor, event.before["unit_price"], event.after["unit_price"]) == (
        "added a price",
        fay,
        "0.000001000000",
        "0.000002000000",
    )


def test_a_call_is_priced_by_its_own_moment(workspace, add):
    change = NOON + timedelta(days=1)
    first, second = add("0.000001", NOON), add("0.000003", change)
    before = quote(workspace, change - timedelta(microseconds=1), input=10)
    assert (before.cost, before.price_ids) == (Decimal("0.00001"), (first.pk,))
    assert quote(workspace, change, input=10).price_ids == (second.pk,)
    assert quote(workspace, NOON - timedelta(microseconds=1), input=10).unpriced


def test_a_new_price_is_seen_at_once_where_it_is_added(workspace, add):
    add("0.000001", NOON)
    assert quote(workspace, NOON + timedelta(days=2), input=1).cost == Decimal("0.000001")
    add("0.000009", NOON + timedelta(days=1))
    assert quote(workspace, NOON + timedelta(days=2), input=1).cost == Decimal("0.000009")


def test_quotes_of_a_known_model_ask_the_database_once(workspace, add, django_assert_num_queries):
    add()
    with django_assert_num_queries(1):
        for _ in range(5):
            quote(workspace, NOON, input=1)


def test_the_first_price_of_a_model_is_seen_at_once_everywhere(workspace, fay):
    assert quote(workspace, NOON, input=1).unpriced
    Price.objects.create(
        workspace=workspace,
        provider="openai",
        model="gpt-x",
        meter="input",
        unit_price=1,
        valid_from=NOON,
        source="elsewhere",
    )
    assert quote(workspace, NOON, input=1).cost == 1


def test_another_workspaces_prices_do_not_count(add):
    add()
    assert quote(factories.make_workspace("other"), NOON, input=1).unpriced


@pytest.mark.parametrize("begins", [NOON, NOON - timedelta(days=1)])
def test_the_list_only_grows_forward(add, begins):
    add()
    with pytest.raises(actions.PriceListMoved):
        add("0.000002", begins)
    assert Price.objects.count() == 1


@pytest.mark.parametrize("unit_price", ["-1", "0.0000000000001", "1000.1", "NaN", "Infinity"])
def test_a_price_that_cannot_be_kept_exactly_is_refused(add, unit_price):
    with pytest.raises(actions.PriceRefused):
        add(unit_price)


@pytest.mark.parametrize("field", ["provider", "model", "source"])
def test_a_price_says_of_what_and_from_where(add, field):
    with pytest.raises(actions.PriceRefused):
        add(**{field: "  "})


@pytest.mark.parametrize(
    "change", [{"unit_price": 5}, {"source": "x"}, {"valid_from": NOON - timedelta(days=9)}, {"model": "gpt-y"}]
)
def test_a_price_row_never_changes(add, change):
    add()
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        Price.objects.update(**change)


def test_a_price_is_closed_once(add):
    add()
    Price.objects.update(valid_to=NOON + timedelta(days=1))
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        Price.objects.update(valid_to=None)


def test_a_price_row_is_never_removed(add):
    add()
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        Price.objects.all().delete()


def test_two_open_prices_for_the_same_meter_are_impossible(add):
    add()
    twin = Price.objects.get()
    twin.pk, twin.valid_from = None, NOON + timedelta(days=1)
    with pytest.raises(DatabaseError, match="price_open_once"), transaction.atomic():
        twin.save()


def test_seeding_gives_public_and_practice_prices_with_their_source(workspace):
    call_command("seed_prices", workspace="acme", stdout=StringIO())
    found = {(p.model, p.meter): (p.unit_price, p.source) for p in Price.objects.in_force(timezone.now())}
    assert found["practice-small", "input"] == (Decimal("0.00000015"), "Practice provider")
    assert found["practice-large", "output"][0] == Decimal("0.00001")
    assert found["practice-claude", "input"][0] == Decimal("0.000003")
    assert found["practice-embed", "input"][0] == Decimal("0.00000002")
    assert found["gpt-4o", "cache_read"][0] == Decimal("0.00000125")
    assert found["gpt-4o", "input"][1].startswith("genai-prices ")


def test_seeding_twice_adds_nothing_and_keeps_own_prices(workspace, add):
    own = add("0.5", model="gpt-4o")
    seed.seed_prices(workspace=workspace)
    assert seed.seed_prices(workspace=workspace) == 0
    assert Price.objects.get(model="gpt-4o", meter="input") == own


def test_seeding_an_unknown_workspace_is_refused(db):
    with pytest.raises(CommandError, match="no workspace nowhere"):
        call_command("seed_prices", workspace="nowhere")


def address(name, slug="acme"):
    return reverse(name, kwargs={"workspace": slug})


def test_the_list_shows_prices_per_million_in_force(client_of, fay, add, django_assert_max_num_queries):
    add("0.000002", datetime(2020, 1, 1, tzinfo=UTC))
    add("0.000003", timezone.now() + timedelta(days=2))
    client = client_of(fay)
    with django_assert_max_num_queries(10):
        text = client.get(address("price_list")).content.decode()
    assert "$2.00" in text
    assert "$3.00" not in text


def test_searching_answers_the_table_alone(client_of, fay, add):
    add()
    page = client_of(fay).get(address("price_list"), {"q": "gpt"}, headers={"HX-Request": "true"}).content.decode()
    assert "gpt-x" in page
    assert "<html" not in page


def test_an_empty_price_list_says_what_to_do(client_of, fay):
    assert "The price list is empty" in client_of(fay).get(address("price_list")).content.decode()


def test_the_history_shows_every_price_with_its_state(client_of, fay, add):
    add("0.000002", datetime(2020, 1, 1, tzinfo=UTC))
    add("0.000003", timezone.now() + timedelta(days=2))
    page = client_of(fay).get(address("price_history"), {"provider": "openai", "model": "gpt-x"}).content.decode()
    assert "In force" in page
    assert "Scheduled" in page
    assert client_of(fay).get(address("price_history"), {"provider": "openai", "model": "nix"}).status_code == 404


FORM = {"provider": "openai", "model": "gpt-x", "meter": "output", "per_million": "12.5", "source": "contract 7"}


def test_finance_adds_a_price_per_million_in_the_workspaces_time(client_of, fay, workspace):
    answer = client_of(fay).post(address("price_new"), {**FORM, "valid_from": "2026-07-01T00:00"}, follow=True)
    assert answer.status_code == 200
    price = Price.objects.get()
    assert (price.unit_price, price.approved_by) == (Decimal("0.0000125"), fay)
    assert price.valid_from == datetime(2026, 6, 30, 23, tzinfo=UTC)  # Lisbon's summer midnight


@pytest.mark.parametrize("wrong", [{"per_million": "-1"}, {"per_million": "1e99"}, {"meter": "gold"}, {"source": ""}])
def test_a_form_that_is_wrong_is_shown_again(client_of, fay, wrong):
    assert client_of(fay).post(address("price_new"), {**FORM, **wrong}).status_code == 422
    assert Price.objects.count() == 0


def test_a_refusal_of_the_book_is_shown_in_the_form(client_of, fay):
    client = client_of(fay)
    client.post(address("price_new"), {**FORM, "valid_from": "2026-07-01T00:00"})
    answer = client.post(address("price_new"), {**FORM, "valid_from": "2026-06-01T00:00"})
    assert answer.status_code == 422
    assert "must begin later" in answer.content.decode()


@pytest.mark.parametrize("name", ["price_list", "price_history", "price_new"])
def test_prices_are_for_those_who_may_see_spend(client_of, stranger, paula, name):
    assert client_of(stranger).get(address(name)).status_code == 404
    assert client_of(paula).get(address(name)).status_code == 403


def test_the_database_refuses_to_empty_the_price_list(add):
    add()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        refused = pytest.raises(DatabaseError, match="cannot be truncated")
        with db_guards.switched_on("costs_price"), refused, transaction.atomic():
            cursor.execute("TRUNCATE costs_price")
    assert Price.objects.exists()
