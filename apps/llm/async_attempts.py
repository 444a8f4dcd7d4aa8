"""What an event loop needs around an attempt: to wait for a place, and to lose none when its task is cancelled."""

import asyncio
from functools import partial
from typing import Any

from apps.llm import governor, off_loop, turnstile
from apps.llm.attempts import Attempts
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.governor import Ticket
from apps.llm.journal import Timing
from apps.llm.models import Call


async def admitted(task: Attempts[Any]) -> Call:
    """Return the next attempt's row once it has a place. Raises Busy, NotWanted and OverBudget."""

    entering: asyncio.Future[Call | None] | None = None

    async def enter() -> Call | None:
        nonlocal entering
        entering = asyncio.ensure_future(off_loop.run(task.begin))
        # Whoever stops waiting does not stop the thread: it may have taken a place by then.
        return await asyncio.shield(entering)

    async def look_again(ticket: Ticket, looks: int) -> float:
        return await off_loop.run(partial(governor.wait_for, ticket, looks))

    try:
        return await turnstile.admitted_async(task.ticket, task.patience, enter, look_again)
    except asyncio.CancelledError:
        off_loop.keep_running(_give_back(task, entering))
        raise
    except BaseException:
        await off_loop.run(task.leave)
        raise


async def _give_back(task: Attempts[Any], entering: asyncio.Future[Call | None] | None) -> None:
    """End the attempt that was let in, or not, while its owner left: nothing was sent."""
    try:
        if entering is not None and (call := await entering):
            error = left()
            error.reached = False
            await off_loop.run(partial(task.broke, call, error, Timing()))
    finally:
        await off_loop.run(task.leave)


def left() -> ProviderError:
    return ProviderError(ErrorKind.INTERRUPTED, "The one who asked did not wait for the answer.")
