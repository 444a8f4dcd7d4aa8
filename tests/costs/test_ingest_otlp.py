"""POST /v1/traces: what exporters of OpenTelemetry tell the books."""

import gzip
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from apps.accounts.models import Workspace
from apps.accounts.rights import Scope
from apps.costs.models import Charge, IngestCount, Quarantined
from tests import factories
from tests.costs.ingesting import CHAT, JSON, NOON, PROTOBUF, backlog, export, price_of, span

CANARY = "CANARY the patient said that"


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[1]


def the_charge() -> Charge:
    return Charge.objects.get()


def partial(answer: Any) -> tuple[int, str]:
    assert (answer.status_code, answer["Content-Type"]) == (200, PROTOBUF)
    said = ExportTraceServiceResponse.FromString(answer.content).partial_success
    return said.rejected_spans, said.error_message


def test_a_span_of_a_call_is_priced(secret: str) -> None:
    resource = {"service.name": "shop", "deployment.environment.name": "production", "galley.tag.region": "eu"}
    assert partial(export(secret, backlog(span(CHAT), resource=resource))) == (0, "")
    charge = the_charge()
    assert (charge.cost, charge.at, charge.latency_ms, charge.failed) == (Decimal("0.0075"), NOON, 400, False)
    assert (charge.environment, charge.tags) == ("production", {"service": "shop", "region": "eu"})
    assert (charge.source, charge.source_id) == ("otlp", f"{'0' * 31}7:{'0' * 15}1")


def test_a_span_that_comes_again_is_known(secret: str) -> None:
    for _ in range(2):
        assert partial(export(secret, backlog(span(CHAT)))) == (0, "")
    count = IngestCount.objects.get()
    assert (Charge.objects.count(), count.accepted, count.duplicate) == (1, 1, 1)


NEW = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
SHAPES: dict[str, tuple[dict[str, Any], tuple[int, int, int, int]]] = {
    "conventions, cache inside": (
        {
            **NEW,
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.cache_read.input_tokens": 600,
            "gen_ai.usage.cache_creation.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.reasoning.output_tokens": 20,
        },
        (300, 600, 100, 50),
    ),
    "conventions, cache larger than the input": (
        {
            **NEW,
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 21,
            "gen_ai.usage.cache_read.input_tokens": 188086,
            "gen_ai.usage.output_tokens": 393,
        },
        (21, 188086, 0, 393),
    ),
    "a total tells that the cache lies outside": (
        {
            **NEW,
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.cache_read_input_tokens": 600,
            "gen_ai.usage.output_tokens": 50,
            "llm.usage.total_tokens": 1650,
        },
        (1000, 600, 0, 50),
    ),
    "old conventions": (
        {
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 10,
            "gen_ai.usage.completion_tokens": 5,
        },
        (10, 0, 0, 5),
    ),
    "openinference": (
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "openai",
            "llm.model_name": "gpt-4o",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 7,
            "llm.token_count.total": 107,
            "llm.token_count.prompt_details.cache_read": 40,
        },
        (60, 40, 0, 7),
    ),
    "pydantic": (
        {
            **NEW,
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 7,
            "gen_ai.usage.details.cache_read_tokens": 30,
            "gen_ai.usage.details.cache_write_tokens": 20,
        },
        (50, 30, 20, 7),
    ),
    "fractions that are whole": (
        {**NEW, "gen_ai.usage.input_tokens": 10.0, "gen_ai.usage.output_tokens": 5.0},
        (10, 0, 0, 5),
    ),
    "embeddings": (
        {**NEW, "gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 12},
        (12, 0, 0, 0),
    ),
}


@pytest.mark.parametrize(("facts", "meters"), SHAPES.values(), ids=SHAPES)
def test_usage_is_read_in_everyones_words(facts: dict[str, Any], meters: tuple[int, ...], secret: str) -> None:
    assert partial(export(secret, backlog(span(facts)))) == (0, "")
    charge = the_charge()
    found = (charge.input_tokens, charge.cache_read_tokens, charge.cache_write_tokens, charge.output_tokens)
    assert found == meters
    assert (charge.provider, charge.model) == ("openai", "gpt-4o")


@pytest.mark.parametrize(
    "facts",
    [
        {"http.method": "GET"},
        {**CHAT, "gen_ai.operation.name": "invoke_agent"},
        {**CHAT, "gen_ai.operation.name": "execute_tool"},
        {"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 5, "llm.model_name": "gpt-4o"},
        {"openinference.span.kind": "AGENT", "llm.token_count.prompt": 5, "llm.model_name": "gpt-4o"},
        {"traceloop.span.kind": "workflow", "gen_ai.usage.input_tokens": 5, "gen_ai.request.model": "gpt-4o"},
        {"agent_name": "helper", "model_name": "gpt-4o", "gen_ai.usage.input_tokens": 5},
    ],
    ids=str,
)
def test_what_is_no_call_or_sums_calls_up_is_accepted_and_forgotten(facts: dict[str, Any], secret: str) -> None:
    assert partial(export(secret, backlog(span(facts)))) == (0, "")
    assert Charge.objects.count() == Quarantined.objects.count() == 0


def test_a_call_that_is_silent_of_its_usage_is_told_to_the_sender(secret: str) -> None:
    rejected, message = partial(export(secret, backlog(span({"gen_ai.operation.name": "chat"}))))
    assert rejected == 0
    assert "1 calls to models say nothing of their usage" in message


def test_a_bad_span_is_set_aside_and_counted(secret: str) -> None:
    bad = {**CHAT, "gen_ai.usage.total_tokens": 3}
    rejected, message = partial(export(secret, backlog(span(CHAT, 1), span(bad, 2), span(CHAT, 3))))
    assert (rejected, Charge.objects.count()) == (1, 2)
    assert "1 of 3 spans were set aside (1 sum-differs)" in message
    aside = Quarantined.objects.get()
    assert (aside.source, aside.at, aside.payload["usage"]["input"]) == ("otlp", NOON, 1000)


def test_spans_without_ids_or_time_are_set_aside(secret: str) -> None:
    lost = span(CHAT, 2)
    lost.ClearField("start_time_unix_nano")
    lost.ClearField("end_time_unix_nano")
    nobody = span(CHAT, 3)
    nobody.ClearField("trace_id")
    nobody.ClearField("span_id")
    assert partial(export(secret, backlog(lost, nobody)))[0] == 2
    assert set(Quarantined.objects.values_list("reason", flat=True)) == {"no-time", "no-source-id"}


def test_an_error_is_a_failed_call(secret: str) -> None:
    export(secret, backlog(span(CHAT, status=Status(code=Status.STATUS_CODE_ERROR))))
    assert the_charge().failed


def test_the_prompt_and_the_customer_stand_on_the_charge(secret: str, workspace: Workspace) -> None:
    prompt = factories.make_prompt(workspace)
    version = factories.make_version(prompt)
    facts = {**CHAT, "gen_ai.prompt.name": "support/reply", "galley.prompt.version": "1", "enduser.id": "c-9"}
    export(secret, backlog(span({**facts, "galley.purpose": "judge"}), resource={"galley.team": "Unknown"}))
    charge = the_charge()
    assert (charge.prompt_id, charge.version_id, charge.customer) == (prompt.pk, version.pk, "c-9")
    assert (charge.purpose, charge.team_name, charge.api_key_name) == ("judge", "Unknown", "shop")


def test_a_cost_in_a_span_never_replaces_our_price(secret: str) -> None:
    export(secret, backlog(span({**CHAT, "gen_ai.usage.cost": 42.5})))
    assert (the_charge().cost, the_charge().tags["reported_cost"]) == (Decimal("0.0075"), "42.5")


def as_json(**changes: Any) -> dict[str, Any]:
    def value(given: Any) -> dict[str, Any]:
        return {"stringValue": given} if isinstance(given, str) else {"intValue": str(given)}

    start = int(NOON.timestamp() * 1000) * 1_000_000
    found = {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "EEE19B7EC3C1B174",
        "name": "chat",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 400_000_000),
        "attributes": [{"key": name, "value": value(given)} for name, given in CHAT.items()],
        "status": {"code": 2},
    }
    return {**found, **changes}


def json_backlog(*spans: Any) -> bytes:
    service = [{"key": "service.name", "value": {"stringValue": "shop"}}]
    # What the resource says stands behind its spans: the order of fields means nothing in JSON.
    group = {"scopeSpans": [{"scope": {"name": "x"}, "spans": list(spans)}], "resource": {"attributes": service}}
    return json.dumps({"resourceSpans": [group]}, indent=1).encode()


def test_json_is_read_with_its_hexadecimal_ids(secret: str) -> None:
    answer = export(secret, json_backlog(as_json()), JSON)
    assert (answer.status_code, answer["Content-Type"], answer.json()) == (200, JSON, {})
    charge = the_charge()
    assert charge.source_id == "5b8efff798038103d269b633813fc60c:eee19b7ec3c1b174"
    assert (charge.cost, charge.latency_ms, charge.failed, charge.tags) == (
        Decimal("0.0075"),
        400,
        True,
        {"service": "shop"},
    )


def test_the_same_span_in_json_and_in_protobuf_is_one(secret: str) -> None:
    ids = {"traceId": f"{'0' * 31}7", "spanId": f"{'0' * 15}1"}
    export(secret, backlog(span(CHAT)))
    export(secret, json_backlog(as_json(**ids)), JSON)
    assert Charge.objects.count() == 1


def test_json_says_what_was_set_aside(secret: str) -> None:
    answer = export(secret, json_backlog(as_json(startTimeUnixNano="0", endTimeUnixNano="0")), JSON).json()
    assert answer["partialSuccess"]["rejectedSpans"] == "1"
    assert "no-time" in answer["partialSuccess"]["errorMessage"]


def test_gzip_is_unpacked_even_in_several_members(secret: str) -> None:
    body = backlog(span(CHAT, 1), span(CHAT, 2)).SerializeToString()
    packed = gzip.compress(body[:100]) + gzip.compress(body[100:])
    assert partial(export(secret, packed, Content_Encoding="gzip")) == (0, "")
    assert Charge.objects.count() == 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_half_a_protobuf_is_refused_and_nothing_of_it_is_booked(share: float, secret: str) -> None:
    body = backlog(*[span(CHAT, number) for number in range(1, 50)]).SerializeToString()
    answer = export(secret, body[: int(len(body) * share)])
    assert (answer.status_code, answer["Content-Type"]) == (400, PROTOBUF)
    assert answer.content[:1] == b"\x12"  # google.rpc.Status.message
    assert answer.content[1] == len(answer.content) - 2
    assert b"protobuf" in answer.content
    assert Charge.objects.count() == IngestCount.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b"[]",
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": ',
        b'{"resourceSpans": [7]}',
        b"\xff",
        b'{"resourceSpans": ' + b"[" * 100_000,
        b'{"resourceSpans": []} {}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[7]}]}]}',
    ],
)
def test_half_a_json_is_refused_in_json(body: bytes, secret: str) -> None:
    answer = export(secret, body, JSON)
    assert (answer.status_code, answer["Content-Type"]) == (400, JSON)
    assert answer.json()["message"]


@pytest.mark.parametrize(
    "body", [b"\x00", b"\x0b\x0c", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"{}", b"hello"]
)
def test_what_is_no_protobuf_is_refused(body: bytes, secret: str) -> None:
    assert export(secret, body).status_code == 400


def test_no_spans_are_no_fault(secret: str) -> None:
    assert partial(export(secret, backlog())) == (0, "")
    assert export(secret, b"{}", JSON).status_code == 200


def test_unknown_fields_of_a_later_version_are_passed_over(secret: str) -> None:
    later = b"\x98\x06\x07" + b"\x9d\x06abcd" + b"\x99\x06abcdefgh" + b"\x9a\x06\x02hi"
    assert partial(export(secret, later + backlog(span(CHAT)).SerializeToString() + later)) == (0, "")
    assert Charge.objects.count() == 1


def test_a_bomb_is_left_after_a_bounded_piece(secret: str) -> None:
    bomb = gzip.compress(b" " * (70 * 1024 * 1024))
    answer = export(secret, bomb, JSON, Content_Encoding="gzip")
    assert (answer.status_code, "64 MB" in answer.json()["message"]) == (413, True)


@pytest.mark.parametrize(("kind", "status"), [("text/plain", 415), ("", 415), ("application/x-protobuf; v=1", 200)])
def test_the_kind_of_the_body_is_looked_at(kind: str, status: int, secret: str) -> None:
    assert export(secret, backlog(span(CHAT)), kind).status_code == status


def test_another_way_of_packing_is_refused(secret: str) -> None:
    assert export(secret, b"x", Content_Encoding="zstd").status_code == 415


@pytest.mark.parametrize(("scopes", "status"), [((Scope.SPEND_READ,), 403), ((), 403)])
def test_without_the_scope_nothing_is_taken(scopes: tuple[str, ...], status: int, workspace: Workspace) -> None:
    answer = export(factories.make_api_key(workspace, *scopes)[1], backlog(span(CHAT)))
    assert (answer.status_code, answer["Content-Type"]) == (status, PROTOBUF)
    assert not Charge.objects.exists()


def test_an_unknown_key_is_told_so_in_its_own_encoding(workspace: Workspace) -> None:
    answer = export("sk-gly-unknown", b"{}", JSON)
    assert (answer.status_code, answer.json()["message"]) == (401, "This API key is not valid.")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_only_post_is_answered(secret: str) -> None:
    assert Client().get("/v1/traces", headers={"Authorization": f"Bearer {secret}"}).status_code == 405


def test_the_address_below_the_api_takes_spans_too(secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    body = backlog(span(CHAT)).SerializeToString()
    assert Client().post("/api/v1/otlp/v1/traces", body, content_type=PROTOBUF, headers=headers).status_code == 200
    assert Charge.objects.count() == 1


def test_text_of_prompts_and_answers_is_kept_nowhere(secret: str) -> None:
    texts = {
        "gen_ai.input.messages": CANARY,
        "gen_ai.output.messages": CANARY,
        "gen_ai.prompt.0.content": CANARY,
        "gen_ai.system_instructions": CANARY,
        "llm.input_messages.0.message.content": CANARY,
        "input.value": CANARY,
        "all_messages_events": CANARY,
        "gen_ai.usage.details.text": CANARY,
    }
    good, bad = {**CHAT, **texts}, {**CHAT, **texts, "gen_ai.usage.total_tokens": 1}
    wrong = {**CHAT, **texts, "gen_ai.usage.input_tokens": CANARY}
    told = span(good, 4)
    told.events.add(name=CANARY)
    export(secret, backlog(span(good, 1), span(bad, 2), span(wrong, 3), told, resource={"process.command": CANARY}))
    assert (Charge.objects.count(), Quarantined.objects.count()) == (2, 2)
    kept = json.dumps([*Quarantined.objects.values(), *Charge.objects.values()], default=str)
    assert "CANARY" not in kept


def test_a_long_backlog_is_booked_in_full(secret: str) -> None:
    spans = [span(CHAT, number, NOON + timedelta(seconds=number)) for number in range(1, 2_502)]
    assert partial(export(secret, backlog(*spans))) == (0, "")
    assert Charge.objects.count() == 2_501
