"""The playground's streams: a real process over a socket, real calls to the practice provider, to the last charge."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User, Workspace
from apps.costs.models import Budget, Charge
from apps.llm.models import Call, Model
from apps.prompts import actions, streaming
from apps.prompts.models import Version
from llmops_site.running import ports
from tests import factories
from tests.conftest import ClientOf
from tests.llm.conftest import priced
from tests.prompts.streaming import Listener, running_streams

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

INPUTS = {"input-customer": "Ines", "input-message": "Where is my order PM-10231?"}
Listen = Callable[..., Listener]


@pytest.fixture(scope="module")
def streams(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    with django_db_blocker.unblock(), running_streams() as url:
        yield url


@pytest.fixture
def listen(
    streams: str,
    version: Version,
    model: Model,
    client_of: ClientOf,
    paula: User,
    set_provider: Callable[..., None],
) -> Listen:
    def ask(**fields: Any) -> Listener:
        client = fields.pop("client", None) or client_of(paula)
        prompt = fields.pop("prompt", version.prompt)
        return Listener(streams, client, prompt, **{**INPUTS, **fields})

    return ask


def faulty(model: Model, fault: str) -> str:
    """Return a model that goes wrong as wished for."""
    return str(priced(factories.make_model(model.connection, f"{model.name}!{fault}")).pk)


def settled(count: int = 1) -> list[Call]:
    """Return the calls once all have ended."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        calls = list(Call.objects.order_by("id"))
        if len(calls) == count and all(call.state != "sent" for call in calls):
            return calls
        time.sleep(0.05)
    raise AssertionError([(call.state, call.error_kind) for call in Call.objects.all()])


def texts(events: list[tuple[str, dict[str, Any]]]) -> str:
    return "".join(data["text"] for name, data in events if name == "delta")


def test_words_come_as_they_are_written(listen: Listen, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=20)
    heard = listen()
    events = heard.all()
    names = [name for name, _ in events]
    assert (names[0], names[-1], names.count("delta") > 5) == ("start", "end", True)
    assert heard.times[-1] - heard.times[1] > 0.1
    assert heard.headers["Content-Type"] == "text/event-stream"
    assert heard.headers["X-Accel-Buffering"] == "no"


def test_the_end_says_what_it_cost_and_where_the_trace_is(listen: Listen, workspace: Workspace, paula: User) -> None:
    events = listen().all()
    (call,), charge = settled(), Charge.objects.get()
    trace = reverse("call_detail", kwargs={"workspace": workspace.slug, "pk": call.pk})
    assert (events[0][1]["trace"], events[-1][1]["trace"]) == (trace, trace)
    assert call.body.text == texts(events)
    assert "$0.00" in events[-1][1]["facts"]["cost"]
    assert (charge.purpose, charge.prompt_name, charge.version_number) == ("playground", "support/reply", 1)
    assert (charge.user_name, charge.environment, charge.cost > Decimal(0)) == ("Paula", "", True)


def test_a_draft_is_tried_as_it_stands(listen: Listen, version: Version, paula: User) -> None:
    draft = actions.open_draft(prompt=version.prompt, acting_user=paula)
    content = {**draft.content(), "messages": [{"role": "user", "content": "Say {{word}}"}], "variables": []}
    actions.save_draft(draft=draft, revision=1, content=content, acting_user=paula)
    events = listen(source="draft", **{"input-word": "hello"}).all()
    assert events[0][1]["values"] == {"word": "hello"}
    assert settled()[0].body.request["messages"] == [{"role": "user", "content": "Say hello"}]
    assert Charge.objects.get().version_number is None


def test_a_missing_value_is_named_and_nothing_is_asked(listen: Listen) -> None:
    events = listen(**{"input-customer": ""}).all()
    assert events == [("error", {"text": "The values do not fit: customer is missing.", "trace": ""})]
    assert not Call.objects.exists()


def test_a_refused_key_is_said_in_words(listen: Listen, model: Model) -> None:
    name, data = listen(model=faulty(model, "401")).all()[-1]
    assert (name, "key" in data["text"].lower(), data["trace"]) == ("error", True, data["trace"])
    assert str(settled()[0].pk) in data["trace"]


def test_a_provider_that_is_down_is_said_in_words(listen: Listen, workspace: Workspace) -> None:
    away = factories.make_connection(workspace, f"http://127.0.0.1:{ports.any_free()}/v1", name="Away")
    name, data = listen(model=str(factories.make_model(away, "nobody").pk)).all()[-1]
    assert (name, "Away" in data["text"] or "reach" in data["text"]) == ("error", True)


def test_what_breaks_in_the_middle_leaves_what_came_and_says_why(listen: Listen, model: Model) -> None:
    events = listen(model=faulty(model, "drop_stream")).all()
    assert texts(events)
    assert (events[-1][0], bool(events[-1][1]["text"])) == ("error", True)
    call = settled()[0]
    assert (call.state, call.body.text, Charge.objects.get().estimated) == ("failed", texts(events), True)


def test_who_leaves_still_pays_exactly_what_was_said(listen: Listen, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=15)
    heard = listen()
    for name, _ in heard:
        if name == "delta":
            break
    heard.leave()
    assert settled()[0].state == "answered"
    assert (Charge.objects.get().estimated, Charge.objects.get().cost > 0) == (False, True)


def test_who_leaves_before_the_first_word_is_booked_too(listen: Listen, set_provider: Callable[..., None]) -> None:
    set_provider(latency_ms=800)
    heard = listen(is_open=False)
    time.sleep(0.4)
    heard.leave()
    assert settled()[0].state == "answered"
    assert Charge.objects.get().cost > 0


def test_a_budget_that_is_full_refuses_in_words(listen: Listen, workspace: Workspace) -> None:
    fields = {"mode": "hard", "limit_amount": Decimal("0.000000001"), "counted_from": date(2020, 1, 1)}
    Budget.objects.create(workspace=workspace, name="Support in December", **fields)
    name, data = listen().all()[-1]
    assert (name, "Support in December" in data["text"]) == ("error", True)
    assert not Charge.objects.exists()


def test_a_long_hostile_answer_arrives_as_it_is(listen: Listen, version: Version, paula: User, model: Model) -> None:
    message = "<script>alert(1)</script> & </textarea> \u2028 " * 300
    events = listen(**{"input-message": message}).all()
    assert events[-1][0] == "end"
    assert message in settled()[0].body.request["messages"][1]["content"]


def test_asking_five_times_shows_the_spread(listen: Listen) -> None:
    events = listen(times="5").all()
    assert [data["done"] for name, data in events if name == "run"] == [1, 2, 3, 4, 5]
    name, data = events[-1]
    assert (name, "5 runs" in data["sentence"], "<table" in data["html"]) == ("spread", True, True)
    assert len(settled(5)) == Charge.objects.count() == 5


def test_more_than_ten_times_is_ten(listen: Listen) -> None:
    listen(times="500").all()
    assert len(settled(10)) == 10


def test_who_leaves_a_spread_pays_for_what_was_asked(listen: Listen, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=10)
    heard = listen(times="3")
    next(iter(heard))
    time.sleep(0.5)
    heard.leave()
    assert {call.state for call in settled(3)} == {"answered"}
    assert Charge.objects.filter(estimated=False).count() == 3


def test_only_our_own_pages_may_read_and_ask(listen: Listen) -> None:
    heard = listen()
    assert heard.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:8000"
    assert heard.headers["Access-Control-Allow-Credentials"] == "true"
    heard.all()
    other = listen(origin="https://evil.example")
    assert (other.status, other.headers["Access-Control-Allow-Origin"]) == (403, None)
    assert len(settled()) == 1


def test_strangers_viewers_and_nobody_get_no_stream(
    listen: Listen, client_of: ClientOf, stranger: User, ravi: User
) -> None:
    statuses = [listen(client=client).status for client in (client_of(stranger), client_of(ravi), Client())]
    assert statuses == [404, 403, 302]
    assert not Call.objects.exists()


def test_a_prompt_of_another_workspace_is_not_found(listen: Listen, stranger: User) -> None:
    other: Workspace = Workspace.objects.get(slug="elsewhere")
    mine = listen(prompt=factories.make_prompt(other), client=None)
    assert mine.status == 404


def test_many_streams_leave_no_connection_held(listen: Listen, set_provider: Callable[..., None]) -> None:
    """Twenty answers at once through twelve connections: each is given back before the words come."""
    set_provider(token_ms=20)
    heard = [listen() for _ in range(20)]
    assert [events[-1][0] for events in (one.all() for one in heard)] == ["end"] * 20


def test_the_web_process_refuses_to_stream(client_of: ClientOf, paula: User, version: Version) -> None:
    place = {"workspace": version.prompt.workspace.slug, "prompt_id": version.prompt_id}
    answer = client_of(paula).post(reverse("prompt_try_stream", kwargs=place), {"source": "v1", "at": "0"})
    assert answer.status_code == 421


def test_a_slow_provider_is_waited_for_with_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.prompts.streaming.HEARTBEAT_SECONDS", 0.02)

    async def slowly() -> AsyncGenerator[streaming.Event, None]:
        await asyncio.sleep(0.1)
        yield "delta", {"text": "line\n\nend"}

    async def work() -> list[bytes]:
        return [piece async for piece in streaming.body(slowly())]

    pieces = asyncio.run(work())
    assert (pieces[0], len(pieces) > 2) == (b": still waiting\n\n", True)
    assert pieces[-1] == b'event: delta\ndata: {"text": "line\\n\\nend"}\n\n'
