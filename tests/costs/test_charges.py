"""The list of charges: what it can be narrowed to, its exact totals, and corrections with what they correct."""

import csv
import io
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from urllib.parse import urlencode

import pytest
import time_machine
from django.http import QueryDict
from django.urls import reverse

from apps.accounts.rights import Role
from apps.core.ids import uuid7
from apps.costs import chains, filters, ledger, ledger_corrections
from apps.costs.amounts import Priced
from apps.costs.filters import ChargeFilter
from apps.costs.models import Charge, Meter, Price
from tests import factories
from tests.costs.conftest import NOON, new_charge
from tests.costs.repricings import price_by

ASKED = {"first": "2026-11-01", "last": "2026-11-30"}


@pytest.fixture(autouse=True)
def mid_november():
    with time_machine.travel(NOON + timedelta(hours=6), tick=True):
        yield


@pytest.fixture
def get(client_of, fay):
    client = client_of(fay)

    def answer(query="", name="spend_charges", **kwargs):
        address = reverse(name, kwargs={"workspace": "acme", **kwargs})
        return client.get(f"{address}?{query if isinstance(query, str) else urlencode(query)}")

    return answer


def text_of(response):
    assert response.status_code == 200
    return (response.getvalue() if response.streaming else response.content).decode()


def filter_of(**values):
    form = ChargeFilter(QueryDict(urlencode({**ASKED, **values})))
    assert form.is_valid(), form.errors
    return form


DRAWN = {
    "team_id": [None, 1, 2],
    "prompt_id": [None, 11],
    "version_id": [None, 21],
    "api_key_id": [None, 31],
    "user_id": [None, 41],
    "customer": ["", "Baker"],
    "environment": ["", "staging"],
    "model": ["a", "b"],
    "provider": ["openai", "anthropic"],
    "purpose": ["production", "judge"],
    "source": ["gateway", "csv"],
}


@pytest.fixture
def drawn(workspace):
    draw = random.Random(11)
    rows = [
        new_charge(
            workspace.pk,
            datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=5 * n),
            cost=draw.choice([None, Decimal(n + 1).scaleb(-3)]),
            estimated=draw.random() < 0.2,
            failed=draw.random() < 0.2,
            saved=draw.choice([Decimal(0), Decimal("0.5")]),
            **{name: draw.choice(values) for name, values in DRAWN.items()},
        )
        for n in range(100)
    ]
    ledger.record(rows)
    return rows


def holds(charge, name, value):
    if name == "only":
        return {
            "unpriced": charge.cost is None,
            "estimated": charge.estimated,
            "failed": charge.failed,
            "reused": charge.saved > 0,
            "corrections": False,
        }[value]
    return getattr(charge, name) == value


CONDITIONS = [*((name, values[1]) for name, values in DRAWN.items()), *(("only", flag) for flag in filters.FLAGS)]
ALONE_AND_IN_PAIRS = [pairs for size in (1, 2) for pairs in combinations(CONDITIONS, size) if len(dict(pairs)) == size]


@pytest.mark.parametrize(
    "conditions",
    ALONE_AND_IN_PAIRS,
    ids=lambda pairs: "-".join(p[0] for p in pairs),
)
def test_the_total_of_any_conditions_is_what_their_charges_add_up_to(workspace, drawn, conditions):
    wanted = [charge for charge in drawn if all(holds(charge, name, value) for name, value in conditions)]
    form = filter_of(**dict(conditions))
    days = form.within(workspace)
    listed = form.charges(workspace, days)
    total = form.total(workspace, days)
    assert {charge.pk for charge in listed} == {charge.id for charge in wanted}
    assert (total.calls, total.cost) == (len(wanted), sum((c.cost or 0 for c in wanted), Decimal(0)))
    assert total.unpriced_calls == sum(c.cost is None for c in wanted)


@pytest.mark.parametrize(
    ("name", "text"), [("team_id", "0"), ("user_id", "0"), ("customer", "-"), ("environment", "-"), ("prompt_id", "0")]
)
def test_nobody_is_somebody_to_ask_for(workspace, drawn, name, text):
    form = filter_of(**{name: text})
    wanted = [charge for charge in drawn if not getattr(charge, name)]
    total = form.total(workspace, form.within(workspace))
    assert (total.calls, total.cost) == (len(wanted), sum((c.cost or 0 for c in wanted), Decimal(0)))
    assert form.charges(workspace, form.within(workspace)).count() == len(wanted)


def test_the_list_reads_only_the_days_that_hold_such_charges(workspace, drawn):
    ledger.record([new_charge(workspace.pk, datetime(2026, 11, 9, 12, tzinfo=UTC), customer="Rare")])
    days = filter_of(customer="Rare").within(workspace)
    assert (str(days.first), str(days.last)) == ("2026-11-09", "2026-11-09")


def test_what_the_books_never_saw_needs_no_charge_to_be_read(workspace, drawn, django_assert_num_queries):
    form = filter_of(customer="Nobody at all")
    with django_assert_num_queries(1):
        assert form.within(workspace) is None
        assert list(form.charges(workspace, None)) == []
        assert form.total(workspace, None).calls == 0


def test_too_many_charges_for_a_total_are_said_and_still_listed(get, drawn, monkeypatch):
    monkeypatch.setattr(filters, "MOST_ADDED", 3)
    page = text_of(get("customer=Baker&team_id=1&first=2026-11-01"))
    assert "no total is taken while you wait" in page
    assert page.count("<time datetime=") > 0


def test_the_form_as_it_is_sent_with_nothing_chosen_shows_everything(get, drawn):
    query = "first=2026-11-01&last=2026-11-30&purpose=&only=&team_id=&model=&customer=&source="
    assert f"in {len(drawn)} calls" in text_of(get(query))


def test_a_condition_can_be_taken_away_alone(get, drawn):
    page = text_of(get("team_id=1&model=a&only=failed"))
    links = [link.replace("&amp;", "&") for link in re.findall(r'<a href="\?([^"]*)" aria-label="Without', page)]
    assert ["team_id" in link for link in links] == [True, False, True]
    assert ["only=failed" in link for link in links] == [True, True, False]


def test_the_menus_offer_what_the_days_saw(get, drawn, make_charge):
    ledger.record([make_charge(datetime(2026, 10, 3, tzinfo=UTC), model="october-only")])
    page = text_of(get("first=2026-11-01&last=2026-11-30"))
    assert '<option value="a">a</option>' in page
    assert "october-only" not in page
    assert '<option value="0">No team</option>' in page


def test_what_is_chosen_stays_chosen_where_the_days_saw_nothing_of_it(get, drawn):
    assert '<option value="99" selected>number 99</option>' in text_of(get("team_id=99"))


@pytest.fixture
def corrected(workspace, book):
    """A charge of 2 that was re-priced to 5, and then given to another team."""
    charge = book(cost=Decimal("2"), input_tokens=100, output_tokens=0)
    ledger_corrections.reprice(
        workspace_id=workspace.pk,
        charge_ids=[charge.id],
        price_of=lambda row: Priced(Decimal("5"), (9,)),
        reason="negotiated since November",
    )
    ledger_corrections.correct(
        workspace_id=workspace.pk,
        charge_id=charge.id,
        changes={"team_id": 8, "team_name": "Search"},
        priced=Priced(Decimal("5"), (9,)),
        reason="wrong team",
    )
    return charge


def test_corrections_are_rows_of_the_list_and_the_total_is_what_counts_now(get, corrected):
    page = text_of(get())
    assert page.count("<time datetime=") == 4
    assert "in 1 call<" in page
    assert "$5.00" in page
    assert "corrected 3 times: stands at $5.00" in page
    assert page.count("that stands at $5.00") == 3


def test_the_corrections_can_be_listed_alone(get, corrected):
    page = text_of(get("only=corrections"))
    assert page.count("<time datetime=") == 3
    assert "negotiated" not in page


def test_a_charge_shows_its_chain_from_the_first_row_to_the_net(get, corrected):
    page = text_of(get(name="spend_charge", pk=corrected.id))
    assert [
        page.index(word) for word in ("as it was booked", "negotiated since November", "wrong team", "Together")
    ] == sorted(
        page.index(word) for word in ("as it was booked", "negotiated since November", "wrong team", "Together")
    )
    assert "+" not in re.sub(r"<[^>]+>", "", page.partition("What it stands at")[2].partition("</section>")[0])


def test_a_correction_names_what_it_corrects_and_why(get, corrected):
    row = Charge.objects.filter(corrects=corrected.id).order_by("source_id").first()
    page = text_of(get(name="spend_charge", pk=row.pk))
    assert str(corrected.id) in page
    assert chains.reason_of(row) in page


def test_a_chain_is_whole_wherever_its_rows_stand(workspace, corrected, django_assert_num_queries):
    rows = list(Charge.objects.filter(corrects=corrected.id))
    with django_assert_num_queries(3):
        found = chains.of_rows(workspace.pk, rows)
    assert {chain.cost for chain in found.values()} == {Decimal(5)}
    assert {len(chain.corrections) for chain in found.values()} == {3}


def test_a_team_that_was_charged_wrongly_is_left_with_nothing(get, corrected):
    assert "$0.00" in text_of(get("team_id=7"))
    assert "$5.00" in text_of(get("team_id=8"))


def test_a_charge_shows_each_meter_with_the_price_that_was_taken(get, workspace, book):
    price = Price.objects.create(
        workspace=workspace,
        provider="openai",
        model="gpt-4o",
        meter=Meter.INPUT,
        unit_price=Decimal("0.0000025"),
        valid_from=NOON - timedelta(days=9),
        source="list",
    )
    charge = book(cost=Decimal("0.0025"), input_tokens=1000, output_tokens=0, price_ids=(price.pk,))
    page = text_of(get(name="spend_charge", pk=charge.id))
    assert "$0.0000025" in page
    assert "$0.0025" in page
    assert "Input tokens" in page


def test_a_charge_without_an_amount_names_the_meter_that_has_no_price(get, workspace, book, fay):
    price_by(workspace, fay)("100")
    charge = book(cost=None, cache_read_tokens=9)
    page = get(name="spend_charge", pk=charge.id).content.decode()
    assert "no price for cached input tokens. The others" in page
    assert "$0.01" in page
    later = book(cost=None)
    assert "every meter has a price by now" in get(name="spend_charge", pk=later.id).content.decode()


def test_corrections_alone_are_counted_as_rows_and_never_badged_unpriced(get, workspace, book):
    charge = book(cost=None)
    ledger_corrections.reprice(
        workspace_id=workspace.pk,
        charge_ids=[charge.id],
        price_of=lambda row: Priced(Decimal("5"), (9,)),
        reason="a price came late",
    )
    page = get("only=corrections&" + urlencode(ASKED)).content.decode()
    assert "2 correction rows, net" in page
    assert "$5.00" in page
    assert "in 0 calls" not in page
    assert 'data-tone="warn"' not in page.partition('aria-label="Charges"')[2]


def test_the_call_itself_is_linked_only_for_who_may_look_at_calls(client_of, workspace, book, fay, olga):
    charge = book()
    address = reverse("spend_charge", kwargs={"workspace": "acme", "pk": charge.id})
    jump = reverse("call_jump", kwargs={"workspace": "acme"})
    assert jump not in client_of(fay).get(address).content.decode()
    assert f"{jump}?q={charge.id}" in client_of(olga).get(address).content.decode()


def test_a_charge_that_is_another_workspaces_or_none_is_not_found(get, workspace):
    other = factories.make_workspace("other")
    foreign = new_charge(other.pk)
    ledger.record([foreign])
    assert get(name="spend_charge", pk=foreign.id).status_code == 404
    assert get(name="spend_charge", pk=uuid7(NOON)).status_code == 404


def test_another_workspaces_corrections_do_not_count_here(workspace, book):
    charge = book()
    assert chains.of_rows(workspace.pk, list(Charge.objects.filter(pk=charge.id))) == {}


@pytest.mark.parametrize("role", [Role.EDITOR, Role.ANNOTATOR])
def test_a_charge_is_only_for_those_who_may_see_spend(client_of, workspace, stranger, book, client, role):
    address = reverse("spend_charge", kwargs={"workspace": "acme", "pk": book().id})
    assert client_of(factories.make_member(workspace, "Nosy", role)).get(address).status_code == 403
    assert client_of(stranger).get(address).status_code == 404
    assert client.get(address).status_code == 302


def test_the_file_has_corrections_with_their_sign_and_what_they_correct(get, corrected):
    rows = list(csv.DictReader(io.StringIO(text_of(get(name="spend_charges_csv")))))
    assert sum(Decimal(row["cost"]) for row in rows) == 5
    assert sum(int(row["calls"]) for row in rows) == 1
    assert [row["corrects"] for row in rows].count(str(corrected.id)) == 3
