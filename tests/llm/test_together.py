"""What threads want at once is asked for by one of them, and nobody suffers for the others."""

import threading
from collections.abc import Sequence

import pytest
from django.db import DataError, transaction

from apps.llm.together import Together

pytestmark = pytest.mark.django_db(transaction=True)


class Desk:
    """Doubles numbers, the first of them only when it is told to go on; refuses 13."""

    def __init__(self, error: type[Exception] = DataError) -> None:
        self.error = error
        self.batches: list[list[int]] = []
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def work(self, wishes: Sequence[int]) -> list[int]:
        self.batches.append(sorted(wishes))
        self.has_begun.set()
        assert self.may_go_on.wait(10)
        if 13 in wishes:
            raise self.error("13 is refused")
        return [2 * wish for wish in wishes]


def granted(desk: Desk, wishes: Sequence[int]) -> dict[int, int | str]:
    """Let one thread begin and the others come meanwhile; return what each was given or told."""
    together, found = Together(desk.work), {}

    def ask(wish: int) -> None:
        try:
            found[wish] = together.grant(wish)
        except desk.error as error:
            found[wish] = str(error)

    threads = [threading.Thread(target=ask, args=(wish,)) for wish in wishes]
    threads[0].start()
    assert desk.has_begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(together._waiting) < len(wishes) - 1:
        pass
    desk.may_go_on.set()
    for thread in threads:
        thread.join()
    return found


def test_those_who_come_while_one_is_at_work_are_served_in_one_trip() -> None:
    desk = Desk()
    assert granted(desk, [1, 2, 3, 4]) == {1: 2, 2: 4, 3: 6, 4: 8}
    assert desk.batches == [[1], [2, 3, 4]]


@pytest.mark.parametrize("error", [DataError, TypeError])
def test_a_wish_that_fails_fails_alone(error: type[Exception]) -> None:
    desk = Desk(error)
    assert granted(desk, [1, 2, 13, 4]) == {1: 2, 2: 4, 13: "13 is refused", 4: 8}
    assert desk.batches[1] == [2, 4, 13]
    assert sorted(desk.batches[2:]) == [[2], [4], [13]]


def test_in_a_transaction_nobody_is_taken_along() -> None:
    desk = Desk()
    desk.may_go_on.set()
    together = Together(desk.work)
    with transaction.atomic():
        together._turn.acquire()  # another thread is at work
        assert together.grant(5) == 10
