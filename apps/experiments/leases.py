"""Who works on which output: claimed by one conditional UPDATE, renewed while the worker lives, lapsed when it dies.

Every claim has a token of its own. What is written later about an output names the token, so a result that comes back
after its lease was lost changes nothing. Leases are measured by the database's clock, the one clock all workers share.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.experiments.models import Output

LEASE_SECONDS = 15
MAX_ATTEMPTS = 5
RESERVE = 1.5  # leased for each answer in the making

_CLAIM = """
UPDATE experiments_output AS output
SET state = 'leased', lease_token = %(token)s, leased_until = clock_timestamp() + %(lease)s * interval '1 second',
    sent_from = COALESCE(output.sent_from, clock_timestamp()), attempts = output.attempts + 1
FROM (
    SELECT waiting.id, waiting.sent_from
    FROM experiments_output AS waiting
    WHERE waiting.run_id = %(run)s AND waiting.state IN ('waiting', 'leased')
      AND (waiting.state = 'waiting' OR waiting.leased_until < clock_timestamp())
      AND EXISTS (SELECT FROM experiments_run AS run WHERE run.id = %(run)s AND run.state = 'running')
    ORDER BY waiting.id
    LIMIT GREATEST(0, LEAST(%(wanted)s, %(cap)s - (
        SELECT count(*) FROM experiments_output AS held
        WHERE held.run_id = %(run)s AND held.state = 'leased' AND held.leased_until >= clock_timestamp())))
    FOR UPDATE SKIP LOCKED
) AS due
WHERE output.id = due.id
RETURNING output.id, output.arm_id, output.case_id, output.attempts, due.sent_from, output.repeat
"""

_RENEW = """
UPDATE experiments_output
SET leased_until = clock_timestamp() + %(lease)s * interval '1 second'
WHERE id = ANY(%(ids)s) AND lease_token = ANY(%(tokens)s) AND state = 'leased'
"""


def with_reserve(threads: int) -> int:
    """Return how many outputs to lease for that many answers in the making."""
    return math.ceil(RESERVE * threads) + 1


@dataclass(frozen=True)
class Claim:
    """One output that this worker may ask for. `sent_from` is set when somebody may have asked before."""

    output_id: int
    arm_id: int
    case_id: int
    attempts: int
    sent_from: datetime | None
    token: UUID
    repeat: int = 1

    @property
    def is_exhausted(self) -> bool:
        """Tell whether this output has taken its worker down, or found no answer, too often."""
        return self.attempts > MAX_ATTEMPTS


def claim(run_id: int, *, wanted: int, cap: int) -> list[Claim]:
    """Lease up to `wanted` outputs of a running run, as long as no more than `cap` of it are leased by anybody."""
    token = uuid4()
    parameters: dict[str, Any] = {"token": token, "lease": LEASE_SECONDS, "run": run_id, "wanted": wanted, "cap": cap}
    with transaction.atomic(), connection.cursor() as cursor:
        # Without the lock two workers that arrive together would each count the leases before the other's.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [0x52554E, run_id % 2**31])
        cursor.execute(_CLAIM, parameters)
        rows = cursor.fetchall()
    return sorted(
        (Claim(row[0], row[1], row[2], row[3], row[4], token, row[5]) for row in rows),
        key=lambda claim: claim.output_id,
    )


def held(run_id: int) -> int:
    """Return how many outputs of the run are under a live lease, whoever holds it."""
    return Output.objects.filter(run=run_id, state=Output.State.LEASED, leased_until__gte=Now()).count()


def renew(claims: Sequence[Claim]) -> None:
    """Keep the leases of the outputs in hand."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RENEW,
            {
                "lease": LEASE_SECONDS,
                "ids": [claim.output_id for claim in claims],
                "tokens": list({claim.token for claim in claims}),
            },
        )


def give_back(claims: Sequence[Claim]) -> None:
    """Return outputs that were never asked for, as if they had not been claimed."""
    for token, asked_before in {(claim.token, claim.sent_from is not None) for claim in claims}:
        ids = [c.output_id for c in claims if (c.token, c.sent_from is not None) == (token, asked_before)]
        never = {} if asked_before else {"sent_from": None}
        Output.objects.filter(pk__in=ids, lease_token=token, state=Output.State.LEASED).update(
            state=Output.State.WAITING, lease_token=None, leased_until=None, attempts=F("attempts") - 1, **never
        )
