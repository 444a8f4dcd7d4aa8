"""The pages of the models room: who may see them, what they show, and what they never show."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEvent, User, Workspace
from apps.llm import health, hours
from apps.llm.models import Call, Connection, Model
from tests import factories
from tests.llm.calls import made
from tests.llm.conftest import KEY

ClientOf = Callable[[User], Client]
ADMIN_PAGES = ["connection_list", "connection_new", "connection_detail", "model_edit"]
OPEN_PAGES = ["model_list", "model_detail", "model_find", "model_estimate"]
POSTS = ["connection_test", "connection_key", "connection_archive", "model_add", "model_archive"]
ABOUT_A_MODEL = {"model_detail", "model_edit", "model_archive"}
ABOUT_A_CONNECTION = {"connection_detail", *POSTS} - ABOUT_A_MODEL


@pytest.fixture
def call(model: Model) -> Call:
    """A call that was answered, without the provider."""
    call = made(model, ms=120)
    hours.refresh(timezone.now())
    return call


def url(name: str, workspace: Workspace, call: Call) -> str:
    kwargs: dict[str, Any] = {"workspace": workspace.slug}
    if name in ABOUT_A_MODEL:
        kwargs["pk"] = call.model_id
    if name in ABOUT_A_CONNECTION:
        kwargs["pk"] = call.model.connection_id
    return reverse(name, kwargs=kwargs)


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.mark.parametrize("name", [*ADMIN_PAGES, *OPEN_PAGES])
def test_every_page_opens_for_an_admin(
    name: str, workspace: Workspace, call: Call, olga: User, client_of: ClientOf
) -> None:
    assert client_of(olga).get(url(name, workspace, call)).status_code == 200


@pytest.mark.parametrize("name", [*ADMIN_PAGES, *OPEN_PAGES])
def test_a_stranger_finds_nothing(
    name: str, workspace: Workspace, call: Call, stranger: User, client_of: ClientOf
) -> None:
    assert client_of(stranger).get(url(name, workspace, call)).status_code == 404


@pytest.mark.parametrize("name", ["connection_detail", "model_detail", "model_edit"])
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


@pytest.mark.parametrize("name", OPEN_PAGES)
def test_editors_and_finance_see_the_catalogue_and_annotators_do_not(
    name: str, workspace: Workspace, call: Call, paula: User, fay: User, ana: User, client_of: ClientOf
) -> None:
    page = url(name, workspace, call)
    assert [client_of(person).get(page).status_code for person in (paula, fay, ana)] == [200, 200, 403]


@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_editors_see_no_connections_and_edit_no_facts(
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


@pytest.mark.parametrize(
    ("name", "budget"),
    [("model_list", 15), ("model_detail", 18), ("model_find", 15), ("model_estimate", 17), ("connection_list", 16)],
)
def test_pages_keep_to_their_queries_however_long_the_list(
    name: str, budget: int, workspace: Workspace, call: Call, olga: User, client_of: ClientOf,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for number in range(10):
        connection = factories.make_connection(workspace, name=f"C{number}")
        model = factories.make_model(connection)
        made(model)
    hours.refresh(timezone.now())
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
    monkeypatch.setattr("apps.core.outgoing.check_url", lambda url: None)
    sent = {"kind": "anthropic", "name": "Claude", "key": KEY, "max_concurrency": 4}
    client_of(olga).post(reverse("connection_new", args=[workspace.slug]), sent)
    assert Connection.objects.get().base_url == "https://api.anthropic.com"


def test_settings_and_limits_are_changed_without_touching_the_key(
    workspace: Workspace, connection: Connection, olga: User, client_of: ClientOf
) -> None:
    sent = {"name": "Renamed", "base_url": connection.base_url, "provider": "other", "max_concurrency": 9}
    limits = {"requests_per_minute": 500, "tokens_per_minute": 2_000_000}
    client_of(olga).post(reverse("connection_detail", args=[workspace.slug, connection.pk]), sent | limits)
    connection.refresh_from_db()
    assert (connection.name, connection.provider, connection.max_concurrency) == ("Renamed", "other", 9)
    assert (connection.requests_per_minute, connection.tokens_per_minute) == (500, 2_000_000)
    assert connection.key() == KEY
    assert AuditEvent.objects.get().after["tokens_per_minute"] == 2_000_000


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
    monkeypatch.setattr("apps.llm.health.probe", lambda connection, asked_by: finding)


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


@pytest.mark.parametrize("name", ["connection_list", "connection_new", "connection_detail"])
def test_connections_are_a_section_of_the_settings(
    name: str, workspace: Workspace, call: Call, olga: User, client_of: ClientOf
) -> None:
    sections = client_of(olga).get(url(name, workspace, call)).context["sections"]
    assert [section["label"] for section in sections if section["active"]] == ["Connections"]


def test_a_model_without_a_price_says_so(workspace: Workspace, model: Model, olga: User, client_of: ClientOf) -> None:
    page = reverse("connection_detail", args=[workspace.slug, model.connection_id])
    assert "No price" not in text(client_of(olga).get(page))
    factories.make_model(model.connection, "practice-large")
    assert "Its calls will be unpriced" in text(client_of(olga).get(page))


def test_what_is_known_of_a_model_is_written_down(
    workspace: Workspace, model: Model, olga: User, client_of: ClientOf
) -> None:
    sent = {
        "kind": "chat", "context_window": "128000", "modalities": ["text", "image"], "supports_tools": "yes",
        "supports_json": "", "regions": "EU, eu ,United Kingdom", "assurances": "", "data_note": "DPA of March",
    }  # fmt: skip
    page = reverse("model_edit", args=[workspace.slug, model.pk])
    client = client_of(olga)
    assert client.post(page, sent)["Location"] == reverse("model_detail", args=[workspace.slug, model.pk])
    model.refresh_from_db()
    assert (model.context_window, model.modalities, model.data_note) == (128_000, ["text", "image"], "DPA of March")
    assert (model.supports_tools, model.supports_json) == (True, None)
    assert (model.regions, model.assurances) == (["eu", "united-kingdom"], None)
    form = client.get(page).context["form"]
    assert (form["regions"].value(), form["supports_tools"].value()) == ("eu, united-kingdom", "yes")


def test_a_number_that_is_none_is_refused_with_the_form(
    workspace: Workspace, model: Model, olga: User, client_of: ClientOf
) -> None:
    page = reverse("model_edit", args=[workspace.slug, model.pk])
    response = client_of(olga).post(page, {"kind": "chat", "context_window": "99999999999999999999"})
    assert response.status_code == 422
    assert Model.objects.get().context_window is None


def test_the_catalogue_says_unknown_and_never_no(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf
) -> None:
    shown = text(client_of(paula).get(reverse("model_list", args=[workspace.slug])))
    assert "tools unknown" in shown
    assert "Not observed yet" in shown
    assert "no tools" not in shown
    Model.objects.update(supports_tools=False)
    assert "no tools" in text(client_of(paula).get(reverse("model_list", args=[workspace.slug])))


def test_the_catalogue_shows_prices_and_what_was_observed(
    workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    shown = text(client_of(paula).get(reverse("model_list", args=[workspace.slug])))
    assert "$1.00" in shown  # a millionth for a token in, four for one out
    assert "$4.00" in shown
    assert re.search(r"12\d ms", shown.replace("\xa0", " "))


def test_the_catalogue_is_searched_by_name_and_by_what_is_promised(
    workspace: Workspace, connection: Connection, paula: User, client_of: ClientOf
) -> None:
    factories.make_model(connection, "alpha", assurances=["zero-retention"])
    factories.make_model(connection, "beta")
    page = reverse("model_list", args=[workspace.slug])
    client = client_of(paula)
    for query, expected in (("alp", [True, False]), ("zero", [True, False]), ("be", [False, True])):
        shown = text(client.get(f"{page}?q={query}", headers={"HX-Request": "true"}))
        assert [f">{name}</a>" in shown for name in ("alpha", "beta")] == expected
        assert "<html" not in shown


def test_the_finder_is_one_address(workspace: Workspace, call: Call, paula: User, client_of: ClientOf) -> None:
    Model.objects.update(context_window=8_000, max_output_tokens=1_000)
    page = reverse("model_find", args=[workspace.slug])
    client = client_of(paula)
    fits = text(client.get(f"{page}?input_tokens=1000&output_tokens=100&max_cost=1.5&max_p50=200"))
    assert "Meets everything" in fits
    assert "$1.40, at most $1.50" in fits  # 1,000 times 1,000 tokens at a millionth and 100 at four
    fails = text(client.get(f"{page}?min_context=100000", headers={"HX-Request": "true"}))
    assert "No model meets all of that" in fails
    assert "8,000 tokens, needs 100,000" in fails
    assert "<html" not in fails


def test_a_cost_without_a_size_is_asked_back(
    workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    page = reverse("model_find", args=[workspace.slug])
    shown = text(client_of(paula).get(f"{page}?max_cost=1", headers={"HX-Request": "true"}))
    assert "a cost depends on it" in shown


@pytest.mark.parametrize(
    "query", ["input_tokens=-1&max_cost=abc", "region=atlantis&assurances=x", "max_p50=1e9999", "modalities=smell"]
)
def test_the_finder_leaves_out_what_it_does_not_understand(
    query: str, workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    assert client_of(paula).get(reverse("model_find", args=[workspace.slug]) + f"?{query}").status_code == 200


def test_the_estimator_reckons_a_month(workspace: Workspace, call: Call, paula: User, client_of: ClientOf) -> None:
    page = reverse("model_estimate", args=[workspace.slug])
    query = f"?requests_per_day=1000&input_tokens=1000&output_tokens=100&model={call.model_id}"
    shown = text(client_of(paula).get(page + query))
    assert "$42.62" in shown  # 30.44 days of 1,000 requests at $0.0014
    assert "30.44 days" in shown


def test_a_model_without_a_price_is_never_free(
    workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    unpriced = factories.make_model(call.model.connection, "mystery")
    page = reverse("model_estimate", args=[workspace.slug])
    query = f"?requests_per_day=1000&input_tokens=1000&output_tokens=100&model={unpriced.pk}"
    shown = text(client_of(paula).get(page + query))
    assert "None of these models has a price" in shown
    assert "$0.00" not in shown


@pytest.mark.parametrize(
    "query",
    ["", "requests_per_day=NaN&input_tokens=1&output_tokens=1", "requests_per_day=1e400&input_tokens=1&output_tokens=1",
     "requests_per_day=5&input_tokens=1&output_tokens=1&cached=400", "requests_per_day=0&input_tokens=0&output_tokens=0",
     "prompt=999999", "prompt=x", "requests_per_day=5&input_tokens=1&output_tokens=1&model=77"],
)  # fmt: skip
def test_the_estimator_stands_anything(
    query: str, workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    assert client_of(paula).get(reverse("model_estimate", args=[workspace.slug]) + f"?{query}").status_code == 200


def test_the_first_word_of_streams_is_shown_once_there_was_one(
    workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    page = url("model_detail", workspace, call)
    assert "First word" not in text(client_of(paula).get(page))
    made(call.model, first_token_ms=90)
    hours.refresh(timezone.now())
    assert "First word of a stream" in text(client_of(paula).get(page))


@pytest.mark.parametrize("span", ["24h", "7d", "30d", "nonsense"])
def test_history_is_drawn_for_each_span(
    span: str, workspace: Workspace, call: Call, olga: User, client_of: ClientOf
) -> None:
    client = client_of(olga)
    for name in ("model_detail", "connection_detail"):
        response = client.get(f"{url(name, workspace, call)}?span={span}", headers={"HX-Request": "true"})
        shown = text(response)
        assert shown.strip().startswith('<section id="history"')
        assert "Half of the answers came within" in shown
