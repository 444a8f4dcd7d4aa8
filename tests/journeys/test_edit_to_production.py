"""The main journey: an edit travels to production on real evidence, and back."""

import re
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import OpenPage, assert_accessible
from tests.journeys.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RUN_SECONDS = 60_000


@pytest.fixture(scope="module")
def stage(desk: Desk) -> dict[str, Any]:
    return desk.stage()


class Person:
    """Somebody at their own browser."""

    def __init__(self, page: Page, stage: dict[str, Any], name: str) -> None:
        self.page, self.slug = page, stage["slug"]
        page.goto("/accounts/login/")
        assert_accessible(page)
        page.get_by_label("Email").fill(stage["people"][name])
        page.get_by_label("Password").fill(stage["password"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile(r"/w/"))

    def go(self, path: str) -> Page:
        self.page.goto(f"/w/{self.slug}/{path}")
        assert_accessible(self.page)
        return self.page


def fetch(desk: Desk, stage: dict[str, Any], etag: str = "") -> tuple[int, str]:
    """Fetch what is live in production as a program would; return the status and the ETag."""
    request = urllib.request.Request(
        f"{desk.url}/api/v1/prompts/support/reply",
        headers={"Authorization": f"Bearer {stage['key']}", **({"If-None-Match": etag} if etag else {})},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers["ETag"]
    except urllib.error.HTTPError as error:
        return error.code, error.headers["ETag"]


def test_an_edit_travels_to_production_and_back(desk: Desk, stage: dict[str, Any], open_page: OpenPage) -> None:
    status, old = fetch(desk, stage)
    assert status == 200
    assert fetch(desk, stage, old)[0] == 304

    paula = Person(open_page(), stage, "paula")
    save_better_version(paula, stage)
    number = propose(paula)
    wait_for_tests(paula, number)
    for rater in ("ana", "amir"):
        rate_everything(Person(open_page(), stage, rater))
    approve(Person(open_page(), stage, "ravi"), number)
    promote(paula, number)

    status, new = fetch(desk, stage, old)
    assert (status, new != old) == (200, True)

    read_the_bill(Person(open_page(), stage, "fay"))
    roll_back(paula, stage)
    assert fetch(desk, stage, new)[0] == 200

    read_the_log(Person(open_page(), stage, "olga"))
    assert "hold" in desk.manage("verify_audit", "--workspace", stage["slug"])
    desk.manage("verify_books")


def save_better_version(paula: Person, stage: dict[str, Any]) -> None:
    page = paula.go(f"prompts/{stage['prompt']}/draft/")
    editor = page.get_by_role("textbox", name="Text of message 1")
    editor.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(stage["better"])
    expect(page.locator("#draft-preview")).to_contain_text("at most 4 sentences")
    expect(page.locator("#draft-preview")).to_contain_text("Customer: Ines")
    page.get_by_label("What changed?").fill("Shorter, kinder, names the order")
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("support/reply v2")
    assert_accessible(page)


def propose(paula: Person) -> int:
    page = paula.page
    page.get_by_role("link", name="Propose").click()
    assert_accessible(page)
    page.get_by_label("What gets better?").fill("Kinder replies that name the order")
    page.get_by_role("button", name="Open change request").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kinder replies that name the order")
    assert_accessible(page)
    return int(re.search(r"requests/(\d+)/", page.url)[1])  # type: ignore[index]


def wait_for_tests(paula: Person, number: int) -> None:
    """The suite runs by itself in the worker and reports its check."""
    page = paula.page
    expect(page.locator("#standing")).to_contain_text("Tests: passed", timeout=RUN_SECONDS)
    assert_accessible(paula.go(f"prompts/requests/{number}/"))


def rate_everything(rater: Person) -> None:
    """Rate pair after pair with the keyboard alone, blind."""
    page = rater.go("reviews/")
    page.get_by_role("link", name=re.compile("rating", re.IGNORECASE)).first.click()
    page.wait_for_url(re.compile(r"/rate/"))
    for _ in range(20):
        page.wait_for_selector("#task-title")
        if page.locator(".rate-empty").count():
            break
        assert_accessible(page)
        token = page.locator("#task input[name=token]").first.get_attribute("value")
        # What was drawn by lot may hold any letters.
        shown = re.sub(r'nonce="[^"]*"|[a-z0-9]{64}', "", page.content().lower()).replace("conversion", "")
        for word in ("practice-small", "v2", "version", "candidate", "baseline"):
            assert word not in shown, word
        page.keyboard.press("a")
        expect(page.locator(f"#task input[name=token][value='{token}']")).to_have_count(0)
    expect(page.locator("#task")).to_contain_text("Thank you")
    assert_accessible(page)


def approve(ravi: Person, number: int) -> None:
    page = ravi.go(f"prompts/requests/{number}/")
    standing = page.locator("#standing")
    expect(standing).to_contain_text("Tests: passed")
    expect(standing).to_contain_text("People: passed")
    expect(page.locator("ins").first).to_be_visible()
    expect(page.locator("#main")).to_contain_text("Average time of a call")
    page.get_by_label("What did you see?").fill("Shorter and still warm.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#standing")).to_contain_text("1 of 1 approval")
    assert_accessible(page)


def promote(paula: Person, number: int) -> None:
    page = paula.go(f"prompts/requests/{number}/")
    page.get_by_role("button", name="Promote to production").click()
    expect(page.locator("#standing")).to_contain_text("Promoted")
    assert_accessible(page)
    page.get_by_role("link", name="Dossier").click()
    expect(page.locator("#main")).to_contain_text("Shorter and still warm.")
    assert_accessible(page)


def read_the_bill(fay: Person) -> None:
    """The spend page's total is to the last digit the sum of the charges behind it; no prompt text anywhere."""
    page = fay.go("spend/")
    assert "Reply to the customer" not in page.content()
    page = fay.go("spend/charges/")
    costs = [amount(text) for text in page.locator("#main tbody tr td:last-child").all_inner_texts()]
    total = amount(page.locator("#main .g-row strong.g-num").inner_text())
    assert len(costs) == 12
    assert sum(costs) == total > 0
    assert fay.page.goto(f"/w/{fay.slug}/prompts/").status == 403  # type: ignore[union-attr]
    assert_accessible(fay.page)


def amount(text: str) -> Decimal:
    """Read the money of a cell: "$0.000123450000" with every digit."""
    return Decimal(re.sub(r"[^0-9.]", "", text))


def roll_back(paula: Person, stage: dict[str, Any]) -> None:
    page = paula.go(f"prompts/{stage['prompt']}/deployments/")
    page.get_by_role("button", name="Roll back to v1").click()
    page.get_by_role("textbox", name="Why?").fill("A customer found it curt.")
    assert_accessible(page)
    page.get_by_role("dialog").get_by_role("button", name="Roll back to v1").click()
    expect(page.locator("#main")).to_contain_text("A customer found it curt.")
    assert_accessible(page)


def read_the_log(olga: Person) -> None:
    page = olga.go("settings/audit/")
    for words in ("saved version", "proposed", "reported check", "reviewed", "promoted", "rolled back"):
        expect(page.locator("#main")).to_contain_text(re.compile(words, re.IGNORECASE))
