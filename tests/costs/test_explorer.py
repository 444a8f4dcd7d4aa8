"""Any two dimensions together: equal to a recount of the charges, whatever sums answer."""

import csv
import io
import random
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
import time_machine
from django.urls import reverse

from apps.costs import explorer, ledger
from apps.costs.models import SpendMonth
from apps.costs.spend import AXES, DAY_AXES
from tests import factories
from tests.costs.conftest import NOON, new_charge

FIRST, LAST = date(2026, 9, 20), date(2026, 11, 15)


@pytest.fixture(autouse=True)
def mid_november():
    with time_machine.travel(NOON + timedelta(hours=6), tick=True):
        yield


@pytest.fixture
def charges(workspace):
    """Three months of charges with every dimension drawn at random, some of them nobody's."""
    draw = random.Random(7)
    every = [
        new_charge(
            workspace.pk,
            datetime(2026, 9, 1, tzinfo=UTC) + timedelta(hours=13 * n),
            team_id=draw.choice([None, 1, 2]),
            model=draw.choice(["a", "b"]),
            provider=draw.choice(["openai", "anthropic"]),
            prompt_id=draw.choice([None, 11, 12]),
            version_id=draw.choice([None, 21, 22]),
            api_key_id=draw.choice([None, 31]),
            environment=draw.choice(["", "production"]),
            purpose=draw.choice(["production", "judge"]),
            customer=draw.choice(["", "Baker"]),
            user_id=draw.choice([None, 41]),
            cost=draw.choice([None, Decimal(n + 1).scaleb(-3)]),
        )
        for n in range(140)
    ]
    ledger.record(every)
    return every


def recounted(charges, rows, columns, zone, first=FIRST, last=LAST):
    found = defaultdict(Decimal)
    for charge in charges:
        if first <= charge.at.astimezone(zone).date() <= last:
            value, other = (
                tuple(getattr(charge, c) or (0 if c.endswith("_id") else "") for c in axis.columns)
                for axis in (rows, columns)
            )
            found[value, other] += charge.cost or 0
    return dict(found)


@pytest.mark.parametrize(("rows", "columns"), list(permutations(AXES, 2)))
def test_every_two_dimensions_are_what_their_charges_add_up_to(workspace, charges, rows, columns):
    rows, columns = AXES[rows], AXES[columns]
    question = explorer.ask(workspace, rows, columns, FIRST, LAST)
    found = {(value, other): sums.cost for _, _, value, other, sums in explorer.pairs(workspace, question)}
    assert found == recounted(charges, rows, columns, workspace.zone)


@pytest.mark.parametrize("columns", ["provider", "purpose", "customer"])
def test_the_table_adds_up_along_its_rows_and_its_columns(workspace, charges, columns):
    question = explorer.ask(workspace, AXES["team"], AXES[columns], FIRST, LAST)
    table = explorer.table(workspace, question)
    cells = [cell.sums.cost for line in table.lines for cell in line.cells if cell]
    total = sum(recounted(charges, AXES["team"], AXES[columns], workspace.zone).values())
    assert sum(cells) == sum(line.total.cost for line in table.lines) == total
    assert sum(head.total.cost for head in table.columns) == table.total.cost == total


def test_whole_months_are_read_from_the_sums_by_month(workspace, charges):
    SpendMonth.objects.filter(workspace_id=workspace.pk, month="2026-10-01").update(cost=0)
    question = explorer.ask(workspace, AXES["team"], AXES["model"], FIRST, LAST)
    wanted = recounted(charges, AXES["team"], AXES["model"], workspace.zone)
    october = recounted(charges, AXES["team"], AXES["model"], workspace.zone, date(2026, 10, 1), date(2026, 10, 31))
    assert explorer.table(workspace, question).total.cost == sum(wanted.values()) - sum(october.values())


def test_values_beyond_the_table_are_added_up_as_others(workspace):
    ledger.record(
        [
            new_charge(workspace.pk, NOON, team_id=1 + n % 60, model=f"m{n % 15:02}", cost=Decimal(1 + n % 60))
            for n in range(300)
        ]
    )
    question = explorer.ask(workspace, AXES["team"], AXES["model"], FIRST, LAST)
    table = explorer.table(workspace, question)
    assert [len(table.lines), table.lines[-1].label] == [explorer.ROWS + 1, "10 others"]
    assert [len(table.columns), table.columns[-1].label] == [explorer.COLUMNS + 1, "5 others"]
    assert table.total.cost == sum(1 + n % 60 for n in range(300))


@pytest.mark.parametrize("columns", ["customer", "model"])
def test_what_holds_too_much_is_answered_for_its_latest_days_and_says_so(
    workspace, charges, client_of, fay, monkeypatch, columns
):
    monkeypatch.setattr(explorer, "MOST_CHARGES", 4)
    monkeypatch.setattr(explorer, "MOST_SUMS", 20)
    monkeypatch.setattr(explorer, "_estimate", lambda *_: 60)
    question = explorer.ask(workspace, AXES["purpose"], AXES[columns], FIRST, LAST)
    assert question.is_shortened
    assert question.last == LAST
    total = explorer.table(workspace, question).total.cost
    found = recounted(charges, AXES["purpose"], AXES[columns], workspace.zone, question.first, LAST)
    assert total == sum(found.values())
    query = {"rows": "purpose", "columns": columns, "first": FIRST, "last": LAST}
    page = client_of(fay).get(reverse("spend_explorer", kwargs={"workspace": "acme"}), query).content.decode()
    assert f"Only {question.first.day} {question.first:%b} 2026 to 15 Nov 2026." in page


def test_the_planner_knows_about_how_many_sums_there_are(workspace, charges):
    assert explorer._estimate(workspace.pk, FIRST, LAST) > 0


@pytest.fixture
def get(client_of, fay):
    client = client_of(fay)
    return lambda name="spend_explorer", **query: client.get(reverse(name, kwargs={"workspace": "acme"}), query)


def test_every_number_of_the_explorer_opens_its_charges(get, workspace):
    ledger.record([new_charge(workspace.pk, NOON, customer="Baker & Sons"), new_charge(workspace.pk, NOON)])
    page = get(rows="team", columns="customer").content.decode()
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*charges/\?[^"]*customer=[^"]*)"', page)]
    (one,) = {link for link in links if "Baker" in link and "team_id=7" in link}
    charges = get("spend_charges", **dict(part.split("=") for part in one.partition("?")[2].split("&")))
    assert charges.status_code == 200
    assert "Team: Support" in charges.content.decode()


def test_a_cell_whose_calls_have_no_price_is_not_free(get, workspace):
    rows = [
        {"model": "m1", "cost": None},
        {"model": "m2", "cost": None},
        {"model": "m2", "cost": Decimal("0.71")},
        {"model": "m3", "cost": None},
        {"model": "m3", "cost": Decimal(0)},
    ]
    ledger.record([new_charge(workspace.pk, NOON, **row) for row in rows])
    page = get(rows="model", columns="team").content.decode()
    for shown in (">unpriced</a>", ">$0.71 + 1 unpriced</a>", ">1 unpriced</a>"):
        assert shown in page
    assert "$0.00<" not in page


def test_the_pairs_as_a_file_hold_every_digit(get, workspace):
    ledger.record([new_charge(workspace.pk, NOON, cost=Decimal("0.000000000001"))])
    text = get("spend_explorer_csv", rows="team", columns="model").getvalue().decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["team"], row["model"], row["cost"]) == ("Support", "gpt-4o", "0.000000000001")


@pytest.mark.parametrize(
    "query",
    [
        {"rows": "team", "columns": "team"},
        {"rows": "password"},
        {"first": "2026-11-02", "last": "2026-11-01"},
        {"first": "2001-01-01", "last": "2026-11-01"},
        {"first": "0001-01-01", "last": "0001-01-02"},
    ],
)
def test_a_question_that_makes_no_sense_is_shown_with_its_fault(get, query):
    assert get(**query).status_code == 422
    assert get("spend_explorer_csv", **query).status_code == 422


def test_days_without_charges_say_so(get, db):
    assert "No charges in these days" in get().content.decode()


def test_the_explorer_keeps_to_its_query_budget(get, charges, django_assert_max_num_queries):
    with django_assert_max_num_queries(13):
        assert get(rows="version", columns="key").status_code == 200


@pytest.mark.parametrize("name", ["spend_explorer", "spend_explorer_csv", "spend_month_csv"])
def test_strangers_find_nothing_and_editors_may_not_look(client_of, workspace, stranger, paula, client, name):
    address = reverse(name, kwargs={"workspace": "acme"})
    assert client_of(stranger).get(address).status_code == 404
    assert client_of(paula).get(address).status_code == 403
    assert client.get(address).status_code == 302
    assert client_of(paula).post(address).status_code == 405


def test_another_workspaces_charges_never_show(get, workspace):
    other = factories.make_workspace("other")
    ledger.record([new_charge(other.pk, NOON, model="foreign", customer="foreign")])
    for columns in ("model", "customer"):
        assert "foreign" not in get(rows="team", columns=columns).content.decode()
        assert b"foreign" not in get("spend_explorer_csv", rows="team", columns=columns).getvalue()


def test_the_dimensions_by_day_are_all_but_customers_and_people():
    assert set(AXES) - set(DAY_AXES) == {"customer", "user"}
