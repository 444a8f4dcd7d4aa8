"""The pages of budgets: who may see, set, change and end them, and what they say."""

import itertools
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from apps.costs import actions, budgets, ledger_sums
from apps.costs.budgets import daily, preview, words
from apps.costs.models import Budget, BudgetPeriod
from tests import factories
from tests.costs.budgets import book, make_budget, reserve
from tests.costs.conftest import NOON
from tests.costs.ingesting import price_of

pytestmark = pytest.mark.django_db
CANARY = "canary-5cb1f0"


@pytest.fixture(autouse=True)
def noon(time_machine):
    time_machine.move_to(NOON, tick=False)
    budgets.forget()


@pytest.fixture
def finance(client_of, fay):
    return client_of(fay)


def address(name, **values):
    return reverse(name, kwargs={"workspace": "acme", **values})


def asked(**values):
    return {
        "name": "Support",
        "limit_amount": "5.00",
        "mode": "hard",
        "period": "month",
        "thresholds": "50, 80, 100",
        "forecast_thresholds": "90, 100",
        **values,
    }


def test_the_list_shows_what_is_spent_held_left_and_refused(finance, workspace):
    make_budget(workspace, "1.00", name="Support", team_id=7)
    book(workspace, reserve(workspace, "0.50"), "0.25")
    reserve(workspace, "0.15")
    with pytest.raises(budgets.OverBudget):
        reserve(workspace, "0.70")
    page = finance.get(address("budget_list")).content.decode()
    for words_ in (
        "Support",
        "team Support",
        "$0.25",
        "$0.15 held",
        "$0.60",
        "25.0\u00a0% spent",
        "1 refused",
        "refuses",
    ):
        assert words_ in page, words_


def test_the_list_answers_htmx_with_its_table_alone(finance, workspace):
    make_budget(workspace, name="Support")
    page = finance.get(address("budget_list"), headers={"HX-Request": "true"}).content.decode()
    assert "Support" in page
    assert "<html" not in page


def test_without_budgets_the_list_says_what_one_is_for(finance):
    assert "Nothing is limited yet" in finance.get(address("budget_list")).content.decode()


def test_the_list_takes_as_many_queries_for_20_budgets_as_for_one(finance, workspace, django_assert_max_num_queries):
    for number in range(20):
        make_budget(workspace, team_id=number)
    book(workspace)
    finance.get(address("budget_list"))
    with django_assert_max_num_queries(16):
        finance.get(address("budget_list"))


def test_a_budget_is_set_from_the_form_with_what_the_books_have_seen(finance, workspace):
    book(workspace, customer="Ada", cost="0.40")
    page = finance.get(address("budget_new")).content.decode()
    for seen in ("support/reply", "support/reply v3", "gpt-4o", "Ada", "production"):
        assert seen in page, seen
    answer = finance.post(address("budget_new"), asked(prompt_id="11", customer="Ada", model="gpt-4o"))
    made = Budget.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == address("budget", budget_id=made.pk)
    assert (made.prompt_id, made.customer, made.model, made.team_id) == (11, "Ada", "gpt-4o", None)
    assert BudgetPeriod.objects.get().spent == Decimal("0.40")


def test_a_team_that_has_cost_nothing_yet_can_be_limited(finance, workspace):
    team = factories.make_team(workspace, "Night shift")
    finance.post(address("budget_new"), asked(team_id=str(team.pk)))
    assert Budget.objects.get().team_id == team.pk


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"limit_amount": "-1"}, "greater than or equal to 0"),
        ({"limit_amount": "a lot"}, "Enter a number"),
        ({"name": ""}, "required"),
        ({"thresholds": "fifty"}, "whole percentages"),
        ({"thresholds": "50,²"}, "whole percentages"),
        ({"team_id": "999"}, "not one of the available choices"),
        ({"period": "fortnight"}, "not one of the available choices"),
        ({"owner": "999999"}, "not one of the available choices"),
    ],
)
def test_a_form_that_makes_no_sense_says_so_and_keeps_what_was_written(finance, values, said):
    answer = finance.post(address("budget_new"), asked(**values))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Budget.objects.count() == 0


def test_a_name_that_is_taken_is_said_in_the_form(finance, workspace):
    make_budget(workspace, name="Support")
    answer = finance.post(address("budget_new"), asked())
    assert answer.status_code == 422
    assert "There is a budget called Support already." in answer.content.decode()


def test_the_preview_says_on_what_day_the_limit_would_have_been_passed(finance, workspace):
    for day in range(1, 32):
        book(workspace, cost="0.10", at=NOON.replace(month=10, day=day))
    page = finance.get(address("budget_preview"), asked(limit_amount="1.00", team_id="7")).content.decode()
    assert "October 2026" in page
    assert "passed on 11 Oct" in page
    assert "This month so far" in page
    page = finance.get(address("budget_preview"), asked(limit_amount="50")).content.decode()
    assert "passed on" not in page
    assert "Write a limit" in finance.get(address("budget_preview"), asked(limit_amount="")).content.decode()


def test_a_budget_page_shows_the_period_what_it_covers_its_history_and_its_warnings(finance, workspace, fay):
    made = actions.create_budget(
        workspace=workspace,
        name="Support",
        conditions={"team_id": 0, "purpose": "production"},
        period="month",
        mode="hard",
        limit_amount=Decimal("2.00"),
        owner=fay,
        acting_user=fay,
    )
    book(workspace, cost="0.30", team_id=None, at=NOON - timedelta(days=2))
    finance.post(address("budget_edit", budget_id=made.pk), asked(limit_amount="3", reason="More traffic"))
    budgets.forget()
    reserve(workspace, "0.40", team_id=None)
    page = finance.get(address("budget", budget_id=made.pk)).content.decode()
    for said in (
        "No team",
        "Production",
        "$0.30",
        "1 call, the oldest",
        "Limit: $2.00 → $3.00",
        "More traffic",
        "created a budget",
        "Even pace",
        "Fay",
    ):
        assert said in page, said


def test_the_number_leads_to_its_charges(finance, workspace):
    made = make_budget(workspace, "1.00", team_id=7)
    book(workspace, cost="0.30")
    book(workspace, cost="0.50", team_id=8)
    page = finance.get(address("budget", budget_id=made.pk))
    query = "first=2026-11-01&amp;last=2026-11-30&amp;team_id=7"
    assert query in page.content.decode()
    charges = finance.get(f"{address('spend_charges')}?{query.replace('&amp;', '&')}").content.decode()
    assert "$0.30" in charges
    assert "$0.50" not in charges


@pytest.mark.parametrize("period", Budget.Period.values)
def test_a_budget_of_every_calendar_has_a_page(finance, workspace, period):
    made = make_budget(workspace, "1.00", period=period)
    book(workspace, cost="0.30", at=NOON - timedelta(days=400))
    book(workspace, cost="0.30")
    assert finance.get(address("budget", budget_id=made.pk)).status_code == 200


def test_what_is_not_of_this_workspace_is_not_found(finance):
    other = make_budget(factories.make_workspace("other"))
    for name in ("budget", "budget_edit"):
        assert finance.get(address(name, budget_id=other.pk)).status_code == 404
    assert finance.post(address("budget_end", budget_id=other.pk)).status_code == 404


def test_a_budget_is_ended_with_a_reason(finance, workspace):
    made = make_budget(workspace, name="Support")
    assert finance.post(address("budget_end", budget_id=made.pk), {"reason": "Over"}).status_code == 302
    made.refresh_from_db()
    assert made.ended_at == NOON
    page = finance.get(address("budget_list")).content.decode()
    assert "Ended" in page
    assert finance.get(address("budget", budget_id=made.pk)).status_code == 200
    again = finance.post(address("budget_end", budget_id=made.pk))
    assert again.status_code == 409


@pytest.mark.parametrize("name", ["budget_new", "budget_edit", "budget_preview"])
def test_who_may_not_manage_budgets_may_not_write_them(client_of, paula, workspace, name):
    made = make_budget(workspace)
    values = {"budget_id": made.pk} if name == "budget_edit" else {}
    assert client_of(paula).get(address(name, **values)).status_code == 403


def test_a_budget_is_ended_by_posting_only(finance, workspace):
    made = make_budget(workspace)
    assert finance.get(address("budget_end", budget_id=made.pk)).status_code == 405


def test_finance_never_receives_prompt_text(finance, workspace):
    prompt = factories.make_prompt(workspace, "support/secret", description=CANARY)
    messages = [{"role": "user", "content": CANARY}]
    version = factories.make_version(prompt, messages=messages, message=CANARY)
    book(workspace, prompt_id=prompt.pk, prompt_name=prompt.name, version_id=version.pk, version_number=1)
    made = make_budget(workspace, prompt_id=prompt.pk, version_id=version.pk)
    for name, values in [("budget_list", {}), ("budget_new", {}), ("budget", {"budget_id": made.pk})]:
        page = finance.get(address(name, **values)).content.decode()
        assert "support/secret" in page
        assert CANARY not in page


def test_a_name_that_looks_like_markup_is_text(finance, workspace):
    made = make_budget(workspace, name="<script>alert(1)</script>")
    for page in (finance.get(address("budget_list")), finance.get(address("budget", budget_id=made.pk))):
        assert "<script>alert(1)" not in page.content.decode()


def test_the_days_of_any_conditions_are_those_that_the_ledger_counts(workspace):
    places = itertools.product(
        (7, None), (11, 12), ("production", "judge"), ("Ada", ""), (NOON, NOON - timedelta(days=1))
    )
    for cents, (team, prompt, purpose, customer, at) in enumerate(places):
        book(
            workspace,
            cost=Decimal(cents) / 100,
            team_id=team,
            prompt_id=prompt,
            purpose=purpose,
            customer=customer,
            at=at,
        )
    wanted = [
        {},
        {"team_id": 7},
        {"team_id": 0, "prompt_id": 12},
        {"provider": "openai", "model": "gpt-4o"},
        {"prompt_id": 11, "version_id": 113},
        {"version_id": 113},
        {"customer": ""},
        {"customer": "Ada", "purpose": "judge"},
        {"model": "o3"},
    ]
    days = daily.of_conditions(wanted, workspace.pk, workspace.zone, (NOON - timedelta(days=9)).date(), NOON.date())
    for conditions, found in zip(wanted, days, strict=True):
        made = make_budget(workspace, mode="warn", **conditions)
        ledger_sums.recount_budget(budget=made)
        period = BudgetPeriod.objects.filter(budget=made).first()
        assert sum(found.values()) == (period.spent if period else 0), conditions


def test_a_preview_of_days_looks_at_two_weeks(workspace):
    past = preview.of(workspace, {}, "day", Decimal(1), NOON)
    assert (len(past), past[0].is_running, past[-1].starts_on.isoformat()) == (15, True, "2026-11-01")


def test_what_a_budget_covers_reads_in_words(workspace):
    book(workspace)
    made = make_budget(workspace, team_id=7, prompt_id=0, purpose="judge", model="gpt-4o", api_key_id=99)
    assert words.described(workspace.pk, [made])[made.pk] == [
        ("Team", "Support"),
        ("API key", "number 99"),
        ("Prompt", "No prompt"),
        ("Purpose", "Judges"),
        ("Model", "gpt-4o"),
    ]


def test_what_has_cost_nothing_yet_can_be_limited(finance, workspace):
    factories.make_environments(workspace)
    version = factories.make_version(factories.make_prompt(workspace, "support/new"))
    price_of(workspace, "unheard-of", "acme")
    page = finance.get(reverse("budget_new", kwargs={"workspace": "acme"})).content.decode()
    for said in ("support/new</option>", "support/new v1</option>", "staging</option>", "unheard-of</option>"):
        assert said in page
    terms = asked(version_id=str(version.pk), model="unheard-of")
    assert finance.post(reverse("budget_new", kwargs={"workspace": "acme"}), terms).status_code == 302
    assert workspace.budgets.get().version_id == version.pk
