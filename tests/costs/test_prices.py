"""The price list: it grows forward, and what was charged keeps its price."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.costs import actions, connection_names, pricing, seed
from apps.costs.models import Meter, Price, Repricing
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


def test_a_price_never_begins_with_one_that_is_there(add):
    add()
    with pytest.raises(actions.PriceListMoved, match="must begin later"):
        add("0.000002", NOON)
    assert Price.objects.count() == 1


def test_a_price_before_the_first_holds_until_that_begins(workspace, add):
    first = add("0.000002")
    earlier = add("0.000001", NOON - timedelta(days=30))
    first.refresh_from_db()
    assert (earlier.valid_to, first.valid_to) == (NOON, None)
    assert quote(workspace, NOON - timedelta(days=1), input=1).price_ids == (earlier.pk,)


def test_what_a_closed_price_says_stays(add):
    add("0.000001", NOON)
    add("0.000002", NOON + timedelta(days=10))
    with pytest.raises(actions.PriceListMoved, match="stays as it is"):
        add("0.000003", NOON + timedelta(days=5))


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
    found = {
        (p.model, p.meter): (p.unit_price, p.source)
        for p in Price.objects.in_force(timezone.now()).filter(tier="standard", region="")
    }
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
    assert Price.objects.get(provider="openai", model="gpt-4o", meter="input", tier="standard") == own


def test_seeding_an_unknown_workspace_is_refused(db):
    with pytest.raises(CommandError, match="no workspace nowhere"):
        call_command("seed_prices", workspace="nowhere")


def address(name, slug="acme"):
    return reverse(name, kwargs={"workspace": slug})


def test_the_list_shows_prices_per_million_in_force(client_of, fay, add, django_assert_max_num_queries):
    add("0.000002", datetime(2020, 1, 1, tzinfo=UTC))
    add("0.000003", timezone.now() + timedelta(days=2))
    client = client_of(fay)
    with django_assert_max_num_queries(13):
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


FORM = {"provider": "openai", "model": "gpt-x", "output": "12.5", "source": "contract 7"}


def test_finance_adds_prices_per_million_in_the_workspaces_time(client_of, fay):
    with time_machine.travel(datetime(2026, 6, 20, tzinfo=UTC), tick=False):
        prices = {"input": "2.5", "web_search": "10", "valid_from": "2026-07-01T00:00"}
        answer = client_of(fay).post(address("price_new"), {**FORM, **prices}, follow=True)
    assert answer.status_code == 200
    found = {price.meter: price.unit_price for price in Price.objects.all()}
    assert found == {"output": Decimal("0.0000125"), "input": Decimal("0.0000025"), "web_search": Decimal("0.01")}
    price = Price.objects.first()
    assert (price.approved_by, price.valid_from) == (fay, datetime(2026, 6, 30, 23, tzinfo=UTC))  # Lisbon's midnight


def test_a_negotiated_price_goes_before_the_list_price_of_its_connection_alone(client_of, fay, workspace, add, book):
    listed = add("0.000004", NOON)
    book(connection_id=7)
    sent = {"input": "3", "connection_id": "7", "source": "contract", "provider": "openai", "model": "gpt-x"}
    assert client_of(fay).post(address("price_new"), sent).status_code == 302
    own = Price.objects.get(connection_id=7)
    facts = {"workspace_id": workspace.pk, "provider": "openai", "model": "gpt-x", "meters": {Meter.INPUT: 1}}
    later = timezone.now() + timedelta(minutes=1)
    assert pricing.quote(at=later, connection_id=7, **facts).price_ids == (own.pk,)
    assert pricing.quote(at=later, connection_id=8, **facts).price_ids == (listed.pk,)


def test_connections_carry_the_names_that_somebody_above_knows(client_of, fay, workspace, add):
    add("0.000004", connection_id=7)

    def knows(workspace_id, **_):
        return {7: "Frankfurt"} if workspace_id == workspace.pk else {}

    connection_names.connections_asked.connect(knows)
    try:
        client = client_of(fay)
        assert "Frankfurt" in client.get(address("price_list")).content.decode()
        assert "Frankfurt" in client.get(address("price_new")).content.decode()
    finally:
        connection_names.connections_asked.disconnect(knows)


@pytest.mark.parametrize(
    "wrong",
    [{"output": "-1"}, {"output": "1e99"}, {"output": ""}, {"source": ""}, {"tier": "gold"}, {"connection_id": "999"}],
)
def test_a_form_that_is_wrong_is_shown_again(client_of, fay, wrong):
    assert client_of(fay).post(address("price_new"), {**FORM, **wrong}).status_code == 422
    assert Price.objects.count() == 0


def test_a_price_for_the_past_is_taken_with_re_pricing_alone(client_of, fay, workspace):
    client, past = client_of(fay), {**FORM, "valid_from": "2026-01-01T00:00"}
    refused = client.post(address("price_new"), past)
    assert (refused.status_code, Price.objects.count()) == (422, 0)
    assert "unless they are priced anew" in refused.content.decode()
    client.post(address("price_new"), {**past, "reprices": "on"})
    found = Repricing.objects.get()
    assert (found.first, found.model, found.asked_by, Price.objects.count()) == (date(2026, 1, 1), "gpt-x", fay, 1)


@pytest.mark.parametrize(("amount", "is_surprising"), [("3.1", True), ("0.3", True), ("0", True), ("2.9", False)])
def test_a_large_change_has_to_be_meant(client_of, fay, add, amount, is_surprising):
    add("0.000001")
    sent = {"provider": "openai", "model": "gpt-x", "source": "page", "input": amount}
    client = client_of(fay)
    assert client.post(address("price_new"), sent).status_code == (422 if is_surprising else 302)
    if is_surprising:
        assert client.post(address("price_new"), {**sent, "is_meant": "on"}).status_code == 302
    assert Price.objects.open_ended().get().unit_price == Decimal(amount) / 1_000_000


def test_a_form_that_is_sent_twice_adds_prices_once(client_of, fay):
    client = client_of(fay)
    client.post(address("price_new"), FORM)
    again = client.post(address("price_new"), FORM)
    assert (again.status_code, Price.objects.count()) == (422, 1)
    assert "Nothing would change" in again.content.decode()


def test_the_list_shows_every_terms_below_the_model(client_of, fay, add):
    add("0.000002")
    add("0.000001", tier="batch")
    add("0.000004", above_input_tokens=200_000)
    add("0.01", meter=Meter.WEB_SEARCH)
    page = client_of(fay).get(address("price_list")).content.decode()
    assert "Batch" in page
    assert "requests above 200,000 input tokens" in page
    assert "$10.00" in page


def test_models_in_use_come_alone_until_all_are_asked_for(client_of, fay, add, book):
    add(model="gpt-4o")
    add(model="gpt-idle")
    book()
    client = client_of(fay)
    assert "gpt-idle" not in client.get(address("price_list")).content.decode()
    assert "gpt-idle" in client.get(address("price_list"), {"show": "all"}).content.decode()


def test_the_history_tells_what_a_price_was_before_and_who_let_it_in(client_of, fay, add):
    add("0.000002", NOON - timedelta(days=9))
    add("0.000003", NOON - timedelta(days=4), source="page of the 11th")
    page = client_of(fay).get(address("price_history"), {"provider": "openai", "model": "gpt-x"}).content.decode()
    assert "page of the 11th, approved by Fay" in page
    assert page.count("$2.00") >= 2


@pytest.mark.parametrize(
    "name",
    ["price_list", "price_history", "price_new", "proposal_list", "proposal_upload", "repricing_list", "repricing_new"],
)
def test_prices_are_for_those_who_may_see_spend(client_of, stranger, paula, name):
    assert client_of(stranger).get(address(name)).status_code == 404
    assert client_of(paula).get(address(name)).status_code == 403


def test_the_database_refuses_to_empty_the_price_list(add):
    add()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        refused = pytest.raises(DatabaseError, match="cannot be truncated")
        with db_guards.switched_on("costs_price"), refused, transaction.atomic():
            cursor.execute("TRUNCATE costs_price CASCADE")
    assert Price.objects.exists()


def test_changing_prices_shows_what_holds_now(client_of, fay, add):
    add("0.0000025")
    page = client_of(fay).get(address("price_new"), {"provider": "openai", "model": "gpt-x"}).content.decode()
    assert "Now 2.5" in page


@pytest.mark.parametrize("amount", ["0.01", "0.0000000001"])
def test_a_first_price_that_nobody_asks_is_taken_when_it_is_meant(workspace, fay, amount):
    terms = actions.PriceTerms(provider="acme", model="new")
    given = {"workspace": workspace, "terms": terms, "unit_prices": {Meter.INPUT: Decimal(amount)}, "acting_user": fay}
    facts = {"source": "contract", "valid_from": None}
    with pytest.raises(actions.PriceSurprising, match="anything that is sold"):
        actions.add_prices(**given, **facts)
    assert actions.add_prices(**given, **facts, is_meant=True)[0]
