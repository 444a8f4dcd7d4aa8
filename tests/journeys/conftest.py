import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.desk import Desk, running_desk

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe.min.js").read_text()
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# A blinking caret and a waiting spinner never end, and one that the browser has put aside may not: nobody waits for ever.
ANIMATIONS_END = """() => Promise.race([
    new Promise(resolve => setTimeout(resolve, 3000)),
    Promise.all(document.getAnimations()
        .filter(one => one.effect.getComputedTiming().endTime !== Infinity)
        .map(one => one.finished.catch(() => 0))),
])"""
OpenPage = Callable[[], Page]


@pytest.fixture(scope="session")
def desk() -> Iterator[Desk]:
    with running_desk() as found:
        yield found


# While Playwright is open, an event loop runs in this thread, which tests of other modules must not find there.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, desk: Desk) -> Iterator[OpenPage]:
    """Give each person a browser of their own; any script error or refused inline code fails the test."""
    contexts, complaints = [], []

    def make() -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=desk.url)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if "Content Security" in line.text else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def assert_accessible(page: Page) -> None:
    """Run axe on the page as it stands: no violation of WCAG 2.2 A and AA."""
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    page.evaluate(ANIMATIONS_END)
    page.evaluate(AXE)
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)
    problems = [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert problems == [], f"{page.url}\n" + "\n".join(problems)
