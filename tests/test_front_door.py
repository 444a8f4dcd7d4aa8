"""Where people land, and what they read when something is not there."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Membership, User, Workspace
from tests import factories
from tests.conftest import ClientOf

HOMES = {
    "paula": "prompt_list",
    "ravi": "prompt_list",
    "ana": "review_desk",
    "fay": "spend_month",
    "olga": "prompt_list",
}


@pytest.mark.parametrize(("name", "home"), HOMES.items())
def test_everybody_lands_where_something_waits_for_them(
    client_of: ClientOf, request: pytest.FixtureRequest, workspace: Workspace, name: str, home: str
) -> None:
    client = client_of(request.getfixturevalue(name))
    answer = client.get("/", follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == reverse(home, kwargs={"workspace": workspace.slug})


def test_somebody_without_a_workspace_reads_what_to_do(client_of: ClientOf, ana: User) -> None:
    Membership.objects.filter(user=ana).delete()
    assert b"invitation" in client_of(ana).get("/").content


def test_the_workspace_used_last_is_the_one_to_land_in(client_of: ClientOf, paula: User, workspace: Workspace) -> None:
    other = factories.make_workspace("aaa-first")
    Membership.objects.create(user=paula, workspace=other, roles=["viewer"])
    client = client_of(paula)
    client.get(f"/w/{workspace.slug}/")
    assert client.get("/").url == f"/w/{workspace.slug}/"


def test_a_form_with_too_many_fields_is_refused_in_words(
    client_of: ClientOf, paula: User, workspace: Workspace
) -> None:
    fields = {f"variable-{number}-default": "x" for number in range(12_500)}
    answer = client_of(paula).post(reverse("prompt_new", kwargs={"workspace": workspace.slug}), fields)
    assert answer.status_code == 400
    assert b"more fields than can be sent" in answer.content


@pytest.mark.parametrize("path", ["/nowhere", "/w/acme/prompts/999999/", "/w/unknown/prompts/"])
def test_what_is_not_there_is_said_kindly(client_of: ClientOf, paula: User, path: str) -> None:
    answer = client_of(paula).get(path)
    assert answer.status_code == 404
    assert b"<h1" in answer.content


def test_health_needs_nobody(db: None) -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}


def test_pages_forbid_inline_code(client_of: ClientOf, paula: User, workspace: Workspace) -> None:
    policy = client_of(paula).get(reverse("prompt_list", kwargs={"workspace": workspace.slug}))[
        "Content-Security-Policy"
    ]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "default-src 'self'" in policy
