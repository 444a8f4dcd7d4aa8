"""Photograph every page of the demo workspace: 1440 and 390 px wide, light and dark, full and empty.

    make screenshots                       into var/screenshots/
    make screenshots README=1              also renews the pictures of the README

It starts a desk of its own with the demo workspace, in a folder of its own, and ends it.
"""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.journeys.conftest import CHROMIUM_ARGUMENTS  # noqa: E402
from tests.journeys.desk import running_desk  # noqa: E402

TARGET = ROOT / "var" / "screenshots"
PICTURES = ROOT / "docs"
SIZES = ((1440, 900), (390, 844))
SCHEMES = ("light", "dark")


@dataclass(frozen=True)
class Shot:
    """A page as one person sees it. `find` follows the first link that matches from there."""

    name: str
    person: str
    path: str
    find: str = ""


SHOTS = (
    Shot("prompts", "paula", "prompts/"),
    Shot("prompt", "paula", "prompts/", "td.main a[href*='/prompts/']"),
    Shot("draft", "paula", "prompts/?q=support/reply", "td.main a"),
    Shot("try", "paula", "prompts/?q=support/reply", "td.main a"),
    Shot("versions", "paula", "prompts/?q=support/reply", "td.main a"),
    Shot("requests", "ravi", "prompts/requests/"),
    Shot("request", "ravi", "prompts/requests/", ".g-list a"),
    Shot("experiments", "paula", "experiments/"),
    Shot("run", "paula", "experiments/runs/", "td.main a"),
    Shot("reviews", "ana", "reviews/"),
    Shot("rate", "ana", "reviews/", "a[href*='/rate/']"),
    Shot("spend", "fay", "spend/"),
    Shot("charges", "fay", "spend/charges/"),
    Shot("prices", "fay", "spend/prices/"),
    Shot("models", "paula", "models/"),
    Shot("model", "paula", "models/", "td.main a"),
    Shot("finder", "paula", "models/finder/?input_tokens=2000&output_tokens=300&max_cost=3&tools=on"),
    Shot(
        "estimator",
        "paula",
        "models/estimator/?requests_per_day=5000&input_tokens=2600&output_tokens=150&model=1&model=2&model=3",
    ),
    Shot("calls", "paula", "models/calls/"),
    Shot("connections", "olga", "models/connections/"),
    Shot("connection", "olga", "models/connections/", "td.main a"),
    Shot("settings", "olga", "settings/"),
    Shot("members", "olga", "settings/members/"),
    Shot("audit", "olga", "settings/audit/"),
    Shot("inbox", "ravi", "inbox/"),
)
AFTER = {"draft": "draft/", "try": "try/", "versions": "versions/"}
FOR_README = {"request": "change-request.png", "spend": "spend.png", "rate": "rate.png"}


def main() -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    with running_desk("--demo") as desk, sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        card = json.loads((desk.var / "demo.json").read_text())
        for width, height in SIZES:
            for scheme in SCHEMES:
                photograph(browser, desk.url, card, (width, height), scheme)
        empty(browser, desk)
        browser.close()
    if os.environ.get("README"):
        renew_readme()


def photograph(browser: Browser, url: str, card: dict, size: tuple[int, int], scheme: str) -> None:
    contexts: dict[str, BrowserContext] = {}
    for shot in SHOTS:
        if shot.person not in contexts:
            contexts[shot.person] = sign_in(browser, url, card["people"][shot.person], size, scheme)
        page = contexts[shot.person].new_page()
        page.goto(f"{url}/w/{card['workspace']}/{shot.path}")
        if shot.find:
            page.goto(url + (page.locator(shot.find).first.get_attribute("href") or ""))
        if shot.name in AFTER:
            page.goto(page.url + AFTER[shot.name])
        take(page, f"{shot.name}-{size[0]}-{scheme}")
        page.close()
    for context in contexts.values():
        context.close()


def sign_in(browser: Browser, url: str, person: dict, size: tuple[int, int], scheme: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{url}/accounts/login/")
    take(page, f"sign-in-{size[0]}-{scheme}")
    page.get_by_label("Email").fill(person["email"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/w/**")
    page.close()
    return context


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=TARGET / f"{name}.png")
    page.screenshot(path=TARGET / f"{name}-whole.png", full_page=True)


def empty(browser: Browser, desk) -> None:
    """A workspace in its first minute: what the empty pages say."""
    printed = desk.manage("create_workspace", "--name", "Empty", "--slug", "empty", "--admin-email", "new@example.com")
    link = next(word for word in printed.split() if "/join/" in word)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(link)
    take(page, "join-1440-light")
    page.get_by_role("link", name="account").first.click()
    page.get_by_label("Name").fill("Nadia New")
    page.get_by_label("Password").first.fill("a-long-first-password")
    take(page, "sign-up-1440-light")
    page.get_by_role("button", name="Make the account").click()
    page.wait_for_url("**/w/**")
    for room in ("prompts/", "experiments/", "reviews/queues/", "spend/", "models/", "inbox/"):
        page.goto(f"{desk.url}/w/empty/{room}")
        take(page, f"empty-{room.strip('/').replace('/', '-')}-1440-light")
    context.close()


def renew_readme() -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, file in FOR_README.items():
        shutil.copy(TARGET / f"{name}-1440-light.png", PICTURES / file)


if __name__ == "__main__":
    main()
