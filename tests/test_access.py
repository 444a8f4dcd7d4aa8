"""Who may enter which route: every route declares it, and what it declares is what happens."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.accounts.access import Access
from apps.accounts.models import User, Workspace
from apps.accounts.rights import RIGHTS_OF, Right, Role, Scope
from tests import factories

Route = tuple[str, Any]
# Pages of django-allauth, which look after themselves: signing in and out, passwords, sign-up by invitation.
OTHERS = re.compile(r"^accounts/")
ARGUMENTS = {"workspace": "acme", "int": "1", "slug": "x", "uuid": "00000000-0000-4000-8000-000000000000"}


def routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[Route]:
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        place = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, place)
        elif isinstance(pattern, URLPattern):
            yield place, pattern.callback


def access_of(view: Any) -> Any:
    return (
        getattr(view, "access", None)
        or getattr(getattr(view, "view_class", None), "access", None)
        or getattr(getattr(view, "cls", None), "access", None)
    )


OURS = [(place, view) for place, view in routes() if not OTHERS.match(place)]
PAGES = [(place, access_of(view)) for place, view in OURS if isinstance(access_of(view), Access)]
IN_WORKSPACE = [(place, access) for place, access in PAGES if access.kind == "workspace"]
APIS = [(place, view.view_class) for place, view in OURS if hasattr(view, "view_class") and place.startswith("api/")]


def url_of(place: str) -> str:
    """Fill a route's arguments: the workspace that exists, and things that do not."""

    def fill(match: re.Match[str]) -> str:
        kind, _, name = match[1].rpartition(":")
        return "acme" if name == "workspace" else ARGUMENTS.get(kind, "x")

    return "/" + re.sub(r"<([^>]+)>", fill, place)


@pytest.mark.parametrize(("place", "view"), OURS, ids=[place for place, _ in OURS])
def test_every_route_declares_who_may_enter(place: str, view: Any) -> None:
    declared = access_of(view)
    open_api = getattr(getattr(view, "view_class", None), "authentication_classes", None) == []
    assert isinstance(declared, Access | str) or open_api, f"{place} is bare"


@pytest.fixture
def people(workspace: Workspace) -> dict[str, Client]:
    """One client for each role, one for a stranger, one for nobody."""
    found: dict[str, Client] = {"nobody": Client()}
    users: list[tuple[str, User]] = [
        (role, factories.make_member(workspace, f"member-{role}", Role(role))) for role in Role.values
    ]
    other = factories.make_workspace("elsewhere")
    users.append(("stranger", factories.make_member(other, "stranger", Role.ADMIN)))
    for name, user in users:
        found[name] = Client(raise_request_exception=True)
        found[name].force_login(user)
    return found


@pytest.mark.parametrize(("place", "access"), IN_WORKSPACE, ids=[place for place, _ in IN_WORKSPACE])
def test_a_workspace_route_lets_in_whom_it_names_and_nobody_else(
    place: str, access: Access, people: dict[str, Client]
) -> None:
    url = url_of(place)
    for name, client in people.items():
        answers = {getattr(client, method)(url).status_code for method in ("get", "post")}
        words = f"{url} as {name}: {sorted(answers)}"
        assert max(answers) < 500, words
        # A method that the route does not know is refused before anybody is asked who they are.
        real = answers - {405}
        if name == "nobody":
            assert real == {302}, words
        elif name == "stranger":
            assert real == {404}, words
        elif access.rights and access.rights.isdisjoint(RIGHTS_OF[Role(name)]):
            assert real == {403}, words
        else:
            assert 403 not in real, words


@pytest.mark.parametrize(("place", "view"), APIS, ids=[place for place, _ in APIS])
def test_an_api_route_takes_the_scope_it_names_and_no_other(place: str, view: Any, workspace: Workspace) -> None:
    if view.authentication_classes == []:
        assert Client().get(url_of(place)).status_code == 200
        return
    url, wanted = url_of(place), view.access
    scopes = [*Scope.values, "prompts:promote:production"]
    for scope in scopes:
        _, secret = factories.make_api_key(workspace, scope)
        answer = Client().get(url, headers={"Authorization": f"Bearer {secret}"})
        if scope in (wanted, Scope.ADMIN):
            assert answer.status_code not in (401, 403), f"{url} with {scope}: {answer.status_code}"
        else:
            assert answer.status_code in (403, 405), f"{url} with {scope}: {answer.status_code}"
    assert Client().get(url).status_code == 401


def test_finance_and_annotators_hold_nothing_else() -> None:
    assert RIGHTS_OF[Role.FINANCE] == {Right.VIEW_SPEND, Right.MANAGE_BUDGETS, Right.APPROVE_PRICES}
    assert RIGHTS_OF[Role.ANNOTATOR] == {Right.RATE}
