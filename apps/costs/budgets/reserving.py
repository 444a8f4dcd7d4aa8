"""Room in a budget, held for a call from before it leaves until its charge is booked.

One statement looks at every hard budget that covers the call and takes the room from all of them or from none. The
statement that books the charge gives it back (`ledger`), and `sweeping` does so for calls that never came back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from apps.core.ids import uuid7
from apps.costs.amounts import PLACES
from apps.costs.budgets import known, refusals
from apps.costs.budgets.known import Cover, Facts
from apps.costs.budgets.refusals import Full
from apps.costs.budgets.worst_case import worst_case
from apps.costs.models import Meter

# More than any budget may hold (`Budget.limit_amount`), and as much as a reservation's column can.
LARGEST = Decimal("99999999.999999999999")

_KEPT = """
INSERT INTO costs_reservation (id, workspace_id, period_ids, amount, state, created_at, expires_at)
SELECT %(id)s::uuid, %(workspace_id)s::bigint, %(periods)s::bigint[], %(amount)s::numeric, 'open',
    statement_timestamp(), %(expires_at)s::timestamptz FROM {taken}
"""
# The commit of a reservation need not wait for the disk: the caller commits the call itself before it leaves, and no
# commit reaches the disk before those that came earlier.
_SOON = "set_config('synchronous_commit', %(durable)s, true)"

# Nearly every call is covered by one hard budget or by none.
_HOLD_ONE = f"""
WITH taken AS (
    UPDATE costs_budgetperiod SET reserved = reserved + %(amount)s::numeric
    WHERE id = %(period)s::bigint AND spent + reserved + %(amount)s::numeric <= limit_amount RETURNING id
), kept AS ({_KEPT.format(taken="taken")})
SELECT count(*) > 0, {_SOON} FROM taken
"""  # noqa: S608  every part is a constant of this module

# The rows are locked in the order in which the ledger takes them, whoever comes: nobody waits in a circle. A row that
# was waited for is read again, so what is compared is what is left now.
_HOLD_ALL = f"""
WITH held AS MATERIALIZED (
    SELECT id, spent + reserved + %(amount)s::numeric <= limit_amount AS fits FROM costs_budgetperiod
    WHERE id = ANY(%(periods)s::bigint[]) ORDER BY budget_id, starts_on FOR NO KEY UPDATE
), fit AS MATERIALIZED (
    SELECT 1 FROM held HAVING bool_and(fits) AND count(*) = cardinality(%(periods)s::bigint[])
), taken AS (
    UPDATE costs_budgetperiod p SET reserved = p.reserved + %(amount)s::numeric FROM held, fit WHERE p.id = held.id
), kept AS ({_KEPT.format(taken="fit")})
SELECT count(*) > 0, {_SOON} FROM fit
"""  # noqa: S608  every part is a constant of this module

# Counted on one row alone, the fullest: several could wait in a circle.
_REFUSE = f"""
UPDATE costs_budgetperiod SET refused = refused + 1 WHERE id = (
    SELECT id FROM costs_budgetperiod WHERE id = ANY(%(periods)s::bigint[])
    ORDER BY limit_amount - spent - reserved, id LIMIT 1
) RETURNING id, ends_on, limit_amount, limit_amount - spent - reserved, {_SOON}
"""  # noqa: S608  every part is a constant of this module

_RELEASE = """
WITH ended AS (
    UPDATE costs_reservation SET state = 'settled', ended_at = statement_timestamp()
    WHERE id = %(id)s::uuid AND state = 'open' RETURNING period_ids, amount
), held AS MATERIALIZED (
    SELECT p.id, ended.amount FROM ended JOIN costs_budgetperiod p ON p.id = ANY(ended.period_ids)
    ORDER BY p.budget_id, p.starts_on FOR NO KEY UPDATE OF p
), given AS (
    UPDATE costs_budgetperiod p SET reserved = p.reserved - held.amount FROM held WHERE p.id = held.id
)
SELECT count(*) FROM ended
"""


def reserve(  # noqa: PLR0913  a call has this many facts that decide its budgets and its price
    *,
    workspace_id: int,
    at: datetime,
    expires_at: datetime,
    facts: Facts,
    meters: Mapping[Meter, int] | None = None,
    amount: Decimal | None = None,
    connection_id: int | None = None,
    tier: str | None = None,
    region: str | None = None,
) -> UUID | None:
    """Hold room for a call in every hard budget that covers it; return None, at once, when none does.

    `meters` are the most that the call can use (`amount` in their place is the most that it can cost); `at` is the
    moment that its charge will have; a tier or region that is None was not asked for. Raises OverBudget, with nothing held, when a budget has no room for it, and
    Unbounded when the call has no price or no limit and so fits in no budget.
    """
    cover = known.covering(workspace_id, facts, at)
    if cover is None:
        return None
    if amount is None and meters is not None:
        amount = worst_case(
            workspace_id=workspace_id,
            provider=facts.provider,
            model=facts.model,
            at=at,
            meters=meters,
            connection_id=connection_id,
            tier=tier,
            region=region,
        )
    exact = None if amount is None else min(LARGEST, amount.quantize(PLACES, rounding=ROUND_CEILING))
    looked_again = False
    while cover and exact != 0:
        if exact is not None and (held := _hold(workspace_id, cover, exact, expires_at)):
            return held
        if cover.is_fresh or looked_again:
            full = _refuse(cover)
            raise refusals.unbounded(cover, full, facts) if exact is None else refusals.over(cover, full, exact)
        # What a process remembers may let a call pass, but it refuses none: look again before that stands.
        known.forget(workspace_id)
        cover, looked_again = known.covering(workspace_id, facts, at), True
    return None


def release(reservation_id: UUID) -> bool:
    """Give back what was held for a call that never left; return whether it was still held."""
    return bool(_run(_RELEASE, {"id": reservation_id})[0])


def _hold(workspace_id: int, cover: Cover, amount: Decimal, expires_at: datetime) -> UUID | None:
    """Take the room from all periods, or return None."""
    reservation_id = uuid7()
    # As text: that is a good part of what the driver takes for a statement as small as this.
    values: dict[str, Any] = {
        "id": str(reservation_id),
        "workspace_id": workspace_id,
        "periods": _array(cover),
        "period": next(iter(cover.budgets)),
        "amount": str(amount),
        "expires_at": expires_at.isoformat(),
    }
    all_fit, _ = _run(_HOLD_ONE if len(cover.budgets) == 1 else _HOLD_ALL, values)
    return reservation_id if all_fit else None


def _refuse(cover: Cover) -> Full:
    """Count the refusal and return the period with the least room."""
    *full, _ = _run(_REFUSE, {"periods": _array(cover)})
    return Full(*full)


def _array(cover: Cover) -> str:
    return "{" + ",".join(map(str, cover.budgets)) + "}"


def _run(statement: str, values: dict[str, Any]) -> Sequence[Any]:
    """Return the one row of a statement that is a transaction of its own, unless the caller has one open."""
    values["durable"] = "on" if connection.in_atomic_block else "off"
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(statement, values, prepare=True).fetchone() or ()
