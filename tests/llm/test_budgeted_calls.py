"""Calls and budgets: room is held before a call leaves, settled by its charge, and given back when it never left."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection as database

from apps.costs import budgets, partitions
from apps.costs.models import Budget, BudgetPeriod, Charge, Reservation
from apps.llm import inference, off_loop
from apps.llm.attempts import Attempts
from apps.llm.errors import Busy, ProviderError
from apps.llm.models import Call, Lane, Model
from tests.llm.conftest import OUTPUT_PRICE, ask

pytestmark = pytest.mark.django_db(transaction=True)
MOST = 100


@pytest.fixture(autouse=True)
def fresh_budgets() -> Iterator[None]:
    budgets.forget()
    yield
    off_loop.close()
    budgets.forget()


def budget(model: Model, limit: str, **fields: object) -> Budget:
    return Budget.objects.create(
        workspace=model.workspace,
        name="All",
        limit_amount=Decimal(limit),
        counted_from=date(2020, 1, 1),
        **{"mode": "hard", **fields},
    )


def spent() -> tuple[Decimal, Decimal]:
    found = BudgetPeriod.objects.get()
    return found.spent, found.reserved


def limited(model: Model, **fields: object) -> object:
    return ask(model, parameters={"max_tokens": MOST}, **fields)


def test_what_a_call_cost_takes_the_place_of_what_was_held_for_it(model: Model) -> None:
    budget(model, "1")
    done = inference.complete(limited(model))  # type: ignore[arg-type]
    assert spent() == (done.cost, 0)
    assert Reservation.objects.get(charge_id=done.charge_id).state == "settled"


def test_a_call_that_could_cost_more_than_is_left_never_leaves(model: Model) -> None:
    budget(model, str(MOST * OUTPUT_PRICE))
    with pytest.raises(budgets.OverBudget, match="All"):
        inference.complete(limited(model))  # type: ignore[arg-type]
    assert not Call.objects.exists()
    assert spent() == (0, 0)


def test_each_attempt_holds_for_itself_and_a_refusal_gives_everything_back(model: Model) -> None:
    budget(model, "1")
    with pytest.raises(ProviderError):
        inference.complete(limited(model, fault="429;retry-after-ms=1", max_attempts=3))  # type: ignore[arg-type]
    assert Reservation.objects.filter(state="settled", charge_id__isnull=False).count() == 3
    assert spent() == (0, 0)


def test_who_finds_no_place_gives_back_what_was_held(model: Model) -> None:
    budget(model, "1")
    Lane.objects.create(model=model, width=1, in_flight=1)
    with pytest.raises(Busy):
        inference.complete(limited(model, patience=0.1))  # type: ignore[arg-type]
    with pytest.raises(Busy):
        asyncio.run(inference.acomplete(limited(model, patience=0.1)))  # type: ignore[arg-type]
    assert spent() == (0, 0)


def test_who_is_cancelled_while_waiting_gives_back_what_was_held(model: Model) -> None:
    budget(model, "1")
    Lane.objects.create(model=model, width=1, in_flight=1)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(inference.acomplete(limited(model)), 0.4)  # type: ignore[arg-type]
        while off_loop._running:
            await asyncio.gather(*off_loop._running)

    asyncio.run(work())
    assert spent() == (0, 0)


def test_many_callers_at_once_never_spend_one_cent_too_much(model: Model) -> None:
    limit = 5 * MOST * OUTPUT_PRICE
    budget(model, str(limit))
    refused: list[budgets.OverBudget] = []

    def work() -> None:
        try:
            inference.complete(limited(model))  # type: ignore[arg-type]
        except budgets.OverBudget as error:
            refused.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(Charge.objects.values_list("cost", flat=True))
    assert refused
    assert spent() == (total, 0)
    assert total <= limit


def test_a_budget_that_warns_refuses_nothing(model: Model) -> None:
    budget(model, "0.000001", mode="warn")
    done = inference.complete(limited(model))  # type: ignore[arg-type]
    assert spent() == (done.cost, 0)


def test_what_is_sent_decides_how_much_is_held(claude: Model) -> None:
    claude.max_output_tokens = 64_000
    budget(claude, "1")
    done = inference.complete(ask(claude))
    assert (
        Reservation.objects.get(charge_id=done.charge_id).amount < 5_000 * OUTPUT_PRICE
    )  # 4,096 are asked for, not 64,000


def test_a_second_limit_does_not_hide_the_first(model: Model) -> None:
    budget(model, str(5_000 * OUTPUT_PRICE))
    with pytest.raises(budgets.OverBudget):
        inference.complete(ask(model, parameters={"max_completion_tokens": 10, "max_tokens": 8_000}))


def test_who_only_waits_holds_no_room(model: Model) -> None:
    budget(model, "1")
    Lane.objects.create(model=model, width=1, in_flight=1)
    task = Attempts(limited(model), Call.Operation.COMPLETE, {"max_tokens": MOST})  # type: ignore[arg-type]
    assert task.begin() is None
    assert spent() == (0, 0)


def test_a_month_that_is_missing_from_the_ledger_costs_no_answer(model: Model) -> None:
    inference.complete(limited(model))  # type: ignore[arg-type]
    (name,) = [name for name in partitions._known if name == partitions.name_of(Charge.objects.get().at)]
    with database.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")
    done = inference.complete(limited(model))  # type: ignore[arg-type]
    assert Charge.objects.get().pk == done.charge_id
