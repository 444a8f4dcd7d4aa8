"""Who waits for a place: in which order rows are locked, who is woken, and that nothing is left behind."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import Error, transaction
from django.db import connection as database
from django.utils import timezone

from apps.costs.models import Purpose
from apps.llm import beat, governor, turnstile
from apps.llm.attribution import Attribution
from apps.llm.errors import Busy
from apps.llm.governor import Ticket
from apps.llm.models import Lane, Model, Waiter

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = Attribution(purpose=Purpose.PLAYGROUND, user_id=7)


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    turnstile.forget()
    yield
    turnstile.forget()


def ticket(model: Model, tokens: int = 10) -> Ticket:
    return Ticket.of(model, PERSON, party="", tokens=tokens)


def until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_anybody_blocked() -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("is_there", [True, False])
def test_who_says_that_it_waits_and_who_is_let_in_do_not_lock_each_other_out(model: Model, is_there: bool) -> None:
    """Whoever is let in holds the lane when its waiter's row goes, so the one who waits comes by the lane as well."""
    model.connection.tokens_per_minute = 1_200
    waiting = ticket(model, tokens=1_000)
    if is_there:
        Lane.objects.create(model=model, tokens_left=0)
    Waiter.objects.create(model=model, party=waiting.party, is_interactive=True, seen_at=timezone.now())
    told: list[float | Error] = []

    def wait() -> None:
        try:
            told.append(governor.wait_for(waiting, 0))
        except Error as error:
            told.append(error)
        finally:
            database.close()

    thread = threading.Thread(target=wait)
    with transaction.atomic():
        if is_there:
            Lane.objects.update(in_flight=1)
        else:
            Lane.objects.create(model=model)
        thread.start()
        until(is_anybody_blocked)
        Waiter.objects.all().delete()
    thread.join()
    assert [type(one) for one in told] == [float]


def test_who_waited_long_ago_is_forgotten(model: Model) -> None:
    for party, age in (("run:1", 120), ("run:2", 5)):
        seen_at = timezone.now() - timedelta(seconds=age)
        Waiter.objects.create(model=model, party=party, is_interactive=False, seen_at=seen_at)
    beat.sweep_calls()
    assert Waiter.objects.get().party == "run:2"


def refuse() -> None:
    return None


async def refuse_async() -> None:
    return None


async def soon(ticket: Ticket, looks: int) -> float:
    return 0.01


def test_a_turnstile_goes_with_the_last_one_who_waits(model: Model) -> None:
    with pytest.raises(Busy):
        turnstile.admitted(ticket(model), 0.02, refuse, lambda ticket, looks: 0.01)
    assert turnstile._turnstiles == {}


def test_so_does_that_of_an_event_loop(model: Model) -> None:
    with pytest.raises(Busy):
        asyncio.run(turnstile.admitted_async(ticket(model), 0.02, refuse_async, soon))
    assert turnstile._awaited == {}


def test_where_nobody_is_refused_nothing_is_kept(model: Model) -> None:
    assert turnstile.admitted(ticket(model), 1.0, lambda: "in", lambda ticket, looks: 0.01) == "in"
    assert turnstile._turnstiles == {}


def test_a_place_given_back_wakes_the_one_who_looks(model: Model) -> None:
    places: list[str] = []
    found: list[str] = []
    wish = ticket(model)

    def wait() -> None:
        found.append(turnstile.admitted(wish, 20.0, lambda: places.pop() if places else None, lambda *_: 20.0))

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: bool(turnstile._turnstiles))
    time.sleep(0.05)
    places.append("in")
    turnstile.given_back(model.pk)
    thread.join(5)
    assert found == ["in"]


def test_giving_back_never_fails_because_a_loop_was_closed_meanwhile(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    monkeypatch.setattr(loop, "is_closed", lambda: False)  # it was open when it was asked
    turnstile._awaited[model.pk, "key:1", loop] = turnstile.AsyncTurnstile()
    turnstile.given_back(model.pk)


class Slow(int):
    """A number that takes a moment to compare, so that other threads have theirs."""

    def __eq__(self, other: object) -> bool:
        time.sleep(0.001)
        return int(self) == other

    __hash__ = int.__hash__


def test_giving_back_never_fails_because_loops_come_and_go(model: Model) -> None:
    over = threading.Event()
    failures: list[BaseException] = []

    def come_and_go() -> None:
        while not over.is_set():
            with suppress(Busy):
                asyncio.run(turnstile.admitted_async(ticket(model), 0.005, refuse_async, soon))

    def give_back() -> None:
        try:
            while not over.is_set():
                turnstile.given_back(Slow(model.pk))
        except RuntimeError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for work in (come_and_go, come_and_go, give_back)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    over.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_task_that_is_told_to_stop_as_it_is_woken_stops(model: Model) -> None:
    """It takes no place that it would have to pay for."""

    async def work() -> list[int]:
        looks: list[int] = []

        async def enter() -> str | None:
            looks.append(1)
            return "in" if len(looks) > 2 else None

        async def long(ticket: Ticket, looks: int) -> float:
            return 20.0

        task = asyncio.ensure_future(turnstile.admitted_async(ticket(model), 20.0, enter, long))
        while len(looks) < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        turnstile.given_back(model.pk)
        await asyncio.sleep(0)  # the place is known to be free, and the task not yet awake
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return looks

    assert len(asyncio.run(work())) == 2
