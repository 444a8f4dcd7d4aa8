"""The month as finance reads it: its comparisons, its movers, its days in any zone."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.urls import reverse

from apps.accounts.models import Workspace
from apps.costs import ledger, ledger_corrections, month, spend
from apps.costs.amounts import Priced
from apps.costs.spend import AXES
from tests.costs import budgets as budget_rows
from tests.costs.conftest import NOON, new_charge

TODAY = date(2026, 11, 15)
YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture(autouse=True)
def mid_november():
    with time_machine.travel(NOON + timedelta(hours=6), tick=True):
        yield


@pytest.fixture
def get(client_of, fay):
    client = client_of(fay)

    def answer(name="spend_month", **query):
        response = client.get(reverse(name, kwargs={"workspace": "acme"}), query)
        assert response.status_code == 200
        return response

    return answer


def text_of(response):
    return (response.getvalue() if response.streaming else response.content).decode()


def rows_of(response):
    return list(csv.DictReader(io.StringIO(text_of(response))))


def november(workspace, axis="model", today=TODAY):
    return month.of(workspace, month.span_of("2026-11", today), AXES[axis])


def test_a_running_month_knows_the_same_days_and_the_whole_month_before(workspace, book):
    book(cost=Decimal("3"))
    book(datetime(2026, 10, 3, 12, tzinfo=UTC), cost=Decimal("2"))
    book(datetime(2026, 10, 28, 12, tzinfo=UTC), cost=Decimal("5"))
    found = november(workspace)
    assert (found.previous.cost, found.previous_whole.cost) == (2, 7)


def test_a_day_that_is_not_over_counts_on_neither_side_of_a_comparison(workspace, get, book):
    for day, cost in ((14, "2"), (15, "100")):
        book(datetime(2026, 10, day, 12, tzinfo=UTC), cost=Decimal(cost))
    book(YESTERDAY, cost=Decimal("3"))
    book(cost=Decimal("40"))
    found = november(workspace)
    assert (found.proof.cost, found.compared.cost, found.previous.cost) == (43, 3, 2)
    assert [(row.compared, row.change, row.difference) for row in found.rows] == [(3, Decimal("0.5"), 1)]
    (row,) = rows_of(get("spend_month_csv", by="model"))
    amounts = [Decimal(row[name]) for name in ("cost", "cost_complete_days", "cost_same_days_before")]
    assert amounts == [43, 3, 2]
    assert "Complete days only, $3.00 by 14 November against $2.00 by 14 October" in " ".join(text_of(get()).split())


def test_the_first_day_of_a_month_has_nothing_to_compare(workspace, get, book):
    book(datetime(2026, 10, 31, 12, tzinfo=UTC), cost=Decimal("2"))
    with time_machine.travel(datetime(2026, 11, 1, 12, tzinfo=UTC)):
        book(datetime(2026, 11, 1, 9, tzinfo=UTC), cost=Decimal("3"))
        page = text_of(get())
    found = november(workspace, today=date(2026, 11, 1))
    assert (found.compared.cost, found.previous.cost, found.change, found.movers) == (0, 0, None, [])
    assert "No day is complete yet" in page


def test_the_last_day_of_a_month_is_still_running(workspace):
    span = month.span_of("2026-11", date(2026, 11, 30))
    assert span.is_running
    assert (span.compared_until, span.previous_until) == (date(2026, 11, 29), date(2026, 10, 29))


@pytest.mark.parametrize("axis", ["customer", "user", "provider"])
def test_customers_people_and_providers_are_dimensions_too(workspace, book, axis):
    book(customer="Baker & Co", user_id=4, user_name="Uma", cost=Decimal("2"))
    book(cost=Decimal("1"))
    found = november(workspace, axis)
    words = {"customer": "Baker & Co", "user": "Uma", "provider": "openai"}
    assert found.rows[0].label == words[axis]
    assert sum(row.sums.cost for row in found.rows) == found.proof.cost == 3


def test_what_is_of_no_version_is_not_said_as_if_no_version_had_it(workspace, book):
    book(cost=Decimal("3"), prompt_id=None, version_id=None)
    book(cost=Decimal("1"))
    assert november(workspace, "version").summary == "75\N{NO-BREAK SPACE}% of it is of no version."


def test_what_changed_most_comes_first_among_the_movers(workspace, book):
    before = datetime(2026, 10, 10, 12, tzinfo=UTC)
    for model, then, now in (("steady", "50", "50.01"), ("grown", "1", "9"), ("gone", "20", None), ("new", None, "3")):
        if then:
            book(before, model=model, cost=Decimal(then))
        if now:
            book(YESTERDAY, model=model, cost=Decimal(now))
    found = november(workspace)
    assert [(row.label, row.difference) for row in found.movers] == [("gone", -20), ("grown", 8), ("new", 3)]


def test_the_movers_stand_on_the_page_in_words(get, book):
    book(datetime(2026, 10, 10, 12, tzinfo=UTC), model="old", cost=Decimal("4"))
    book(YESTERDAY, model="fresh", cost=Decimal("9"))
    page = text_of(get())
    assert "is new" in page
    assert "+$9.00" in page
    assert "is gone" in page
    assert "\N{MINUS SIGN}$4.00" in page
    assert "complete days only: 1 to 14 November against 1 to 14 October" in " ".join(page.split())


def test_more_values_than_a_page_shows_are_added_up_as_others(workspace, make_charge):
    ledger.record([make_charge(model=f"m{n:03}", cost=Decimal(n)) for n in range(1, 106)])
    found = november(workspace)
    assert len(found.rows) == month.ROWS
    assert (found.others.label, found.others.sums.cost, found.others.sums.calls) == ("55 others", 1540, 55)
    assert sum(found.others.daily) == 1540


def test_the_table_as_a_file_has_every_value(get, make_charge):
    ledger.record([make_charge(model=f"m{n:03}", cost=Decimal(n)) for n in range(1, 106)])
    rows = rows_of(get("spend_month_csv", by="model"))
    assert len(rows) == 105
    assert (rows[0]["model"], Decimal(rows[0]["cost"]), rows[0]["calls"]) == ("m105", 105, "1")


def test_the_days_as_a_file_stand_beside_those_of_the_month_before(get, book):
    book(cost=Decimal("3"))
    book(datetime(2026, 10, 15, 12, tzinfo=UTC), cost=Decimal("2"))
    rows = rows_of(get("spend_month_csv", table="days"))
    assert len(rows) == 15
    assert (rows[14]["day"], Decimal(rows[14]["cost"]), Decimal(rows[14]["cost_month_before"])) == ("2026-11-15", 3, 2)


def test_a_name_in_a_file_is_no_formula(get, book):
    book(team_name="=cmd()")
    assert rows_of(get("spend_month_csv", by="team"))[0]["team"] == "'=cmd()"


def test_a_correction_changes_the_month_and_not_the_number_of_calls(workspace, book):
    charge = book(cost=Decimal("2"))
    ledger_corrections.reprice(
        workspace_id=workspace.pk,
        charge_ids=[charge.id],
        price_of=lambda row: Priced(Decimal("5"), (9,)),
        reason="a price came late",
    )
    found = november(workspace)
    assert (found.proof.cost, found.proof.calls) == (5, 1)
    assert [row.sums.cost for row in found.rows] == [5]


def test_a_version_whose_only_charge_was_taken_back_has_no_spend(workspace, book):
    charge = book()
    ledger_corrections.correct(
        workspace_id=workspace.pk,
        charge_id=charge.id,
        changes={"version_id": 114},
        priced=Priced(Decimal("0.01"), ()),
        reason="wrong version",
    )
    assert list(spend.by_version(workspace.pk, 11, "production")) == [114]


def test_what_kept_answers_saved_is_a_link_to_them(get, book):
    book(cost=Decimal(0), saved=Decimal("0.25"), input_tokens=0, output_tokens=0)
    page = text_of(get())
    assert "$0.25 saved by answers that were kept" in page
    assert "only=reused" in page


def test_the_line_of_proof_links_to_what_it_names(get, book):
    book(cost=None)
    book(cost=Decimal("1"), estimated=True, team_id=None, team_name="")
    page = text_of(get())
    for part in ("only=unpriced", "only=estimated", "team_id=0"):
        assert part in page


def test_the_budget_that_covers_everything_stands_beside_the_total(get, workspace):
    budget_rows.make_budget(workspace, "10", name="The whole house")
    budget_rows.book(workspace, cost="4")
    page = text_of(get())
    assert "The whole house" in page
    assert "$6.00" in page


def test_a_budget_of_a_part_is_not_shown_as_that_of_the_whole(get, workspace, book):
    budget_rows.make_budget(workspace, "10", name="Support alone", team_id=7)
    book()
    page = text_of(get())
    assert "Support alone" not in page
    assert "No budget covers everything" in page


def test_every_month_since_the_first_can_be_chosen(get, book):
    book(datetime(2026, 8, 1, tzinfo=UTC))
    page = text_of(get())
    assert [f'value="2026-{n:02}"' in page for n in (7, 8, 9, 10, 11)] == [False, True, True, True, True]


def test_the_page_says_that_today_is_not_over_in_the_workspaces_zone(get, workspace, book):
    Workspace.objects.filter(pk=workspace.pk).update(time_zone="Asia/Kathmandu")
    book()
    assert "it is 23:45 there" in text_of(get())


ZONES = ["Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia", "Europe/Lisbon", "UTC"]


@pytest.mark.parametrize("zone", ZONES)
def test_the_days_of_a_month_add_up_to_its_range_and_to_its_charges_in_any_zone(get, workspace, zone):
    """April and October hold the days on which clocks move: of half an hour on Lord Howe."""
    Workspace.objects.filter(pk=workspace.pk).update(time_zone=zone)
    workspace.refresh_from_db()
    start = datetime(2026, 3, 30, tzinfo=UTC)
    charges = [
        new_charge(workspace.pk, start + timedelta(minutes=17 * n), cost=Decimal(n + 1).scaleb(-6))
        for n in range(3_000)
    ]
    for place in range(0, len(charges), 1_000):
        ledger.record(charges[place : place + 1_000])
    wanted = sum(c.cost for c in charges if c.at.astimezone(ZoneInfo(zone)).strftime("%Y-%m") == "2026-04")
    found = month.of(workspace, month.span_of("2026-04", TODAY))
    assert sum(found.daily) == found.proof.cost == wanted
    days = rows_of(get("spend_month_csv", month="2026-04", table="days"))
    rows = rows_of(get("spend_charges_csv", first="2026-04-01", last="2026-04-30"))
    assert sum(Decimal(row["cost"]) for row in days) == sum(Decimal(row["cost"]) for row in rows) == wanted


@pytest.mark.parametrize(
    ("zone", "day"), [("Australia/Lord_Howe", "2026-04-05"), ("Australia/Lord_Howe", "2026-10-04")]
)
def test_a_day_on_which_the_clock_moves_has_the_charges_of_its_own_hours(get, workspace, zone, day):
    Workspace.objects.filter(pk=workspace.pk).update(time_zone=zone)
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    ledger.record([new_charge(workspace.pk, noon + timedelta(minutes=10 * n - 1440)) for n in range(288)])
    rows = rows_of(get("spend_charges_csv", first=day, last=day))
    hours = {"2026-04-05": 147, "2026-10-04": 141}  # tenths of an hour, of 24.5 and 23.5 hours
    assert len(rows) == hours[day]
    assert f"in {hours[day]} calls" in text_of(get("spend_charges", first=day, last=day))


def test_a_month_to_come_says_that_it_has_not_begun(get, book):
    book()
    assert "The month has not begun" in text_of(get(month="2027-02"))


def test_a_month_that_is_longer_than_the_one_before_is_whole(get, book):
    book(datetime(2026, 3, 31, 12, tzinfo=UTC), cost=Decimal("4"))
    book(datetime(2026, 2, 28, 12, tzinfo=UTC), cost=Decimal("2"))
    rows = rows_of(get("spend_month_csv", month="2026-03", table="days"))
    assert (len(rows), rows[30]["cost_month_before"], Decimal(rows[27]["cost_month_before"])) == (31, "", 2)
