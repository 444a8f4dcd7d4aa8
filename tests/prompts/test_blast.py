"""The blast radius of a shared prompt: the page, and the panel that other pages show."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User, Workspace
from apps.prompts import blast
from apps.prompts.models import Environment, Version
from tests import factories
from tests.prompts.test_composition import put_live, snippet, tag

HTMX = {"HX-Request": "true"}


@pytest.fixture
def tone(workspace: Workspace, paula: User, environments: dict[str, Environment]) -> Version:
    version = snippet(workspace, paula, "shared/tone", "Kindly.")
    put_live(version, environments["production"])
    return version


@pytest.fixture
def family(workspace: Workspace, paula: User, tone: Version, environments: dict[str, Environment]) -> list[Version]:
    """A parent that is live, one above it that is not, and one that is pinned."""
    parent = snippet(workspace, paula, "parent", tag("shared/tone", "production"))
    put_live(parent, environments["production"])
    return [
        parent,
        snippet(workspace, paula, "above", tag("parent", 1)),
        snippet(workspace, paula, "pinned", tag("shared/tone", 1)),
    ]


def url_of(version: Version, environment: str = "") -> str:
    url = reverse("prompt_blast", kwargs={"workspace": "acme", "prompt_id": version.prompt_id})
    return f"{url}?environment={environment}" if environment else url


def test_everybody_who_takes_it_in_is_named_with_the_way_and_what_is_live_first(
    tone: Version, family: list[Version]
) -> None:
    radius = blast.of(tone.prompt)
    assert str(radius.hits[0].parent.version) == "parent v1"
    assert {str(hit.parent.version): [str(v) for v in hit.parent.through] for hit in radius.hits} == {
        "parent v1": [],
        "above v1": ["parent v1"],
        "pinned v1": [],
    }
    assert radius.sentence.startswith("Taken in by 3 prompts: 1 of them live, 0 calls")


def test_a_move_changes_only_those_who_follow_it(
    tone: Version, family: list[Version], environments: dict[str, Environment]
) -> None:
    names = [hit.parent.version.prompt.name for hit in blast.of(tone.prompt, environments["production"]).hits]
    assert names == ["parent", "above"]
    assert blast.of(tone.prompt, environments["dev"]).hits == []


def test_the_page_and_the_panel_show_them(client_of, paula: User, tone: Version, family: list[Version]) -> None:
    client: Client = client_of(paula)
    page = client.get(url_of(tone)).text
    assert "<title>" in page
    assert "through parent v1" in page.replace("\n", " ")
    panel = client.get(url_of(tone, "production"), headers=HTMX).text
    assert "<title>" not in panel
    assert "2 prompts change with it when it moves in production" in panel
    assert "pinned" not in panel


def test_the_panel_is_empty_when_nobody_takes_it_in_and_the_page_says_so(client_of, paula: User, tone: Version) -> None:
    client: Client = client_of(paula)
    assert client.get(url_of(tone), headers=HTMX).text.strip() == ""
    assert "Nobody takes it in" in client.get(url_of(tone)).text


def test_the_prompts_page_holds_the_place_for_the_panel(client_of, paula: User, tone: Version) -> None:
    page = (
        client_of(paula).get(reverse("prompt_detail", kwargs={"workspace": "acme", "prompt_id": tone.prompt_id})).text
    )
    assert url_of(tone) in page


def test_wrong_method_stranger_and_unknown_environment(client_of, paula: User, stranger: User, tone: Version) -> None:
    assert client_of(paula).post(url_of(tone)).status_code == 405
    assert client_of(stranger).get(url_of(tone)).status_code == 404
    assert client_of(paula).get(url_of(tone, "moon")).status_code == 404


def test_finance_sees_no_prompts(client_of, fay: User, tone: Version) -> None:
    assert client_of(fay).get(url_of(tone)).status_code == 403


def test_many_parents_cost_no_more_queries_than_one(
    workspace: Workspace, paula: User, tone: Version, client_of, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(15):
        snippet(workspace, paula, f"p{number}", tag("shared/tone", 1))
    client: Client = client_of(paula)
    client.get(url_of(tone))
    with django_assert_max_num_queries(25):
        client.get(url_of(tone), headers=HTMX)


def test_what_callers_have_to_send_from_then_on_is_said_before_it_goes_live(
    client_of, workspace: Workspace, paula: User, tone: Version, family: list[Version]
) -> None:
    asks = factories.make_version(
        tone.prompt,
        paula,
        messages=[{"role": "user", "content": "Kindly, to {{customer}}."}],
        variables=[factories.VARIABLES[0]],
    )
    panel = client_of(paula).get(f"{url_of(tone, 'production')}&version={asks.number}", headers=HTMX).text
    assert "customer has to be sent" in panel
    assert "has to be sent" not in client_of(paula).get(f"{url_of(tone, 'production')}&version=1", headers=HTMX).text
    optional = [{**factories.VARIABLES[0], "required": False}]
    assert blast.new_demands(asks, asks) == []
    asks.variables = optional
    assert blast.new_demands(tone, asks) == []
    other = Version(variables=[{**optional[0], "type": "list"}])
    assert blast.new_demands(asks, other) == ["customer becomes a list"]
