"""The tokens of a minute: what calls put aside, what comes back, and for whom they are saved."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.costs.models import Purpose
from apps.llm import bodies, expecting, governor, journal
from apps.llm.attribution import Attribution
from apps.llm.completion import Answer, Usage
from apps.llm.governor import Ticket
from apps.llm.models import Call, CallHour, Lane, Model
from tests.llm.conftest import ask

pytestmark = pytest.mark.django_db(transaction=True)
BATCH = Attribution(purpose=Purpose.EVALUATION)
KEY = Attribution(purpose=Purpose.PRODUCTION, api_key_id=3)
PERSON = Attribution(purpose=Purpose.PLAYGROUND, user_id=7)
SIZE = 5_000


@pytest.fixture(autouse=True)
def limited(model: Model) -> Model:
    """Allow 60,000 tokens a minute, 5,000 of them at once."""
    expecting.forget()
    model.connection.tokens_per_minute = 12 * SIZE
    Lane.objects.create(model=model, width=50)
    return model


def ticket(model: Model, attribution: Attribution = BATCH, *, tokens: int, party: str = "") -> Ticket:
    return Ticket.of(model, attribution, party=party, tokens=tokens)


def enter(model: Model, ticket: Ticket) -> Call | None:
    """Let the ticket in if there is a place now."""
    request = ask(model)
    call = journal.new_call(
        request,
        operation=Call.Operation.COMPLETE,
        ticket=ticket,
        asked_tokens=10,
        attempt=1,
        first=None,
        now=timezone.now(),
    )
    question = bodies.asked({"messages": request.messages}, "full")
    return call if journal.begin(call, ticket, question, "full") else None


def answered(call: Call, used: int) -> None:
    answer = Answer(text="Yes.", tool_calls=[], finish_reason="stop", usage=Usage(input=10, output=used - 10))
    ended: dict[str, Any] = {"kept": "full", "timing": journal.Timing(latency_ms=5), "now": timezone.now()}
    journal.answered(call, answer, request_id="", **ended)


def refill(seconds: float) -> None:
    """Let time pass for the bucket."""
    Lane.objects.update(filled_at=timezone.now() - timedelta(seconds=seconds))


@pytest.mark.parametrize("others", ["", "key:9"])
def test_who_needs_the_whole_bucket_is_saved_for(model: Model, others: str) -> None:
    """Small requests that come again and again, of other parties or of its own in other processes, pass it no more."""
    large = ticket(model, PERSON, tokens=8_000, party="key:3")
    assert enter(model, ticket(model, KEY, tokens=3_000)) is not None
    assert enter(model, large) is None
    governor.wait_for(large, 0)
    assert enter(model, ticket(model, KEY, tokens=400, party=others)) is None
    refill(10)
    governor.wait_for(large, 1)
    assert enter(model, ticket(model, KEY, tokens=400, party=others)) is None
    assert enter(model, large) is not None
    refill(10)
    assert enter(model, ticket(model, KEY, tokens=400, party=others)) is not None


def test_tokens_are_saved_for_one_at_a_time(model: Model) -> None:
    enter(model, ticket(model, KEY, tokens=4_000))
    first, second = ticket(model, KEY, tokens=4_000), ticket(model, PERSON, tokens=4_500)
    governor.wait_for(first, 0)
    governor.wait_for(second, 0)
    refill(10)
    assert enter(model, second) is None
    assert enter(model, first) is not None


def test_who_no_longer_waits_is_not_saved_for(model: Model) -> None:
    enter(model, ticket(model, KEY, tokens=4_000))
    governor.wait_for(ticket(model, KEY, tokens=5_000), 0)
    Lane.objects.update(saves_until=timezone.now() - timedelta(seconds=1))
    assert enter(model, ticket(model, PERSON, tokens=100)) is not None


def test_people_do_not_stand_back_for_batches(model: Model) -> None:
    enter(model, ticket(model, BATCH, tokens=4_000))
    run, person = ticket(model, BATCH, tokens=5_000, party="run:1"), ticket(model, PERSON, tokens=2_000)
    governor.wait_for(run, 0)
    governor.wait_for(person, 0)
    assert Lane.objects.get().saves_for == person.id
    refill(1.5)
    assert enter(model, run) is None
    assert enter(model, person) is not None


def test_a_run_that_has_more_than_its_share_has_nothing_saved_for_it(model: Model) -> None:
    model.connection.max_concurrency = 2
    enter(model, ticket(model, tokens=4_900, party="run:1"))
    governor.wait_for(ticket(model, tokens=100, party="run:2"), 0)
    Lane.objects.update(saves_until=None)
    governor.wait_for(ticket(model, tokens=5_000, party="run:1"), 0)
    assert Lane.objects.get().saves_until is None


def test_an_answer_is_expected_to_be_as_long_as_the_models_were_lately(model: Model) -> None:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    hour = {"failed": 1, "throttled": 0, "input_tokens": 0, "workspace": model.workspace}
    recent = {"calls": 13, "answered": 12, "reused": 2, "output_tokens": 2_500}
    CallHour.objects.create(model=model, hour=now, **hour, **recent)
    old = {"calls": 9, "answered": 9, "reused": 0, "output_tokens": 90_000}
    CallHour.objects.create(model=model, hour=now - timedelta(hours=9), **hour, **old)
    assert [expecting.output_of(model, limit) for limit in (None, 4_096, 100)] == [250, 250, 100]


def test_nothing_is_looked_up_where_no_tokens_are_counted(model: Model, django_assert_num_queries: Any) -> None:
    model.connection.tokens_per_minute = None
    with django_assert_num_queries(0):
        assert expecting.output_of(model, None) == expecting.UNKNOWN


def test_what_a_call_gives_back_fills_the_bucket_over_its_brim(model: Model) -> None:
    call = enter(model, ticket(model, tokens=4_000))
    assert call is not None
    refill(10)  # full again
    small = enter(model, ticket(model, tokens=1))
    assert small is not None
    answered(call, used=100)
    assert enter(model, ticket(model, tokens=5_000)) is not None
    assert enter(model, ticket(model, tokens=3_500)) is not None
    assert enter(model, ticket(model, tokens=3_500)) is None


@pytest.mark.parametrize(
    ("left", "seconds", "expected"), [(10_000, 2, 8_167), (10_000, 60, 5_000), (900_000, 0, 60_000)]
)
def test_what_is_over_the_brim_is_bounded_and_does_not_last(
    model: Model, left: float, seconds: float, expected: float
) -> None:
    Lane.objects.update(tokens_left=left)
    refill(seconds)
    enter(model, ticket(model, tokens=0))
    assert Lane.objects.get().tokens_left == pytest.approx(expected, abs=200)
