"""The one door to a provider, through the real SDKs to the practice provider over a socket."""

import threading
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import DataError, transaction
from django.db import connection as database

from apps.accounts.models import Workspace
from apps.core.errors import DomainError
from apps.costs import ledger
from apps.costs.models import Charge, Meter, Price, Purpose
from apps.llm import attempts, inference, journal
from apps.llm.attribution import Attribution
from apps.llm.completion import Completion
from apps.llm.errors import ErrorKind, NotUsable, ProviderError
from apps.llm.models import Call, Lane, Model
from tests import factories
from tests.llm.conftest import INPUT_PRICE, OUTPUT_PRICE, ask

pytestmark = pytest.mark.django_db(transaction=True)


def cost(done: Completion) -> Decimal:
    return done.usage.input * INPUT_PRICE + done.usage.output * OUTPUT_PRICE


def fail(model: Model, fault: str, **fields: object) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        inference.complete(ask(model, fault, **{"max_attempts": 1, **fields}))
    return caught.value


@pytest.fixture(params=["model", "claude"])
def either(request: pytest.FixtureRequest) -> Model:
    """A model behind OpenAI's dialect, and one behind Anthropic's."""
    return request.getfixturevalue(request.param)


def test_an_answer_is_one_call_and_one_exact_charge(either: Model) -> None:
    done = inference.complete(ask(either))
    call, charge = Call.objects.get(), Charge.objects.get()
    assert done.text
    assert (call.pk, call.body.text, call.state, call.finish_reason) == (done.call_id, done.text, "answered", "stop")
    assert (charge.pk, charge.cost, charge.estimated, charge.failed) == (call.charge_id, cost(done), False, False)
    assert charge.cost == done.cost > 0
    assert (charge.input_tokens, charge.output_tokens) == (done.usage.input, done.usage.output)


def test_the_charge_says_for_whom_and_for_what(model: Model) -> None:
    inference.complete(ask(model))
    charge = Charge.objects.get()
    assert (charge.purpose, charge.user_name, charge.prompt_name) == ("playground", "Paula", "support/reply")
    assert (charge.model, charge.provider, charge.connection_id) == (
        "practice-small",
        "practice",
        model.connection_id,
    )


def test_the_row_is_committed_before_the_request_leaves(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(*_: object, **__: object) -> None:
        seen.append((Call.objects.get().state, database.in_atomic_block, Charge.objects.exists()))
        raise ProviderError(ErrorKind.BAD_REQUEST, "enough")

    monkeypatch.setattr("apps.llm.clients.Client.ask", look)
    fail(model, "")
    assert seen == [("sent", False, False)]


def test_two_refusals_then_an_answer_are_three_calls_and_three_charges(either: Model) -> None:
    done = inference.complete(ask(either, "429x2;retry-after-ms=10"))
    calls = list(Call.objects.order_by("attempt"))
    costs = [Charge.objects.get(pk=call.charge_id).cost for call in calls]
    assert [call.state for call in calls] == ["failed", "failed", "answered"]
    assert costs == [0, 0, cost(done)]
    assert {call.first_attempt_id for call in calls} == {calls[0].pk}
    assert done.attempts == 3


def test_the_wait_is_the_one_the_provider_asks_for(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("apps.llm.inference.time.sleep", waits.append)
    inference.complete(ask(model, "429x1;retry-after=7"))
    assert 7 <= waits[0] < 8


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("429;retry-after-ms=1", ErrorKind.RATE_LIMITED),
        ("500", ErrorKind.SERVER_ERROR),
        ("503;retry-after-ms=1", ErrorKind.OVERLOADED),
        ("529;retry-after-ms=1", ErrorKind.OVERLOADED),
    ],
)
def test_what_the_provider_refuses_for_now_is_tried_again_free_of_charge(
    either: Model, fault: str, kind: ErrorKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.llm.attempts.BASE_WAIT", 0.001)
    error = fail(either, fault, max_attempts=2)
    assert (error.kind, error.permanent, error.attempts) == (kind, False, 2)
    assert Call.objects.filter(state="failed", error_kind=kind).count() == 2
    assert list(Charge.objects.values_list("cost", "estimated", "failed")) == [(0, False, True)] * 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("400", ErrorKind.BAD_REQUEST), ("401", ErrorKind.AUTHENTICATION), ("404", ErrorKind.NOT_FOUND)],
)
def test_what_would_be_refused_again_is_asked_once(either: Model, fault: str, kind: ErrorKind) -> None:
    error = fail(either, fault, max_attempts=3)
    assert (error.kind, error.permanent, error.attempts) == (kind, True, 1)
    assert (Call.objects.count(), Charge.objects.get().cost) == (1, 0)
    assert error.call_id == Call.objects.get().pk


def test_a_revoked_key_fails_for_good_in_words(workspace: Workspace, provider: str) -> None:
    connection = factories.make_connection(workspace, f"{provider}/v1", key="sk-revoked-0001")
    error = fail(factories.make_model(connection), "", max_attempts=3)
    assert error.kind == ErrorKind.AUTHENTICATION
    assert "does not accept the key" in error.message
    assert Call.objects.count() == 1


def test_no_answer_in_time_is_charged_as_estimated(either: Model) -> None:
    error = fail(either, "hang", timeout=0.4)
    charge = Charge.objects.get()
    assert error.kind == ErrorKind.TIMEOUT
    assert (charge.estimated, charge.output_tokens, charge.failed) == (True, 0, True)
    assert charge.cost == charge.input_tokens * INPUT_PRICE > 0


def test_an_answer_that_drips_is_cut_at_the_time_limit(model: Model) -> None:
    error = fail(model, "slow", timeout=0.5)
    assert error.kind == ErrorKind.TIMEOUT
    assert Call.objects.get().latency_ms < 3_000


def test_a_broken_connection_is_charged_as_estimated(either: Model) -> None:
    error = fail(either, "reset")
    assert error.kind == ErrorKind.CONNECTION
    assert Charge.objects.filter(estimated=True, cost__gt=0).count() == 1


def test_a_server_that_is_not_there_costs_nothing(workspace: Workspace) -> None:
    connection = factories.make_connection(workspace, "http://127.0.0.1:9/v1")
    error = fail(factories.make_model(connection), "")
    assert error.kind == ErrorKind.CONNECTION
    assert list(Charge.objects.values_list("cost", "estimated")) == [(0, False)]


def test_an_answer_that_is_not_json_is_charged_as_estimated(either: Model) -> None:
    error = fail(either, "malformed")
    charge = Charge.objects.get()
    assert error.kind == ErrorKind.MALFORMED
    assert charge.estimated
    assert charge.output_tokens > 0


@pytest.mark.parametrize("fault", ["wrong_usage", "no_usage"])
def test_counts_that_do_not_add_up_are_replaced_by_an_estimate(either: Model, fault: str) -> None:
    done = inference.complete(ask(either, fault))
    charge = Charge.objects.get()
    assert done.usage.estimated
    assert (charge.estimated, charge.cost) == (True, cost(done))
    assert charge.input_tokens > 0 < charge.output_tokens


def test_an_answer_that_is_too_large_fails_for_good(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.core.transport.MAX_ANSWER_BYTES", 64)
    error = fail(model, "", max_attempts=3)
    assert (error.kind, error.permanent, error.attempts) == (ErrorKind.MALFORMED, True, 1)
    assert Charge.objects.get().estimated


def test_a_model_without_a_price_is_unpriced_and_not_free(model: Model) -> None:
    unpriced = factories.make_model(model.connection, "practice-large")
    done = inference.complete(ask(unpriced))
    assert done.cost is None
    assert list(Charge.objects.values_list("unpriced", "cost")) == [(True, None)]


def test_cached_input_is_billed_at_its_own_meter(model: Model) -> None:
    Price.objects.create(
        workspace=model.workspace, provider="practice", model=model.name, meter=Meter.CACHE_READ,
        unit_price=Decimal("0.0000001"), valid_from="2020-01-01T00:00Z", source="test",
    )  # fmt: skip
    messages = [{"role": "system", "content": "Rules. " * 1000}, {"role": "user", "content": "Hello"}]
    inference.complete(ask(model, messages=messages))
    done = inference.complete(ask(model, messages=messages))
    assert done.usage.cache_read >= 1024
    assert done.cost == cost(done) + done.usage.cache_read * Decimal("0.0000001")


def test_a_schema_gives_json_in_either_dialect(either: Model) -> None:
    schema = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
    done = inference.complete(ask(either, output_schema=schema))
    assert done.text.startswith("{")
    assert '"label"' in done.text
    assert (done.tool_calls, done.finish_reason) == ([], "stop")


def test_a_tool_call_comes_back_in_one_shape(either: Model) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "find_order",
            "description": "Find an order.",
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
        },
    }
    done = inference.complete(ask(either, tools=[tool]))
    assert done.tool_calls[0].name == "find_order"
    assert "number" in done.tool_calls[0].arguments
    assert done.finish_reason == "tool_calls"


def test_it_refuses_to_wait_for_the_network_inside_a_transaction(model: Model) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        inference.complete(ask(model))
    assert not Call.objects.exists()


def test_an_archived_model_is_refused_before_anything_is_sent(model: Model) -> None:
    Model.objects.update(archived_at="2026-01-01T00:00Z")
    model.refresh_from_db()
    with pytest.raises(NotUsable):
        inference.complete(ask(model))
    assert not Call.objects.exists()


def test_a_private_address_is_refused_before_anything_is_sent(model: Model, settings: object) -> None:
    settings.OUTBOUND_ALLOW = []  # type: ignore[attr-defined]
    with pytest.raises(DomainError, match="private address"):
        inference.complete(ask(model))
    assert not Call.objects.exists()


def test_if_the_charge_cannot_be_written_the_answer_is_not_either(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.llm.journal.ledger.values_of", lambda charges: ["broken"] * len(ledger.COLUMNS))
    with pytest.raises(DataError, match="malformed array literal"):
        inference.complete(ask(model))
    assert (Call.objects.get().state, Lane.objects.get().in_flight) == ("sent", 1)
    assert not Charge.objects.exists()


def test_many_threads_share_one_client(model: Model) -> None:
    def work() -> None:
        try:
            done.append(inference.complete(ask(model)))
        finally:
            database.close()

    done: list[Completion] = []
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.charge_id for one in done}) == Charge.objects.count() == 16
    assert sum(one.cost or 0 for one in done) == sum(Charge.objects.values_list("cost", flat=True))


def test_a_call_is_two_trips_to_the_database(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    inference.complete(ask(model))
    trips: list[str] = []
    really = psycopg.Cursor.execute

    def execute(self: Any, query: Any, *values: Any, **options: Any) -> Any:
        trips.append(str(query).split()[0])
        return really(self, query, *values, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    inference.complete(ask(model))
    # In one pipeline the place with the call's row, and the disk; in another its charge and its end.
    assert trips == ["WITH", "SELECT", "WITH", "WITH"]


def test_the_wait_doubles_and_stays_under_its_limit() -> None:
    assert all(0 <= attempts.pause(1, None) <= 1 for _ in range(50))
    assert all(attempts.pause(40, None) <= attempts.LONGEST_BACKOFF for _ in range(50))
    assert attempts.pause(1, 3_600) <= attempts.LONGEST_ASKED_WAIT + 1


def test_text_that_no_database_holds_is_refused_before_anything_is_sent(model: Model) -> None:
    for text, words in (("a\x00b", "null character"), ("a\ud800b", "half of a character")):
        with pytest.raises(DomainError, match=words):
            inference.complete(ask(model, messages=[{"role": "user", "content": text}]))
    assert not Call.objects.exists()


def test_an_escape_spelled_out_is_text_like_any_other(model: Model) -> None:
    asked = [{"role": "user", "content": r"What is \u0000 and what is \\u0000?"}]
    inference.complete(ask(model, messages=asked))
    assert Call.objects.get().body.request["messages"] == asked


@pytest.mark.parametrize("kept", ["hashed", "none"])
def test_a_provider_that_repeats_the_prompt_in_its_refusal_leaves_it_nowhere(model: Model, kept: str) -> None:
    error = ProviderError(
        ErrorKind.BAD_REQUEST, "Practice did not accept it (400): Where is my order?", http_status=400
    )
    assert journal._words(error, kept) == "Practice did not accept it (400)"
    assert journal._words(error, "full").endswith("Where is my order?")


def test_a_number_that_is_none_is_refused_before_anything_is_sent(model: Model) -> None:
    with pytest.raises(DomainError, match="not finite"):
        inference.complete(ask(model, parameters={"temperature": float("nan")}))
    attribution = Attribution(purpose=Purpose.PRODUCTION, customer="a\x00b")
    with pytest.raises(DomainError, match="null character"):
        inference.complete(ask(model, attribution=attribution))
    assert not Call.objects.exists()
