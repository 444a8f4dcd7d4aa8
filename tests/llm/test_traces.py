"""The list of traces: who may see them, what every filter finds, and how pages follow each other."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User, Workspace
from apps.core.ids import uuid7_floor
from apps.costs.models import Purpose
from apps.llm.models import Call, Model
from apps.llm.traces import names, search
from apps.llm.traces.wanted import NEWEST, Condition, Wanted
from tests import factories
from tests.llm.call_rows import charge, make_call

ClientOf = Callable[[User], Client]
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
PAGES = ["call_list", "call_prompts", "call_detail", "call_json", "call_jump"]


def url(name: str, workspace: Workspace, call: Call | None = None) -> str:
    address = reverse(
        name, args=[workspace.slug, call.pk] if name in ("call_detail", "call_json") else [workspace.slug]
    )
    return f"{address}?q={call.pk}" if name == "call_jump" else address


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def look(workspace: Workspace, **wanted: Any) -> list[Call]:
    return list(search.page_of_calls(workspace.pk, Wanted(**wanted)).calls)


@pytest.fixture
def call(model: Model) -> Call:
    call = make_call(model, text="It left <b>today</b>.")
    charge(call)
    return call


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_for_an_editor(
    name: str, workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    assert client_of(paula).get(url(name, workspace, call), follow=True).status_code == 200


@pytest.mark.parametrize("name", PAGES)
def test_finance_and_annotators_never_see_prompt_text(
    name: str, workspace: Workspace, call: Call, fay: User, ana: User, client_of: ClientOf
) -> None:
    for person in (fay, ana):
        response = client_of(person).get(url(name, workspace, call))
        assert response.status_code == 403
        assert "Where is my order" not in text(response)


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_finds_nothing(
    name: str, workspace: Workspace, call: Call, stranger: User, client_of: ClientOf
) -> None:
    assert client_of(stranger).get(url(name, workspace, call)).status_code == 404


@pytest.mark.parametrize("name", ["call_detail", "call_json", "call_jump"])
def test_a_call_of_another_workspace_is_not_there(name: str, call: Call, stranger: User, client_of: ClientOf) -> None:
    elsewhere = stranger.memberships.get().workspace
    assert client_of(stranger).get(url(name, elsewhere, call)).status_code == 404


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_posted_here(name: str, workspace: Workspace, call: Call, paula: User, client_of: ClientOf) -> None:
    assert client_of(paula).post(url(name, workspace, call)).status_code == 405


@pytest.mark.parametrize(("name", "budget"), [("call_list", 15), ("call_detail", 22)])
def test_pages_keep_to_their_queries_however_long_the_list(
    name: str, budget: int, workspace: Workspace, call: Call, olga: User, client_of: ClientOf,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for number in range(10):
        connection = factories.make_connection(workspace, name=f"C{number}")
        make_call(factories.make_model(connection), first_attempt_id=call.pk, attempt=number + 2)
    client = client_of(olga)
    client.get(url(name, workspace, call))
    with django_assert_max_num_queries(budget):
        client.get(url(name, workspace, call))


def test_htmx_gets_the_list_alone_and_an_address_to_hand_on(
    workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    page = url("call_list", workspace)
    response = client_of(paula).get(f"{page}?state=answered&model=&prompt=", headers={"HX-Request": "true"})
    assert text(response).strip().startswith("<section")
    assert "HX-Request" in response["Vary"]
    assert response["HX-Push-Url"] == f"{page}?state=answered"


def queries(call: Call) -> dict[str, bool]:
    return {
        "": True,
        f"prompt={call.attribution['prompt_name']}": True,
        "prompt=no/such": False,
        f"prompt_id={call.prompt_id}": True,
        f"prompt_id={call.prompt_id}&version=3": True,
        f"prompt_id={call.prompt_id}&version=4": False,
        f"model={call.model_id}": True,
        f"connection={call.model.connection_id}": True,
        f"connection={call.model.connection_id}&model={call.model_id}": True,
        "purpose=playground": True,
        "purpose=judge": False,
        "operation=complete": True,
        "operation=stream": False,
        "state=answered": True,
        "state=trouble": False,
        "state=reused": False,
        "state=estimated": False,
        "state=unpriced": False,
        "state=sent": False,
        "error=timeout": False,
        "slower=0.1": True,
        "slower=0.2": False,
        "dearer=0.00004": True,
        "dearer=0.00005": False,
        f"person={call.user_id}": True,
        "period=hour": True,
        "since=2026-11-03T11:00": True,
        "until=2026-11-03T11:00": False,
        f"before={call.pk}": False,
        f"before={uuid7_floor(NOW + timedelta(days=1))}": True,
    }


@pytest.mark.parametrize("number", range(30))
def test_a_filter_finds_what_it_says(
    number: int, workspace: Workspace, model: Model, paula: User, client_of: ClientOf, time_machine: Any
) -> None:
    time_machine.move_to(NOW + timedelta(minutes=10))
    call = make_call(
        model, NOW, prompt_id=7, version_id=70, user_id=paula.pk, named={"version_number": 3}
    )  # fmt: skip
    query, is_found = list(queries(call).items())[number]
    assert len(queries(call)) == 30
    shown = text(client_of(paula).get(f"{url('call_list', workspace)}?{query}"))
    assert (reverse("call_detail", args=[workspace.slug, call.pk]) in shown) is is_found, query


@pytest.mark.parametrize(
    ("look_for", "fields"),
    [
        ("trouble", {"state": Call.State.FAILED, "error_kind": "timeout"}),
        ("failed", {"state": Call.State.FAILED, "error_kind": "timeout"}),
        ("lost", {"state": Call.State.LOST, "error_kind": "lost"}),
        ("sent", {"state": Call.State.SENT}),
        ("reused", {"reused_id": uuid4()}),
        ("estimated", {"usage": {"input": 1, "output": 1, "estimated": True}}),
        ("unpriced", {"cost": None}),
    ],
)
def test_every_state_has_a_filter_of_its_own(
    look_for: str, fields: dict[str, Any], workspace: Workspace, model: Model
) -> None:
    make_call(model)
    wanted = make_call(model, **fields)
    assert look(workspace, look=look_for) == [wanted]


def test_a_call_in_flight_is_not_unpriced(workspace: Workspace, model: Model) -> None:
    make_call(model, state=Call.State.SENT, cost=None, usage=None)
    assert look(workspace, look="unpriced") == []


def test_several_filters_narrow_together(workspace: Workspace, model: Model) -> None:
    make_call(model, purpose=Purpose.JUDGE, latency_ms=900)
    make_call(model, purpose=Purpose.JUDGE, latency_ms=10)
    both = make_call(model, purpose=Purpose.JUDGE, latency_ms=900, error_kind="timeout", state=Call.State.FAILED)
    assert look(workspace, purpose="judge", latency_ms=500, error_kind="timeout") == [both]


def test_calls_of_another_workspace_are_found_by_no_filter(model: Model, stranger: User) -> None:
    make_call(model, prompt_id=7, user_id=1, cost=Decimal(9), latency_ms=9)
    elsewhere = stranger.memberships.get().workspace
    for wanted in ({}, {"model_ids": (model.pk,)}, {"model_ids": (model.pk, 0)}, {"prompt_id": 7}, {"cost": Decimal(1)},
                   {"model_ids": (model.pk,), "purpose": "playground"}, {"latency_ms": 1}):  # fmt: skip
        assert look(elsewhere, **wanted) == []


def walk(workspace: Workspace, wanted: Wanted, *, is_forward: bool = False, start: Any = None) -> list[list[Call]]:
    """Follow the list to its end, page by page."""
    pages = []
    place = search.Place(start, is_forward)
    while True:
        found = search.page_of_calls(workspace.pk, wanted, place)
        if found.place.is_forward is not is_forward:  # nothing is newer: this is the head of the list again
            return pages
        pages.append(list(found.calls))
        on = found.stopped_at or (found.newer if is_forward else found.older)
        if on is None or len(pages) > 60:
            return pages
        place = search.Place(on, is_forward)


@pytest.mark.parametrize("most", [1, 3, 7, 1000])
def test_pages_follow_each_other_without_gaps_or_doubles(
    most: int, workspace: Workspace, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE", 4)
    bound_to(most, monkeypatch)
    calls = [make_call(model, NOW + timedelta(seconds=n), purpose="judge" if n % 3 else "review") for n in range(25)]
    judged = [call.pk for call in reversed(calls) if call.purpose == "judge"]
    back = [call.pk for page in walk(workspace, Wanted(purpose="judge")) for call in page]
    assert back == judged
    pages = walk(workspace, Wanted(purpose="judge"), is_forward=True, start=calls[0].pk)
    forward = [call.pk for page in pages for call in reversed(page)]
    assert forward == judged[: -len(forward) - 1 : -1]
    assert len(judged) - len(forward) <= 4  # the last ones are the head of the list, which is shown whole


def bound_to(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page look through so few calls."""
    init = Condition.__init__

    def smaller(self: Condition, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        object.__setattr__(self, "most", most)

    monkeypatch.setattr(Condition, "__init__", smaller)
    object.__setattr__(NEWEST, "most", most)
    monkeypatch.setattr(search, "NEWEST", Condition(lambda rows: rows, is_ordered=True))


@pytest.fixture(autouse=True)
def newest_as_it_was() -> Any:
    most = NEWEST.most
    yield
    object.__setattr__(NEWEST, "most", most)


def test_a_search_that_would_take_long_stops_and_says_where(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound_to(5, monkeypatch)
    wanted = make_call(model, NOW - timedelta(days=2), purpose="judge")
    calls = [make_call(model, NOW - timedelta(minutes=n)) for n in range(5)]
    client, page = client_of(paula), url("call_list", workspace)
    shown = text(client.get(f"{page}?purpose=judge"))
    assert "Nothing found so far" in shown
    assert f"purpose=judge&amp;before={calls[-1].pk}" in shown
    assert str(wanted.pk) in text(client.get(f"{page}?purpose=judge&before={calls[-1].pk}"))


def test_the_index_that_reaches_further_back_is_taken(
    workspace: Workspace, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound_to(5, monkeypatch)
    old = make_call(model, NOW - timedelta(days=9), user_id=4, purpose="judge")
    for n in range(20):
        make_call(model, NOW - timedelta(minutes=n), user_id=3)
    assert look(workspace, user_id=4, purpose="judge") == [old]
    assert look(workspace, user_id=3, purpose="judge") == []


def test_old_calls_are_one_link_away(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE", 2)
    calls = [make_call(model, NOW + timedelta(seconds=n)) for n in range(3)]
    client, page = client_of(paula), url("call_list", workspace)
    assert f"before={calls[1].pk}" in text(client.get(page))
    older = text(client.get(f"{page}?before={calls[1].pk}"))
    assert str(calls[0].pk) in older
    assert f"calls/{calls[2].pk}" not in older
    assert f"after={calls[0].pk}" in older


def test_what_is_not_understood_is_said(workspace: Workspace, call: Call, paula: User, client_of: ClientOf) -> None:
    page = url("call_list", workspace)
    client = client_of(paula)
    assert "Choose a prompt first" in text(client.get(f"{page}?version=3"))
    assert "before the beginning" in text(client.get(f"{page}?since=2026-11-03T11:00&until=2026-11-01T11:00"))
    assert "from 2000 to 2200" in text(client.get(f"{page}?since=0001-01-01T00:00"))


@pytest.mark.parametrize(
    "query",
    ["slower=1e400", "slower=NaN", "dearer=-1", "model=x", "person=abc", "person=99999999999999999999", "before=1",
     "version=99999999999999", "prompt_id=0", "prompt=%F0%9F", "since=9999-12-31T23:59", "until=tomorrow", "q=%22%27"],
)  # fmt: skip
def test_nonsense_in_the_address_breaks_nothing(
    query: str, workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    client = client_of(paula)
    assert client.get(f"{url('call_list', workspace)}?{query}").status_code == 200
    assert client.get(f"{reverse('call_jump', args=[workspace.slug])}?{query}").status_code in {302, 404}


def test_each_condition_is_a_chip_that_can_be_taken_away(
    workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    page = url("call_list", workspace)
    response = client_of(paula).get(f"{page}?purpose=judge&slower=2.5&before={call.pk}")
    assert response.context["chips"] == [
        {"label": "Judges", "query": "slower=2.5"},
        {"label": "Took at least 2.5\u00a0s", "query": "purpose=judge"},
    ]


def test_prompts_are_offered_by_the_names_that_calls_carry(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf
) -> None:
    for n, name in enumerate(["old", "faq/answer", "support/reply"]):
        make_call(model, NOW + timedelta(seconds=n), prompt_id=max(n, 1), named={"prompt_name": name})
    assert names.prompts_called(workspace.pk) == {1: "faq/answer", 2: "support/reply"}
    shown = text(client_of(paula).get(url("call_prompts", workspace) + "?prompt=REP"))
    assert re.findall(r'value="([^"]+)"', shown) == ["support/reply"]


@pytest.mark.parametrize("which", ["pk", "charge_id", "provider_request_id"])
def test_any_id_of_a_call_leads_to_it(
    which: str, workspace: Workspace, model: Model, paula: User, client_of: ClientOf
) -> None:
    call = make_call(model, provider_request_id="req_123")
    response = client_of(paula).get(
        f"{reverse('call_jump', args=[workspace.slug])}?q=%20{getattr(call, which)}%20"
    )  # fmt: skip
    assert response["Location"] == url("call_detail", workspace, call)
