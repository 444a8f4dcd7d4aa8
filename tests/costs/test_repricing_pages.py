"""The pages of re-pricing: what would change, what is happening, what happened."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from apps.costs import repricing, repricing_report
from apps.costs.models import Repricing
from tests import factories
from tests.costs.conftest import NOON
from tests.costs.repricings import address, ask_by, book_twelve, price_by, run


@pytest.fixture
def price(workspace, fay):
    return price_by(workspace, fay)


@pytest.fixture
def ask(workspace, fay):
    return ask_by(workspace, fay)


@pytest.fixture
def in_fives(monkeypatch):
    monkeypatch.setattr(repricing, "BATCH", 5)


@pytest.fixture
def twelve(workspace):
    return book_twelve(workspace)


def test_finance_sees_what_would_change_and_asks_for_it(client_of, fay, price, book):
    book(cost=None)
    price("100")
    client = client_of(fay)
    scope = {"first": "2026-11-15", "last": "2026-11-15", "model": "openai/gpt-4o", "only_unpriced": "on"}
    text = client.get(address("repricing_new"), scope).content.decode()
    assert "1 of 1 call without a price would cost something else" in text
    assert Repricing.objects.count() == 0
    assert client.post(address("repricing_new"), {**scope, "reason": "No price"}).status_code == 302
    found = run(Repricing.objects.get())
    text = client.get(address("repricing", found)).content.decode()
    assert "1 of 1 calls cost something else now" in text
    assert "$0.01" in text
    assert "every 1s" not in text


def test_a_preview_of_the_newest_says_so_and_never_that_all_cost_it(client_of, fay, price, book, monkeypatch):
    monkeypatch.setattr(repricing_report, "LOOKED_AT", 3)
    price("100")
    for _ in range(2):
        book(NOON, cost=None, model="nobody-prices-this")
    for minute in (-3, -2, 1):
        book(NOON + timedelta(minutes=minute), cost=Decimal("0.01"), price_ids=[1])
    scope = {"first": "2026-11-15", "last": "2026-11-15"}
    text = client_of(fay).get(address("repricing_new"), scope).content.decode()
    assert "Of the newest 3 calls, none would cost anything else." in text
    assert "1 already costs what the list says. 2 would still have no price." in text
    assert "All 3" not in text
    assert "nobody-prices-this of openai: no price for input tokens and output tokens" in text


def test_a_preview_of_the_unpriced_finds_them_behind_any_number_that_were_mended(
    client_of, fay, price, book, ask, monkeypatch
):
    book(NOON - timedelta(days=1), cost=None, model="nobody-prices-this", cache_read_tokens=9)
    for _ in range(5):
        book(NOON, cost=None)
    price("100")
    run(ask())
    monkeypatch.setattr(repricing_report, "LOOKED_AT", 3)
    scope = {"first": "2026-11-14", "last": "2026-11-15", "only_unpriced": "on"}
    text = client_of(fay).get(address("repricing_new"), scope).content.decode()
    assert "Of 1 call without a price, none would cost anything else. 1 would still have no price." in text
    assert "still unpriced" in text


def test_the_report_says_what_lacks_which_price(client_of, fay, price, book, ask):
    book(cost=None, cache_read_tokens=9)
    book(cost=None)
    price("100")
    text = client_of(fay).get(address("repricing", run(ask()))).content.decode()
    assert "1 still has no price." in text
    assert "gpt-4o of openai: no price for cached input tokens: 1 call<" in text


def test_a_running_one_polls_its_own_part(client_of, fay, ask, price, twelve, in_fives):
    price("100")
    found = ask()
    repricing.advance(found.pk, stretch=0)
    text = client_of(fay).get(address("repricing", found), headers={"HX-Request": "true"}).content.decode()
    assert "every 1s" in text
    assert "<strong>5</strong> of 12" in text
    assert "<html" not in text


@pytest.mark.parametrize("by", ["day", "charge"])
def test_the_report_comes_as_csv(client_of, fay, ask, price, book, by):
    book(cost=None, prompt_name="=cmd()", customer="+49")
    price("100")
    found = run(ask())
    answer = client_of(fay).get(address("repricing_csv", found), {"by": by})
    text = b"".join(answer.streaming_content).decode()
    lines = text.splitlines()
    assert len(lines) == 2
    assert "0.010000000000" in lines[1]
    assert ",=cmd()" not in text


@pytest.mark.parametrize(
    "query", [{"first": "nonsense", "last": "x"}, {"first": "2026-11-15", "last": "2026-11-01"}, {"model": "nix"}]
)
def test_a_period_nobody_can_read_is_asked_for_again(client_of, fay, query):
    assert client_of(fay).get(address("repricing_new"), query).status_code == 422


def test_others_see_no_re_pricing(client_of, ask, stranger, paula):
    found = ask()
    for name in ("repricing", "repricing_csv"):
        assert client_of(stranger).get(address(name, found)).status_code == 404
        assert client_of(paula).get(address(name, found)).status_code == 403
    assert client_of(paula).post(address("repricing_resume", found)).status_code == 403


def test_no_text_of_a_prompt_reaches_finance_over_prices(client_of, fay, workspace, price, ask, book):
    canary = "canary-in-the-text"
    prompt = factories.make_prompt(workspace)
    version = factories.make_version(prompt, message=canary, messages=[{"role": "user", "content": canary}])
    facts = {"prompt_id": prompt.pk, "prompt_name": prompt.name, "version_id": version.pk}
    book(cost=None, tags={"note": canary}, source_id=canary, **facts)
    price("100")
    found = run(ask())
    client = client_of(fay)
    pages = [address(name) for name in ("price_list", "price_new", "proposal_list", "repricing_list", "repricing_new")]
    pages += [address("repricing", found), f"{address('repricing_csv', found)}?by=charge"]
    for page in pages:
        answer = client.get(page)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert answer.status_code == 200
        assert canary not in content.decode(), page


def test_list_pages_ask_the_database_a_fixed_number_of_times(client_of, fay, ask, django_assert_max_num_queries):
    for day in range(1, 8):
        run(ask(first=date(2026, 7, day), last=date(2026, 7, day)))
    client = client_of(fay)
    with django_assert_max_num_queries(8):
        assert "Every model" in client.get(address("repricing_list")).content.decode()
