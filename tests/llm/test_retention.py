"""Texts are brought down to what the workspace keeps: completely, once, in small steps that anything may interrupt."""

import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections

from apps.accounts.models import Workspace
from apps.core import canonical
from apps.llm import bodies, retention
from apps.llm.completion import Answer, CompletionRequest
from apps.llm.models import BodyPolicy, CachedAnswer, Call, CallBody, Model
from tests.llm.call_rows import REQUEST, make_body, make_call
from tests.llm.conftest import ask

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def choose(workspace: Workspace, **fields: Any) -> BodyPolicy:
    return BodyPolicy.objects.update_or_create(workspace=workspace, defaults=fields)[0]


def make_answer(model: Model, expires_at: datetime, key: str = "k") -> CachedAnswer:
    return CachedAnswer.objects.create(
        workspace=model.workspace, key=key, model=model, call_id=uuid4(), answer={}, expires_at=expires_at
    )


def test_a_workspace_that_never_chose_keeps_its_texts_for_ninety_days(model: Model) -> None:
    kept = make_call(model, NOW - timedelta(days=89))
    make_call(model, NOW - timedelta(days=91))
    assert retention.sweep(NOW) == retention.Swept(deleted=1)
    assert CallBody.objects.get().call == kept
    assert Call.objects.count() == 2


def test_texts_become_the_fingerprints_that_the_journal_would_have_written(model: Model) -> None:
    choose(model.workspace, kept="hashed")
    request: CompletionRequest = ask(model)
    call = make_call(model, NOW, body=bodies.question_of(request), text="Today.")
    retention.sweep(NOW)
    body = CallBody.objects.get()
    answer = Answer(text="Today.", tool_calls=[], finish_reason="stop", usage=None)
    assert body.request_hash == bodies.asked(bodies.question_of(request), "hashed").hash
    assert body.answer_hash == bodies.answered(answer, "hashed").hash
    assert (body.call, body.kept, body.request, body.text, body.tool_calls) == (call, "hashed", {}, "", [])


def test_an_answer_that_was_hashed_already_keeps_its_fingerprint(model: Model) -> None:
    choose(model.workspace, kept="hashed")
    make_body(make_call(model, NOW, body=None), request=REQUEST, answer_hash="ab" * 32)
    retention.sweep(NOW)
    body = CallBody.objects.get()
    assert (body.request_hash, body.answer_hash) == (canonical.sha256(REQUEST), "ab" * 32)


def test_sweeping_again_changes_nothing(model: Model) -> None:
    choose(model.workspace, kept="hashed")
    make_call(model, NOW, text="Today.")
    assert retention.sweep(NOW).hashed == 1
    before = CallBody.objects.values().get()
    assert retention.sweep(NOW) == retention.Swept()
    assert CallBody.objects.values().get() == before


def test_where_nothing_is_kept_nothing_stays(model: Model) -> None:
    choose(model.workspace, kept="none")
    make_call(model, NOW)
    make_body(make_call(model, NOW, body=None), kept="hashed", request_hash="ab")
    assert retention.sweep(NOW).deleted == 2
    assert not CallBody.objects.exists()


@pytest.mark.parametrize("kept", ["hashed", "none"])
def test_a_call_in_flight_is_left_until_its_answer_is_there(kept: str, model: Model) -> None:
    choose(model.workspace, kept=kept)
    call = make_call(model, NOW, state=Call.State.SENT)
    assert retention.sweep(NOW) == retention.Swept()
    Call.objects.filter(pk=call.pk).update(state=Call.State.ANSWERED, ended_at=NOW)
    swept = retention.sweep(NOW)
    assert swept.hashed + swept.deleted == 1


def test_each_workspace_follows_its_own_choice(model: Model, stranger: Any) -> None:
    choose(model.workspace, kept="none")
    make_call(model, NOW)
    choose(stranger.memberships.get().workspace, kept="none")
    Workspace.objects.create(slug="third", name="Third")
    choose(model.workspace, kept="full")
    assert retention.sweep(NOW) == retention.Swept()


def test_texts_without_an_end_stay(model: Model) -> None:
    choose(model.workspace, days=None)
    make_call(model, NOW - timedelta(days=4_000))
    assert retention.sweep(NOW) == retention.Swept()


def test_old_fingerprints_go_too(model: Model) -> None:
    choose(model.workspace, kept="hashed", days=5)
    make_body(make_call(model, NOW - timedelta(days=6), body=None), kept="hashed", request_hash="ab")
    assert retention.sweep(NOW).deleted == 1


def test_answers_go_when_their_time_is_over_or_they_may_not_serve(model: Model) -> None:
    choose(model.workspace, reuse_hours=4)
    make_answer(model, NOW, "over")
    make_answer(model, NOW + timedelta(hours=1), "fresh")
    assert retention.sweep(NOW).answers == 1
    choose(model.workspace, kept="hashed", reuse_hours=4)
    assert retention.sweep(NOW).answers == 1
    assert not CachedAnswer.objects.exists()


def test_what_is_left_is_counted(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "COUNTED", 3)
    policy = choose(model.workspace, kept="hashed", days=5)
    for _ in range(2):
        make_call(model, NOW)
    make_call(model, NOW - timedelta(days=9))
    left = retention.left(policy, NOW)
    assert (left.to_hash, left.to_delete, left.is_more) == (3, 1, True)
    retention.sweep(NOW)
    assert retention.left(policy, NOW).total == 0


@pytest.mark.parametrize(
    ("before", "after", "is_stricter"),
    [
        (("full", 90), ("full", 90), False),
        (("full", 90), ("hashed", 90), True),
        (("hashed", 90), ("none", None), True),
        (("none", 90), ("full", 90), False),
        (("full", 90), ("full", 30), True),
        (("full", None), ("full", 30), True),
        (("full", 30), ("full", None), False),
        (("none", None), ("none", 30), False),
    ],
)
def test_stricter_means_that_something_is_taken_away(before: Any, after: Any, is_stricter: bool) -> None:
    policy = BodyPolicy(kept=before[0], days=before[1])
    assert retention.is_stricter(policy, kept=after[0], days=after[1]) is is_stricter


class Killed(BaseException):
    """What a process that is killed does to its transaction."""


@pytest.mark.django_db(transaction=True)
def test_a_sweep_that_is_killed_loses_one_batch_and_the_next_goes_on(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "HASHED_AT_ONCE", 10)
    choose(model.workspace, kept="hashed")
    for n in range(35):
        make_call(model, NOW, text=f"Answer {n}")
    hashes_of, seen = retention._hashes_of, []

    def killed_at_the_25th(body: CallBody) -> Any:
        seen.append(body.pk)
        if len(seen) == 25:
            raise Killed
        return hashes_of(body)

    monkeypatch.setattr(retention, "_hashes_of", killed_at_the_25th)
    with pytest.raises(Killed):
        retention.sweep(NOW)
    assert CallBody.objects.filter(kept="hashed").count() == 20
    monkeypatch.setattr(retention, "_hashes_of", hashes_of)
    assert retention.sweep(NOW).hashed == 15
    assert CallBody.objects.exclude(answer_hash="").filter(text="").count() == 35


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kept", ["hashed", "none"])
def test_two_sweeps_at_once_share_the_work(kept: str, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "HASHED_AT_ONCE", 7)
    monkeypatch.setattr(retention, "DELETED_AT_ONCE", 7)
    choose(model.workspace, kept=kept)
    for n in range(200):
        make_call(model, NOW, text=f"Answer {n}")
    start, swept = threading.Barrier(2), []

    def run() -> None:
        start.wait()
        swept.append(retention.sweep(NOW))
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(one.hashed + one.deleted for one in swept) == 200
    assert CallBody.objects.filter(kept="full").count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_sweep_waits_for_nobody(model: Model) -> None:
    choose(model.workspace, kept="hashed")
    held, free = make_call(model, NOW), make_call(model, NOW)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        from django.db import transaction

        with transaction.atomic():
            CallBody.objects.select_for_update().get(pk=held.pk)
            locked.set()
            done.wait(30)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait(30)
    assert retention.sweep(NOW).hashed == 1
    done.set()
    thread.join(30)
    assert CallBody.objects.get(kept="hashed").call == free
    assert retention.sweep(NOW).hashed == 1


FILL = """
WITH numbers AS (SELECT i, gen_random_uuid() AS id FROM generate_series(1, %(calls)s) AS i),
called AS (
    INSERT INTO llm_call (id, workspace_id, charge_id, model_id, operation, state, attempt, first_attempt_id, party,
        lane_shrinks, asked_tokens, reserved_tokens, attribution, purpose, origin, finish_reason, error_kind,
        error_message, provider_request_id, sent_at, deadline_at, ended_at)
    SELECT id, %(workspace)s, id, %(model)s, 'complete', 'answered', 1, id, '', 0, 0, 0, '{}', 'judge', '', 'stop', '',
        '', '', now(), now(), now() FROM numbers RETURNING id
)
INSERT INTO llm_callbody (call_id, workspace_id, kept, request, text, tool_calls, request_hash, answer_hash)
SELECT id, %(workspace)s, 'full', jsonb_build_object('messages', repeat(i::text, 100)), repeat('x', 2000), '[]', '', ''
FROM numbers
"""


def fill(model: Model, calls: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"calls": calls, "workspace": model.workspace_id, "model": model.pk})
        cursor.execute("ANALYZE llm_call, llm_callbody")


def peak_of_a_sweep() -> int:
    tracemalloc.start()
    retention.sweep(NOW)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_many_texts_take_little_memory(model: Model) -> None:
    choose(model.workspace, kept="hashed", days=None)
    fill(model, 8_000)  # 20 MB of bodies, were they all held at once
    assert peak_of_a_sweep() < 4_000_000
    assert not CallBody.objects.filter(kept="full").exists()


def test_a_sweep_keeps_to_its_time(model: Model) -> None:
    choose(model.workspace, kept="hashed")
    fill(model, 5_000)
    retention.sweep(NOW, seconds=0.05)
    assert 0 < CallBody.objects.filter(kept="hashed").count() < 5_000
