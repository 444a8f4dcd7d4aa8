"""What was held for calls that never came back is given back, and what was settled long ago is cleared away."""

from datetime import datetime, timedelta

from django.db import connection

from apps.core.ids import uuid7_floor

EXPIRED_AT_ONCE = 500
KEPT = timedelta(days=7)
CLEARED_AT_ONCE = 5_000

# Reservations first, then their periods in the order of every other writer. Whoever books such a call just now has its
# reservation locked and is passed over; one that was given back here is not given back again by a charge that comes late.
_EXPIRE = """
WITH gone AS (
    UPDATE costs_reservation SET state = 'expired', ended_at = %(now)s WHERE id IN (
        SELECT id FROM costs_reservation WHERE state = 'open' AND expires_at < %(now)s
        ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    ) RETURNING period_ids, amount
), sums AS (
    SELECT period_id, sum(amount) AS amount FROM gone CROSS JOIN LATERAL unnest(period_ids) AS period_id GROUP BY 1
), held AS MATERIALIZED (
    SELECT p.id, sums.amount FROM sums JOIN costs_budgetperiod p ON p.id = sums.period_id
    ORDER BY p.budget_id, p.starts_on FOR NO KEY UPDATE OF p
), given AS (
    UPDATE costs_budgetperiod p SET reserved = p.reserved - held.amount FROM held WHERE p.id = held.id
)
SELECT count(*) FROM gone
"""

_CLEAR = """
DELETE FROM costs_reservation WHERE id IN (
    SELECT id FROM costs_reservation WHERE id < %s AND state NOT IN ('open', 'unpriced') ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
"""


def expire(now: datetime) -> int:
    """Give back what reservations hold that nobody settled in time; return how many they were."""
    total, last = 0, EXPIRED_AT_ONCE
    while last == EXPIRED_AT_ONCE:
        with connection.cursor() as cursor:
            cursor.execute(_EXPIRE, {"now": now, "most": EXPIRED_AT_ONCE})
            last = int(cursor.fetchone()[0])
        total += last
    return total


def clear(now: datetime) -> int:
    """Delete reservations that ended a week ago: what they held is long in the sums; return how many they were."""
    total, last = 0, CLEARED_AT_ONCE
    while last == CLEARED_AT_ONCE:
        with connection.cursor() as cursor:
            cursor.execute(_CLEAR, [uuid7_floor(now - KEPT), CLEARED_AT_ONCE])
            last = cursor.rowcount
        total += last
    return total
