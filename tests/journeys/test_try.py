"""The playground in a real browser: words that stream across origins, stop, spread, differences, a case, saved inputs."""

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import OpenPage, assert_accessible
from tests.journeys.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SLOW = 60_000


@pytest.fixture(scope="module")
def stage(desk: Desk) -> dict[str, Any]:
    return desk.stage()


@pytest.fixture
def slow_words(desk: Desk) -> Iterator[None]:
    """Have the practice models speak slowly enough to be watched."""
    provider = f"http://127.0.0.1:{(desk.var / 'practice-port').read_text().strip()}"

    def tell(**knobs: float) -> None:
        body = json.dumps(knobs).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{provider}/__config", body, {"Content-Type": "application/json"})
        ).close()

    tell(token_ms=60)
    yield
    tell(token_ms=0)


@pytest.fixture
def page(stage: dict[str, Any], open_page: OpenPage) -> Page:
    opened = open_page()
    opened.goto("/accounts/login/")
    opened.get_by_label("Email").fill(stage["people"]["paula"])
    opened.get_by_label("Password").fill(stage["password"])
    opened.get_by_role("button", name="Sign in").click()
    opened.wait_for_url(re.compile(r"/w/"))
    opened.goto(f"/w/{stage['slug']}/prompts/{stage['prompt']}/draft/")  # so that there is a draft
    opened.get_by_role("link", name="Try", exact=True).click()
    expect(opened.get_by_role("heading", name="Inputs")).to_be_visible()
    return opened


def column(page: Page, number: int) -> Locator:
    return page.get_by_role("region", name=f"Column {number}", exact=True)


def state(page: Page, number: int) -> Locator:
    return column(page, number).locator("[data-try-state]")


def answer(page: Page, number: int) -> Locator:
    return column(page, number).locator("[data-try-answer]")


def test_words_stream_and_nothing_moves(page: Page, slow_words: None) -> None:
    assert_accessible(page)
    before = page.evaluate("document.documentElement.scrollHeight")
    page.get_by_label("message").focus()
    page.keyboard.press("ControlOrMeta+Enter")
    expect(state(page, 1)).to_have_text("Answering…", timeout=SLOW)
    early = answer(page, 1).inner_text()
    assert page.evaluate("document.documentElement.scrollHeight") == before
    expect(state(page, 1)).to_have_text("Done", timeout=SLOW)
    late = answer(page, 1).inner_text()
    assert late.startswith(early)
    assert len(late) > len(early)
    expect(column(page, 1).locator("[data-try-fact=cost]")).to_contain_text("$0.0")
    expect(column(page, 1).get_by_role("link", name="Open")).to_have_attribute("href", re.compile("/models/calls/"))
    assert page.evaluate("document.documentElement.scrollHeight") == before
    assert_accessible(page)


def test_stop_keeps_what_came(page: Page, slow_words: None) -> None:
    page.get_by_role("button", name="Run").click()
    expect(state(page, 1)).to_have_text("Answering…", timeout=SLOW)
    column(page, 1).get_by_role("button", name="Stop").click()
    expect(state(page, 1)).to_contain_text("Stopped")
    assert answer(page, 1).inner_text()
    column(page, 1).get_by_role("link", name="Open").click()
    expect(page.locator("#main")).to_contain_text(re.compile("Playground|playground"))


def test_spread_differences_case_and_saved_inputs(page: Page) -> None:
    page.get_by_label("message").fill("Order PM-1 <script>window.hacked = 1</script> came broken.")
    page.get_by_role("button", name="Again").click()
    expect(state(page, 1)).to_contain_text("5 runs", timeout=SLOW)
    assert_accessible(page)
    assert page.evaluate("window.hacked") is None
    page.get_by_role("button", name="Run").click()
    for number in (1, 2):
        expect(state(page, number)).to_have_text("Done", timeout=SLOW)
        column(page, number).get_by_role("button", name="Differences").click()
    expect(page.get_by_role("region", name="Differences")).to_be_visible()
    column(page, 1).get_by_role("button", name="Make it a case").click()
    expect(column(page, 1).locator("[data-try-kept]")).to_contain_text("is in Customer letters")
    page.locator("#try-sets > summary").click()
    page.get_by_label("Name for these inputs").fill("Broken parcel")
    page.get_by_role("button", name="Save inputs").click()
    expect(page.locator("#try-sets")).to_contain_text('"Broken parcel" is saved.')
    page.get_by_label("message").fill("Something else")
    page.get_by_role("button", name="Broken parcel", exact=True).click()
    expect(page.get_by_label("message")).to_have_value(re.compile("came broken"))
    assert_accessible(page)


def test_without_the_process_for_streams_everything_is_answered_all_the_same(page: Page) -> None:
    page.route("**/stream/**", lambda route: route.abort())
    page.get_by_role("button", name="Run").click()
    expect(state(page, 1)).to_have_text("Done", timeout=SLOW)
    assert answer(page, 1).inner_text()


def test_a_column_comes_and_goes(page: Page) -> None:
    page.get_by_role("button", name="Add a column").click()
    expect(column(page, 3)).to_be_visible()
    column(page, 2).get_by_role("button", name="Remove column 2").click()
    expect(column(page, 2)).to_be_hidden()
    page.get_by_role("button", name="Run").click()
    expect(state(page, 3)).to_have_text("Done", timeout=SLOW)


def test_on_a_phone_columns_are_swiped_and_the_page_is_not(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert_accessible(page)
