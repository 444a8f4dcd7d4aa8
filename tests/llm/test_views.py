"""The pages of the models room: who may see them, what they show, and what they never show."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEvent, User, Workspace
from apps.costs.models import Charge
from apps.llm import health, inference, journal
from apps.llm.completion import Answer, Usage
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.models import Call, Connection, Model
from tests import factories
from tests.llm.conftest import KEY, ask

ClientOf = Callable[[User], Client]
ADMIN_PAGES = ["connection_list", "connection_new", "connection_detail"]
VIEW_PAGES = ["call_list", "call_detail"]
POSTS = ["connection_test", "connection_key", "connection_archive", "model_add", "model_archive"]


@pytest.fixture
def call(model: Model) -> Call:
    """A call that was answered, without the provider."""
    call = journal.begin(ask(model), attempt=1, first=None, now=timezone.now())
    answer = Answer(text="It left <b>today</b>.", tool_calls=[], finish_reason="stop", usage=Usage(input=20, output=5))
    journal.answered(call, answer, request_id="req-1", latency_ms=120, now=timezone.now())
    return call


def url(name: str, workspace: Workspace, call: Call) -> str:
    targets: dict[str, Any] = {"call_detail": call.pk, "model_archive": call.model_id}
    kwargs: dict[str, Any] = {"workspace": workspace.slug}
    if name not in {"call_list", "connection_list", "connection_new"}:
        kwargs["pk"] = targets.get(name, call.model.connection_id)
    return reverse(name, kwargs=kwargs)


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.mark.parametrize("name", [*ADMIN_PAGES, *VIEW_PAGES])
def test_every_page_opens_for_an_admin(
    name: str, workspace: Workspace, call: Call, olga: User, client_of: ClientOf
) -> None:
    assert client_of(olga).get(url(name, workspace, call)).status_code == 200


@pytest.mark.parametrize("name", [*ADMIN_PAGES, *VIEW_PAGES])
def test_a_stranger_finds_nothing(
    name: str, workspace: Workspace, call: Call, stranger: User, client_of: ClientOf
) -> None:
    assert client_of(stranger).get(url(name, workspace, call)).status_code == 404


@pytest.mark.parametrize("name", ["call_detail", "connection_detail"])
def test_an_id_of_another_workspace_finds_nothing(name: str, call: Call, stranger: User, client_of: ClientOf) -> None:
    elsewhere = stranger.memberships.get().workspace
    assert client_of(stranger).get(url(name, elsewhere, call)).status_code == 404


@pytest.mark.parametrize("name", POSTS)
def test_what_belongs_to_another_workspace_cannot_be_changed(
    name: str, call: Call, stranger: User, client_of: ClientOf
) -> None:
    elsewhere = stranger.memberships.get().workspace
    assert client_of(stranger).post(url(name, elsewhere, call), {"replace-key": "x"}).status_code == 404
    assert Connection.objects.get(pk=call.model.connection_id).key() == KEY


@pytest.mark.parametrize("name", VIEW_PAGES)
def test_finance_and_annotators_never_see_prompt_text(
    name: str, workspace: Workspace, call: Call, fay: User, ana: User, client_of: ClientOf
) -> None:
    for person in (fay, ana):
        response = client_of(person).get(url(name, workspace, call))
        assert response.status_code == 403
        assert "Where is my order" not in text(response)


@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_editors_see_no_connections(
    name: str, workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    assert client_of(paula).get(url(name, workspace, call)).status_code == 403


@pytest.mark.parametrize("name", POSTS)
def test_editors_change_no_connections(
    name: str, workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    assert client_of(paula).post(url(name, workspace, call)).status_code == 403


@pytest.mark.parametrize("name", POSTS)
def test_what_changes_things_takes_no_get(
    name: str, workspace: Workspace, call: Call, olga: User, client_of: ClientOf
) -> None:
    assert client_of(olga).get(url(name, workspace, call)).status_code == 405


def test_the_trace_shows_question_answer_and_cost_as_text(
    workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    shown = text(client_of(paula).get(url("call_detail", workspace, call)))
    assert "Where is my order?" in shown
    assert "It left &lt;b&gt;today&lt;/b&gt;." in shown
    assert "$0.00004" in shown  # 20 tokens at a millionth and 5 at four
    assert "<b>today" not in shown


def test_the_trace_lists_every_attempt(workspace: Workspace, model: Model, paula: User, client_of: ClientOf) -> None:
    now = timezone.now()
    first = journal.begin(ask(model), attempt=1, first=None, now=now)
    journal.failed(first, ProviderError(ErrorKind.OVERLOADED, "busy", http_status=529), latency_ms=5, now=now)
    second = journal.begin(ask(model), attempt=2, first=first, now=now)
    shown = text(client_of(paula).get(reverse("call_detail", args=[workspace.slug, second.pk])))
    assert "2 attempts" in shown
    assert "overloaded" in shown
    assert str(first.pk) in shown


def test_calls_can_be_filtered(workspace: Workspace, call: Call, paula: User, client_of: ClientOf) -> None:
    page = url("call_list", workspace, call)
    client = client_of(paula)
    found = {query: str(call.pk) in text(client.get(page + query)) for query in (
        "", "?state=answered", "?purpose=playground", f"?model={call.model_id}", "?state=nonsense",
        "?state=trouble", "?purpose=judge", f"?before={call.pk}",
    )}  # fmt: skip
    assert list(found.values()) == [True] * 5 + [False] * 3


def test_htmx_gets_the_list_alone(workspace: Workspace, call: Call, paula: User, client_of: ClientOf) -> None:
    response = client_of(paula).get(url("call_list", workspace, call), headers={"HX-Request": "true"})
    assert text(response).strip().startswith("<section")
    assert "HX-Request" in response["Vary"]


def test_old_calls_are_one_link_away(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.llm.traces.PAGE", 2)
    calls = [journal.begin(ask(model), attempt=1, first=None, now=timezone.now()) for _ in range(3)]
    page = reverse("call_list", args=[workspace.slug])
    newest = text(client_of(paula).get(page))
    assert f"before={calls[1].pk}" in newest
    older = text(client_of(paula).get(f"{page}?before={calls[1].pk}"))
    assert str(calls[0].pk) in older
    assert f"calls/{calls[2].pk}" not in older


@pytest.mark.parametrize(("name", "budget"), [("call_list", 14), ("call_detail", 15), ("connection_list", 15)])
def test_pages_keep_to_their_queries_however_long_the_list(
    name: str, budget: int, workspace: Workspace, call: Call, olga: User, client_of: ClientOf,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for number in range(10):
        connection = factories.make_connection(workspace, name=f"C{number}")
        model = factories.make_model(connection)
        journal.begin(ask(model), attempt=1, first=None, now=timezone.now())
    client = client_of(olga)
    client.get(url(name, workspace, call))
    with django_assert_max_num_queries(budget):
        client.get(url(name, workspace, call))


def test_a_connection_is_added_and_its_key_shown_nowhere(workspace: Workspace, olga: User, client_of: ClientOf) -> None:
    client = client_of(olga)
    sent = {
        "kind": "openai-compatible",
        "name": "Local",
        "base_url": "http://127.0.0.1:9/v1",
        "key": KEY,
        "max_concurrency": 4,
    }
    response = client.post(reverse("connection_new", args=[workspace.slug]), sent, follow=True)
    connection = Connection.objects.get()
    assert response.redirect_chain[0][0] == reverse("connection_detail", args=[workspace.slug, connection.pk])
    assert (connection.provider, connection.key()) == ("openai-compatible", KEY)
    pages = [response, client.get(reverse("connection_list", args=[workspace.slug]))]
    assert not any(KEY in text(page) for page in pages)


def test_a_refused_form_says_why_and_does_not_repeat_the_key(
    workspace: Workspace, olga: User, client_of: ClientOf
) -> None:
    sent = {
        "kind": "openai-compatible",
        "name": "Local",
        "base_url": "http://10.0.0.1/v1",
        "key": KEY,
        "max_concurrency": 4,
    }
    response = client_of(olga).post(reverse("connection_new", args=[workspace.slug]), sent)
    assert response.status_code == 422
    assert "private address" in text(response)
    assert KEY not in text(response)


def test_the_usual_address_is_filled_in(
    workspace: Workspace, olga: User, client_of: ClientOf, monkeypatch: Any
) -> None:
    monkeypatch.setattr("apps.llm.actions.outgoing.check_url", lambda url: None)
    sent = {"kind": "anthropic", "name": "Claude", "key": KEY, "max_concurrency": 4}
    client_of(olga).post(reverse("connection_new", args=[workspace.slug]), sent)
    assert Connection.objects.get().base_url == "https://api.anthropic.com"


def test_settings_are_changed_without_touching_the_key(
    workspace: Workspace, connection: Connection, olga: User, client_of: ClientOf
) -> None:
    sent = {"name": "Renamed", "base_url": connection.base_url, "provider": "other", "max_concurrency": 9}
    client_of(olga).post(reverse("connection_detail", args=[workspace.slug, connection.pk]), sent)
    connection.refresh_from_db()
    assert (connection.name, connection.provider, connection.max_concurrency) == ("Renamed", "other", 9)
    assert connection.key() == KEY


def test_key_model_and_archive_buttons_do_what_they_say(
    workspace: Workspace, connection: Connection, olga: User, client_of: ClientOf
) -> None:
    client = client_of(olga)
    at = [workspace.slug, connection.pk]
    client.post(reverse("connection_key", args=at), {"replace-key": "sk-replaced-0123456789"})
    client.post(reverse("model_add", args=at), {"model-name": "gpt", "model-context_window": "8192"})
    model = connection.models.get()
    client.post(reverse("model_archive", args=[workspace.slug, model.pk]))
    assert Connection.objects.get().key() == "sk-replaced-0123456789"
    client.post(reverse("connection_archive", args=at))
    assert [row.archived_at is None for row in (Connection.objects.get(), Model.objects.get())] == [False, False]
    verbs = AuditEvent.objects.order_by("number").values_list("verb", flat=True)
    assert list(verbs) == ["replaced the key", "added a model", "archived a model", "archived a connection"]


def test_the_test_button_says_that_it_works(
    workspace: Workspace, connection: Connection, olga: User, client_of: ClientOf
) -> None:
    response = client_of(olga).post(
        reverse("connection_test", args=[workspace.slug, connection.pk]), headers={"HX-Request": "true"}
    )
    assert "It works" in text(response)
    assert "practice-large" in text(response)


def found(models: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    finding = health.Finding(True, "It works.", tuple(models))
    monkeypatch.setattr("apps.llm.views.health.probe", lambda connection, asked_by: finding)


def test_what_the_provider_has_and_the_connection_lacks_can_be_added(
    workspace: Workspace, connection: Connection, olga: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_model(connection, "here")
    factories.make_model(connection, "gone")
    Model.objects.filter(name="gone").update(archived_at=timezone.now())
    found(["gone", "here", "new"], monkeypatch)
    page = reverse("connection_test", args=[workspace.slug, connection.pk])
    shown = text(client_of(olga).post(page, headers={"HX-Request": "true"}))
    assert re.findall(r'name="model-name" value="([^"]+)"', shown) == ["gone", "new"]
    assert "Already offered here: here." in shown


def test_a_long_list_of_models_is_cut(
    workspace: Workspace, connection: Connection, olga: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    found([f"m{number:02}" for number in range(23)], monkeypatch)
    page = reverse("connection_test", args=[workspace.slug, connection.pk])
    shown = text(client_of(olga).post(page, headers={"HX-Request": "true"}))
    assert shown.count('name="model-name"') == 20
    assert "And 3 more" in shown


def test_adding_a_found_model_leaves_the_others_in_place(
    workspace: Workspace, connection: Connection, olga: User, client_of: ClientOf
) -> None:
    page = reverse("model_add", args=[workspace.slug, connection.pk])
    shown = text(client_of(olga).post(page, {"model-name": "new"}, headers={"HX-Request": "true"}))
    assert connection.models.get().name == "new"
    assert "Added" in shown
    assert re.search(r'id="model-table"[^>]* hx-swap-oob="true"', shown)
    assert "<html" not in shown


@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_connections_are_a_section_of_the_settings(
    name: str, workspace: Workspace, call: Call, olga: User, client_of: ClientOf
) -> None:
    sections = client_of(olga).get(url(name, workspace, call)).context["sections"]
    assert [section["label"] for section in sections if section["active"]] == ["Connections"]


@pytest.mark.parametrize(
    ("base_url", "key", "words"),
    [
        ("{provider}/v1", "sk-revoked-1", "does not accept the key"),
        ("http://127.0.0.1:9/v1", KEY, "cannot be reached"),
        ("http://10.1.2.3/v1", KEY, "private address"),
        ("{provider}/nowhere", KEY, "does not list models"),
    ],
)
def test_a_test_says_in_words_what_is_wrong(
    base_url: str, key: str, words: str, workspace: Workspace, provider: str, olga: User
) -> None:
    connection = factories.make_connection(workspace, base_url.format(provider=provider), key=key)
    finding = health.probe(connection, asked_by=olga)
    assert not finding.is_good
    assert words in finding.message


@pytest.mark.django_db(transaction=True)
def test_health_is_told_in_a_word(workspace: Workspace, model: Model) -> None:
    for fault in ("", "", "400"):
        try:
            inference.complete(ask(model, fault))
        except ProviderError:
            continue
    found = health.of_workspace(workspace, timezone.now())[model.connection_id]
    assert (found.calls, found.failed, found.word) == (3, 1, "Shaky")
    assert found.median_ms is not None
    assert Charge.objects.count() == 3


def test_a_model_without_a_price_says_so(workspace: Workspace, model: Model, olga: User, client_of: ClientOf) -> None:
    page = reverse("connection_detail", args=[workspace.slug, model.connection_id])
    assert "No price" not in text(client_of(olga).get(page))
    factories.make_model(model.connection, "practice-large")
    assert "Its calls will be unpriced" in text(client_of(olga).get(page))
