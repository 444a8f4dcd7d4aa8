"""Writing a draft in a real browser: nothing is lost, everything is seen at once."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import OpenPage
from tests.journeys.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SAVED = re.compile(r"^\s*Saved")


@pytest.fixture(scope="module")
def stage(desk: Desk) -> dict[str, Any]:
    return desk.stage()


@pytest.fixture
def paula(open_page: OpenPage, stage: dict[str, Any]) -> Page:
    page = open_page()
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(stage["people"]["paula"])
    page.get_by_label("Password").fill(stage["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/w/"))
    return page


@pytest.fixture
def draft(paula: Page, stage: dict[str, Any]) -> Page:
    """Open a fresh draft: of an earlier test nothing is left."""
    open_draft(paula, stage)
    paula.get_by_role("button", name="Discard draft").click()
    paula.get_by_role("button", name="Throw it away").click()
    paula.wait_for_url(re.compile(r"/prompts/\d+/$"))
    return open_draft(paula, stage)


def open_draft(page: Page, stage: dict[str, Any]) -> Page:
    page.goto(f"/w/{stage['slug']}/prompts/{stage['prompt']}/draft/")
    expect(page.locator(".cm-content").first).to_be_visible()
    return page


def text_of(page: Page, number: int) -> Locator:
    return page.get_by_role("textbox", name=f"Text of message {number}", exact=True)


def write(page: Page, number: int, words: str) -> None:
    text_of(page, number).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.insert_text(words)


def state(page: Page) -> Locator:
    return page.locator("#draft-saved")


def test_an_hour_without_a_network_loses_nothing(draft: Page, stage: dict[str, Any]) -> None:
    draft.context.set_offline(True)
    write(draft, 1, " Written in a tunnel.")
    expect(draft.locator("#draft-preview")).to_contain_text("Written in a tunnel.")
    expect(state(draft)).to_contain_text("Not saved: no connection. Your text is kept in this browser.")
    write(draft, 1, " And some more.")
    draft.context.set_offline(False)
    expect(state(draft)).to_contain_text(SAVED, timeout=30_000)
    draft.reload()
    expect(text_of(draft, 1)).to_contain_text("Written in a tunnel. And some more.")


def test_a_tab_that_closes_without_a_network_is_taken_up_again(draft: Page, stage: dict[str, Any]) -> None:
    context = draft.context
    context.route("**/draft/save/", lambda route: route.abort())
    write(draft, 1, " Lost with the tab?")
    expect(state(draft)).to_contain_text("Not saved")
    draft.close()
    context.unroute("**/draft/save/")
    again = open_draft(context.new_page(), stage)
    expect(text_of(again, 1)).to_contain_text("Lost with the tab?")
    expect(state(again)).to_contain_text(SAVED)
