"""The governor: how many calls a lane lets through, to whom, and what it learns from their ends."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.costs.models import Purpose
from apps.llm import governor, inference, journal, sweeper, turnstile
from apps.llm.attempts import Attempts
from apps.llm.attribution import Attribution
from apps.llm.completion import Answer, Completion, CompletionRequest, Usage
from apps.llm.errors import Busy, ErrorKind, ProviderError
from apps.llm.governor import Bucket
from apps.llm.models import Call, Lane, Model, Waiter
from tests.llm.conftest import ask

pytestmark = pytest.mark.django_db(transaction=True)
WHOLE = Answer(text="Yes.", tool_calls=[], finish_reason="stop", usage=Usage(input=10, output=2))
ENDED: dict[str, Any] = {"kept": "full", "timing": journal.Timing(latency_ms=5)}


def lane(model: Model, **fields: object) -> Lane:
    return Lane.objects.create(model=model, **fields)


def batch(model: Model, party: str = "run:1", **fields: object) -> Attempts[CompletionRequest]:
    request = ask(model, attribution=Attribution(purpose=Purpose.EVALUATION), party=party, **fields)
    return Attempts(request, Call.Operation.COMPLETE, request.parameters)


def person(model: Model, **fields: object) -> Attempts[CompletionRequest]:
    request = ask(model, attribution=Attribution(purpose=Purpose.PLAYGROUND, user_id=7), **fields)
    return Attempts(request, Call.Operation.COMPLETE, request.parameters)


def enter(task: Attempts[CompletionRequest]) -> Call:
    call = task.begin()
    assert call is not None
    return call


def throttled(call: Call, retry_after: float | None = None) -> None:
    error = ProviderError(ErrorKind.RATE_LIMITED, "Slow down.", retry_after=retry_after, http_status=429)
    journal.failed(call, error, now=timezone.now(), **ENDED)


def answered(call: Call) -> None:
    journal.answered(call, WHOLE, request_id="", now=timezone.now(), **ENDED)


def test_a_full_lane_lets_nobody_in_until_a_place_is_given_back(model: Model) -> None:
    lane(model, width=2)
    calls = [enter(batch(model)), enter(batch(model))]
    assert batch(model).begin() is None
    answered(calls[0])
    assert batch(model).begin() is not None
    assert Lane.objects.get().in_flight == 2


def test_what_was_not_let_in_leaves_no_trace(model: Model) -> None:
    lane(model, width=1)
    enter(batch(model))
    batch(model).begin()
    assert Call.objects.count() == 1


def test_the_connections_limit_holds_whatever_the_lane_has_learned(model: Model) -> None:
    model.connection.max_concurrency = 1
    lane(model, width=50)
    enter(batch(model))
    assert batch(model).begin() is None


def test_a_lane_grows_by_one_for_each_answer_until_it_was_ever_throttled(model: Model) -> None:
    lane(model, width=4)
    flying = [enter(batch(model)) for _ in range(4)]
    for width in range(5, 12):
        answered(flying.pop(0))
        assert Lane.objects.get().width == width
        while (call := batch(model).begin()) is not None:
            flying.append(call)


def test_an_idle_lane_learns_nothing(model: Model) -> None:
    lane(model, width=8)
    for _ in range(20):
        answered(enter(batch(model)))
    assert Lane.objects.get().width == 8


def test_a_lane_shrinks_once_for_all_that_were_sent_before(model: Model) -> None:
    lane(model, width=20)
    calls = [enter(batch(model)) for _ in range(20)]
    for call in calls:
        throttled(call)
    found = Lane.objects.get()
    assert (found.width, found.ceiling, found.shrinks, found.in_flight) == (17, 20, 1, 0)


def test_a_lane_stays_just_below_where_it_was_throttled(model: Model) -> None:
    """Against a provider that throttles the eleventh call in flight, a long run ends at ten with few refusals."""
    lane(model, width=8)
    refused = total = 0
    flying: list[Call] = []
    for _ in range(1_500):
        while (call := batch(model).begin()) is not None:
            total += 1
            if len(flying) >= 10:
                refused += 1
                throttled(call)
            else:
                flying.append(call)
        answered(flying.pop(0))
    assert Lane.objects.get().width in {9, 10}
    assert refused / total < 0.02


def test_a_lane_finds_out_that_a_provider_takes_more_again(model: Model) -> None:
    lane(model, width=4, ceiling=5)
    flying: list[Call] = []
    for _ in range(600):
        while (call := batch(model).begin()) is not None:
            flying.append(call)
        answered(flying.pop(0))
    assert Lane.objects.get().width > 20


def test_refusals_without_any_answer_pause_the_lane_for_as_long_as_asked(model: Model) -> None:
    lane(model, width=3)
    for call in [enter(batch(model)) for _ in range(3)]:
        throttled(call, retry_after=30)
    assert 25 < (Lane.objects.get().paused_until - timezone.now()).total_seconds() <= 30  # type: ignore[operator]
    assert batch(model).begin() is None


def test_one_refusal_among_answers_pauses_nobody_else(model: Model) -> None:
    lane(model, width=8)
    calls = [enter(batch(model)) for _ in range(3)]
    throttled(calls[0], retry_after=30)
    answered(calls[1])
    assert Lane.objects.get().paused_until is None
    assert batch(model).begin() is not None


def test_an_answer_to_what_left_before_the_refusals_ends_no_pause(model: Model) -> None:
    lane(model, width=4)
    old, *refused = [enter(batch(model)) for _ in range(4)]
    for call in [*refused, refused[0]]:
        throttled(call, retry_after=30)
    Lane.objects.update(paused_until=timezone.now() + timedelta(seconds=30))
    answered(old)
    assert batch(model).begin() is None


def test_an_answer_to_what_left_after_the_refusals_ends_the_pause(model: Model) -> None:
    lane(model, width=8)
    call = enter(batch(model))
    Lane.objects.update(paused_until=timezone.now() + timedelta(seconds=30))
    answered(call)
    assert batch(model).begin() is not None


@pytest.mark.parametrize("asked", [61, 3_600])
def test_who_is_asked_to_wait_for_long_is_told_instead_of_asking_early(model: Model, asked: float) -> None:
    task = batch(model)
    error = ProviderError(ErrorKind.RATE_LIMITED, "Slow down.", retry_after=asked, http_status=429)
    with pytest.raises(ProviderError):
        task.after(error)
    error.retry_after = 60
    assert task.after(error) >= 60


def test_runs_share_a_lane_evenly_when_both_want_it(model: Model) -> None:
    model.connection.max_concurrency = 10
    lane(model, width=10)
    flying = [enter(batch(model, "run:1")) for _ in range(10)]
    late = batch(model, "run:2")
    assert late.begin() is None
    governor.wait_for(late.ticket, 0)
    for call in flying[:5]:
        answered(call)
        assert batch(model, "run:1").begin() is None
        enter(batch(model, "run:2"))
        governor.wait_for(late.ticket, 0)
    governor.wait_for(batch(model, "run:1").ticket, 0)
    answered(flying[5])
    assert batch(model, "run:2").begin() is None
    assert batch(model, "run:1").begin() is not None


def test_an_uneven_share_leaves_no_place_empty(model: Model) -> None:
    lane(model, width=3)
    for party in ("run:1", "run:2"):
        governor.wait_for(batch(model, party).ticket, 0)
    for party in ("run:1", "run:2", "run:1"):
        enter(batch(model, party))
    assert Lane.objects.get().in_flight == 3


def test_a_person_who_waits_goes_before_batches(model: Model) -> None:
    lane(model, width=1)
    first = enter(batch(model))
    somebody = person(model)
    governor.wait_for(somebody.ticket, 0)
    answered(first)
    assert batch(model, "run:2").begin() is None
    assert somebody.begin() is not None
    assert not Waiter.objects.exists()


def test_who_waited_long_ago_holds_nobody_up(model: Model) -> None:
    lane(model, width=1)
    governor.wait_for(person(model).ticket, 0)
    Waiter.objects.update(seen_at=timezone.now() - 2 * Waiter.FRESH)
    assert batch(model).begin() is not None


@given(per_minute=st.integers(1, 5_000), starts=st.floats(0, 60))
def test_no_minute_sees_more_requests_than_allowed(per_minute: int, starts: float) -> None:
    bucket = Bucket.of_requests(per_minute)
    assert bucket is not None
    # All that is there at once, then each request as soon as it may leave, for less than 60 seconds.
    assert int(bucket.size) + (60 * bucket.rate - 1e-9) // 1 <= per_minute


def test_requests_of_the_minute_run_out_and_come_back(model: Model) -> None:
    model.connection.requests_per_minute = 24  # two at once, 23 a minute
    lane(model, width=20)
    answered(enter(batch(model)))
    answered(enter(batch(model)))
    waiting = batch(model)
    assert waiting.begin() is None
    assert governor.wait_for(waiting.ticket, 0) == 0.5  # 2.6 seconds, but never out of sight for so long
    Lane.objects.update(filled_at=timezone.now() - timedelta(seconds=3))
    assert waiting.begin() is not None


def test_a_models_own_limit_goes_before_its_connections(model: Model) -> None:
    model.connection.requests_per_minute = 6_000
    model.requests_per_minute = 1
    lane(model, width=20)
    answered(enter(batch(model)))
    assert batch(model).begin() is None


def test_tokens_are_put_aside_and_what_was_not_used_comes_back(model: Model) -> None:
    model.connection.tokens_per_minute = 6_000  # five hundred at once
    lane(model, width=20)
    call = enter(batch(model, parameters={"max_tokens": 400}))
    assert batch(model, parameters={"max_tokens": 400}).begin() is None
    answered(call)
    left = Lane.objects.get().tokens_left
    assert left is not None
    assert 485 < left < 500  # 12 tokens were used
    assert batch(model, parameters={"max_tokens": 400}).begin() is not None


def test_a_request_larger_than_the_allowance_goes_alone_and_leaves_a_debt(model: Model) -> None:
    model.connection.tokens_per_minute = 1_200  # a hundred at once
    lane(model, width=20)
    enter(batch(model, parameters={"max_tokens": 400}))
    assert Lane.objects.get().tokens_left < -300  # type: ignore[operator]
    assert batch(model, parameters={"max_tokens": 1}).begin() is None


@pytest.mark.parametrize(
    "kind", [ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.AUTHENTICATION, ErrorKind.OVERLOADED]
)
def test_a_provider_that_fails_again_and_again_is_down_until_it_answers(model: Model, kind: ErrorKind) -> None:
    lane(model, width=20)
    for _ in range(Lane.DOWN_AFTER):
        Lane.objects.update(paused_until=None)
        journal.failed(enter(batch(model)), ProviderError(kind, "No."), now=timezone.now(), **ENDED)
    down = Lane.objects.of_workspace(model.workspace_id).down().get()
    assert (down.last_error, down.failing_since is not None) == (kind, True)
    Lane.objects.update(paused_until=None)
    refused = ProviderError(ErrorKind.BAD_REQUEST, "No such field.", http_status=400)
    journal.failed(enter(batch(model)), refused, now=timezone.now(), **ENDED)
    assert not Lane.objects.of_workspace(model.workspace_id).down().exists()


def test_an_overloaded_provider_narrows_its_lane_like_a_throttling_one(model: Model) -> None:
    lane(model, width=8)
    error = ProviderError(ErrorKind.OVERLOADED, "Too busy.", http_status=529)
    journal.failed(enter(batch(model)), error, now=timezone.now(), **ENDED)
    found = Lane.objects.get()
    assert (found.shrinks, found.failures, found.last_error) == (1, 1, "overloaded")


def test_a_provider_that_asks_everybody_to_slow_down_is_not_down(model: Model) -> None:
    lane(model, width=20)
    for call in [enter(batch(model)) for _ in range(12)]:
        throttled(call)
    assert not Lane.objects.down().exists()


def test_a_dead_process_leaves_its_places_to_the_sweeper(model: Model) -> None:
    lane(model, width=2)
    enter(batch(model))
    enter(batch(model))
    assert batch(model).begin() is None
    sweeper.sweep(timezone.now() + timedelta(hours=1))
    assert Lane.objects.get().in_flight == 0
    assert batch(model).begin() is not None


def test_who_waits_too_long_is_told(model: Model) -> None:
    lane(model, width=1)
    enter(batch(model))
    started = time.monotonic()
    with pytest.raises(Busy, match="no place came free"):
        inference.complete(ask(model, patience=0.3))
    assert time.monotonic() - started < 2


def test_sixty_threads_never_pass_the_limit_and_all_are_served(model: Model, set_provider: Callable[..., None]) -> None:
    set_provider(latency_ms=10)
    model.connection.max_concurrency = 4
    lane(model, width=8)
    most: list[int] = []
    done: list[Completion] = []

    def work(number: int) -> None:
        try:
            done.append(inference.complete(ask(model, party=f"run:{number % 3}", attribution=EVALUATION)))
            most.append(Call.objects.filter(state="sent").count())
        finally:
            database.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), max(most) <= 4, Lane.objects.get().in_flight) == (60, True, 0)
    assert turnstile._turnstiles == {}


EVALUATION = Attribution(purpose=Purpose.EVALUATION)
