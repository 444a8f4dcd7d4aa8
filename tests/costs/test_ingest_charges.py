"""POST /api/v1/charges: what programs tell the books of calls that did not pass through here."""

import gzip
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.accounts.rights import Scope
from apps.costs import partitions
from apps.costs.ingest import items
from apps.costs.models import Charge, IngestCount, LetGo, Quarantined, SpendAxis
from tests import factories
from tests.costs.ingesting import JSON, NOON, item, price_of, send

CANARY = "CANARY the patient said that"


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[1]


def the_charge() -> Charge:
    return Charge.objects.get()


def test_a_charge_is_priced_from_our_list_and_stands_in_the_sums(secret: str, workspace: Workspace) -> None:
    answer = send(secret, item())
    assert answer.status_code == 200, answer.content
    assert (answer.json()["accepted"], answer.json()["results"][0]["status"]) == (1, "accepted")
    assert the_charge().cost == Decimal("0.0075")
    assert SpendAxis.objects.get(workspace_id=workspace.pk, axis="all").cost == Decimal("0.0075")


def test_a_repeat_is_a_duplicate_and_costs_nothing(secret: str) -> None:
    first = send(secret, item()).json()["results"][0]
    again = send(secret, item()).json()
    assert (again["accepted"], again["duplicate"]) == (0, 1)
    assert again["results"][0]["charge_id"] == first["charge_id"]
    assert Charge.objects.count() == 1


def test_of_two_alike_in_one_batch_the_first_counts(secret: str) -> None:
    statuses = [row["status"] for row in send(secret, item(), item(), item("call-2")).json()["results"]]
    assert statuses == ["accepted", "duplicate", "accepted"]


def test_the_same_id_at_another_time_is_another_charge(secret: str) -> None:
    later = (NOON + timedelta(seconds=1)).isoformat()
    assert send(secret, item(), item(at=later)).json()["accepted"] == 2


def test_a_bad_item_is_set_aside_and_holds_up_no_other(secret: str, workspace: Workspace) -> None:
    answer = send(secret, item("1"), item("2", at="yesterday"), item("3")).json()
    assert [row["status"] for row in answer["results"]] == ["accepted", "quarantined", "accepted"]
    aside = workspace.quarantined.get()
    assert (aside.source, aside.source_id, aside.reason) == ("billing", "2", "time-unreadable")
    assert aside.payload["meters"] == {"input": 1000, "output": 500}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"source_id": None}, "no-source-id"),
    ({"source_id": "  "}, "no-source-id"),
    ({"at": None}, "no-time"),
    ({"at": "2026-11-15T12:00:00"}, "time-without-zone"),
    ({"at": "0001-01-01T00:00:00+14:00"}, "time-unreadable"),
    ({"at": "2019-12-31T23:59:59Z"}, "too-old"),
    ({"at": 1763208000}, "time-unreadable"),
    ({"model": None}, "no-model"),
    ({"model": "m" * 121}, "too-long"),
    ({"model": ["gpt-4o"]}, "not-text"),
    ({"provider": None, "model": "nobody-knows-it"}, "no-provider"),
    ({"meters": None}, "no-usage"),
    ({"meters": {}}, "no-usage"),
    ({"meters": {"words": 3}}, "unknown-meter"),
    ({"meters": {"input": -1}}, "not-a-count"),
    ({"meters": {"input": 1.5}}, "not-a-count"),
    ({"meters": {"input": True}}, "not-a-count"),
    ({"meters": {"input": 10**13}}, "not-a-count"),
    ({"meters": {"input": 10, "output": 5}, "total_tokens": 16}, "sum-differs"),
    ({"meters": {"input": 10, "output": 5}, "reasoning_tokens": 6}, "usage-contradicts-itself"),
    ({"meters": None, "usage": {"input_tokens": 3}}, "unknown-dialect"),
    ({"dialect": "klingon", "usage": {"input_tokens": 3}}, "unknown-dialect"),
    ({"dialect": "openai", "usage": "many"}, "no-usage"),
    ({"purpose": "fun"}, "unknown-purpose"),
    ({"cost": "NaN"}, "not-an-amount"),
    ({"cost": "-1"}, "not-an-amount"),
    ({"cost": "0.0000000000001"}, "not-an-amount"),
    ({"cost": {"usd": 1}}, "not-an-amount"),
    ({"tags": {str(n): "x" for n in range(21)}}, "tags"),
    ({"tags": {"a": {"b": 1}}}, "tags"),
    ({"failed": "no"}, "not-a-flag"),
    ({"version": -3}, "not-a-count"),
    ({"latency_ms": 10**12}, "not-a-count"),
]


@pytest.mark.parametrize(("values", "reason"), BAD, ids=lambda value: str(value)[:60])
def test_what_cannot_be_booked_is_kept_with_its_reason(
    values: dict[str, Any], reason: str, secret: str, workspace: Workspace
) -> None:
    row = send(secret, item(**values)).json()["results"][0]
    assert (row["status"], row["reason"]) == ("quarantined", reason)
    assert workspace.quarantined.get().reason == reason
    assert not Charge.objects.exists()


@pytest.mark.parametrize("thing", [None, 7, "text", [item()], True])
def test_what_is_no_object_is_set_aside_too(thing: Any, secret: str, workspace: Workspace) -> None:
    answer = send(secret, thing, item())
    assert [row["status"] for row in answer.json()["results"]] == ["quarantined", "accepted"]
    assert workspace.quarantined.get().payload.keys() <= {"sent_by"}


def test_what_is_yet_to_come_is_set_aside(secret: str) -> None:
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    assert send(secret, item(at=soon)).json()["results"][0]["reason"] == "in-the-future"


def test_a_repeat_of_a_bad_one_fills_no_second_place(secret: str, workspace: Workspace) -> None:
    send(secret, item(at="?"), item(source_id=None))
    again = send(secret, item(at="?"), item(source_id=None)).json()
    assert (again["quarantined"], again["duplicate"]) == (0, 2)
    assert workspace.quarantined.count() == 2


def test_a_bad_one_that_comes_again_in_order_is_booked_and_closed(secret: str, workspace: Workspace) -> None:
    send(secret, item(at="?"))
    assert send(secret, item()).json()["accepted"] == 1
    aside = workspace.quarantined.get()
    assert (aside.state, aside.charge_id) == (Quarantined.State.MENDED, the_charge().pk)
    assert send(secret, item()).json()["duplicate"] == 1


def test_what_somebody_dismissed_stays_out(secret: str, workspace: Workspace) -> None:
    send(secret, item(at="?"))
    workspace.quarantined.update(state=Quarantined.State.DISMISSED, decided_at=timezone.now())
    assert send(secret, item()).json()["results"][0]["reason"] == "dismissed"
    assert not Charge.objects.exists()


def test_the_key_and_its_team_stand_on_the_charge(secret: str, workspace: Workspace) -> None:
    team = factories.make_team(workspace)
    workspace.api_keys.update(team=team)
    send(secret, item())
    assert (the_charge().team_id, the_charge().team_name, the_charge().api_key_name) == (team.pk, "Support", "shop")


def test_a_team_is_known_by_its_name_or_its_id(secret: str, workspace: Workspace) -> None:
    team = factories.make_team(workspace, "Research")
    send(
        secret,
        item("1", team="research"),
        item("2", team=team.pk),
        item("3", team="Nobody's"),
        item("4", team=str(team.pk)),
    )
    assert list(Charge.objects.order_by("source_id").values_list("team_id", "team_name")) == [
        (team.pk, "Research"),
        (team.pk, "Research"),
        (None, "Nobody's"),
        (team.pk, "Research"),
    ]


def test_a_prompt_is_known_by_its_name_with_its_version(secret: str, workspace: Workspace) -> None:
    prompt = factories.make_prompt(workspace)
    version = factories.make_version(prompt)
    send(secret, item("1", prompt="support/reply", version=1), item("2", prompt=prompt.pk), item("3", prompt="x/y"))
    found = list(Charge.objects.order_by("source_id").values_list("prompt_id", "prompt_name", "version_id"))
    assert found == [
        (prompt.pk, "support/reply", version.pk),
        (prompt.pk, "support/reply", None),
        (None, "x/y", None),
    ]


def test_a_name_with_spaces_is_taken_where_it_is_a_prompts(secret: str, workspace: Workspace) -> None:
    prompt = factories.make_prompt(workspace, "Support reply")
    send(secret, item("1", prompt="Support reply"), item("2", prompt="You are a helpful assistant"))
    found = Charge.objects.order_by("source_id").values_list("prompt_id", "prompt_name")
    assert list(found) == [(prompt.pk, "Support reply"), (None, "")]


def test_a_prompt_of_another_workspace_is_nobodys(secret: str) -> None:
    other = factories.make_prompt(factories.make_workspace("elsewhere"))
    send(secret, item("1", prompt=other.pk), item("2", prompt=other.name))
    assert set(Charge.objects.values_list("prompt_id", flat=True)) == {None}


def test_a_member_is_known_by_the_address(secret: str, fay: Any) -> None:
    send(secret, item("1", user="FAY@example.com"), item("2", user="somebody"))
    found = list(Charge.objects.order_by("source_id").values_list("user_id", "user_name"))
    assert found == [(fay.pk, "Fay"), (None, "somebody")]


def test_gzip_is_unpacked(secret: str) -> None:
    assert send(secret, item(), packed=True).json()["accepted"] == 1


def post(secret: str, body: bytes, **headers: str) -> Any:
    allowed = {"Authorization": f"Bearer {secret}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return Client().post("/api/v1/charges", body, content_type=JSON, headers=allowed)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"source": "a", "charges": [NaN]}', 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"charges": []}', 422),
        (b'{"source": "gateway", "charges": []}', 422),
        (b'{"source": "correction", "charges": []}', 422),
        (b'{"source": "a", "charges": {}}', 422),
    ],
)
def test_a_body_without_items_is_refused_in_words(body: bytes, status: int, secret: str) -> None:
    answer = post(secret, body)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]


def test_more_than_a_thousand_items_are_too_many(secret: str) -> None:
    answer = send(secret, *[{}] * 1001)
    assert (answer.status_code, Quarantined.objects.count()) == (413, 0)
    assert "1,000" in answer.json()["detail"]


def test_a_bomb_of_gzip_is_left_after_a_bounded_piece(secret: str) -> None:
    bomb = gzip.compress(bytes(60 * 1024 * 1024))
    assert len(bomb) < 100_000
    assert post(secret, bomb, Content_Encoding="gzip").status_code == 413


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_half_a_gzip_is_refused(cut: int, secret: str) -> None:
    body = gzip.compress(json.dumps({"source": "a", "charges": [item()]}).encode())
    assert post(secret, body[:-cut], Content_Encoding="gzip").status_code == 400
    assert not Charge.objects.exists()


def test_another_way_of_packing_is_refused(secret: str) -> None:
    assert post(secret, b"{}", Content_Encoding="br").status_code == 415


def test_without_the_scope_nothing_is_booked(workspace: Workspace) -> None:
    reader = factories.make_api_key(workspace, Scope.SPEND_READ)[1]
    assert send(reader, item()).status_code == 403
    assert send("sk-gly-unknown", item()).status_code == 401
    assert Charge.objects.count() == IngestCount.objects.count() == 0


def test_a_key_books_in_its_own_workspace_alone(secret: str, workspace: Workspace) -> None:
    other = factories.make_workspace("elsewhere")
    theirs = factories.make_api_key(other, Scope.CHARGES_WRITE)[1]
    assert send(theirs, item()).json()["accepted"] == send(secret, item()).json()["accepted"] == 1
    assert set(Charge.objects.values_list("workspace_id", "unpriced")) == {(workspace.pk, False), (other.pk, True)}


def test_a_month_that_was_let_go_is_told(secret: str, workspace: Workspace) -> None:
    LetGo.objects.create(month=NOON.date().replace(day=1, month=10), charges=0)
    old = NOON.replace(month=10).isoformat()
    rows = send(secret, item("1", at=old), item("2")).json()["results"]
    assert [row.get("reason") for row in rows] == ["month-let-go", None]


def test_a_late_event_lands_in_its_own_day(secret: str, workspace: Workspace) -> None:
    send(secret, item(at=(NOON - timedelta(days=21)).isoformat()))
    assert SpendAxis.objects.get(workspace_id=workspace.pk, axis="all").day == (NOON - timedelta(days=21)).date()


def test_what_arrived_is_counted(secret: str, workspace: Workspace) -> None:
    send(secret, item("1"), item("1"), item("2", at="?"))
    count = IngestCount.objects.get(workspace=workspace)
    assert (count.source, count.accepted, count.duplicate, count.quarantined) == ("billing", 1, 1, 1)


def test_text_of_prompts_is_kept_nowhere(secret: str, workspace: Workspace) -> None:
    texts = {
        "messages": [{"role": "user", "content": CANARY}],
        "content": CANARY,
        "usage": {"prompt_tokens": 1, "text": CANARY, "details": {"x": CANARY}},
    }
    named = (
        {"meters": None, "dialect": CANARY},
        {"at": CANARY},
        {"purpose": CANARY},
        {"prompt": f"{CANARY} " * 9},
        {"prompt": CANARY},
    )
    send(secret, item("1", **texts), item("2", at="?", **texts), {CANARY: CANARY}, CANARY, [CANARY])
    messages = [
        row.get("message")
        for row in send(secret, *[item(f"n{n}", **it) for n, it in enumerate(named)]).json()["results"]
    ]
    kept = [*Quarantined.objects.values_list("payload", "message"), *Charge.objects.values()]
    assert (Quarantined.objects.count(), len(messages)) == (9, 5)
    assert "CANARY" not in json.dumps(kept, default=str) + json.dumps(messages)


def test_hostile_characters_stay_harmless(secret: str) -> None:
    send(secret, item("\x00\ud800id", customer="a\x00b", tags={"x": "\ud83d"}), item("i" * 500, customer="=cmd"))
    assert Charge.objects.count() == 2
    assert Charge.objects.exclude(customer="=cmd").get().customer == "ab"


@pytest.mark.parametrize("word", ["a\x00b", "\ud800"])
def test_words_that_no_database_takes_hold_up_no_other_item(secret: str, word: str) -> None:
    usage = {"input_tokens": "x", "service_tier": word, "speed": word, "inference_geo": word}
    wrong = item("1", dialect="anthropic", usage=usage, meters=None)
    assert send(secret, wrong, item("2")).json()["accepted"] == 1
    assert send(secret, wrong, item("2")).json()["duplicate"] == 2
    assert Charge.objects.get().source_id == "2"


def test_what_even_the_quarantine_cannot_hold_is_known_by_its_id(
    secret: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "kept", lambda raw: {"usage": {"speed": "\x00"}})
    assert send(secret, item("1", at="?"), item("2")).json()["accepted"] == 1
    row = workspace.quarantined.get()
    assert (row.source_id, row.reason, row.payload.get("usage")) == ("1", "refused-by-the-books", None)


def test_a_month_that_is_missing_from_the_ledger_is_made_again(secret: str) -> None:
    partitions.forget()
    send(secret, item("1"))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE costs_charge_2026_11")
    partitions._known.add("costs_charge_2026_11")
    assert send(secret, item("2")).json()["accepted"] == 1
    assert Charge.objects.get().source_id == "2"
