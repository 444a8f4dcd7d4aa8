"""One governor for the whole installation: who may call which model now, decided in PostgreSQL by one statement.

Every model of a connection has a lane. Its width grows while calls are answered and shrinks when one is throttled; it
remembers where that was, stays just below, and feels for more only now and then. Requests and tokens of the minute are
drawn from buckets that refill steadily, so that no window of 60 seconds sees more requests than allowed. When a lane is
full, people go before batches, and batches (runs, say) get equal shares of it. Who needs more tokens than there are
is saved for: nobody of its class, or of one that goes behind, draws any until it has gone.

The statements here are parts: `journal` joins them with the call's own row, so that a place in a lane and the call
that holds it come and go together. A process that dies leaves its calls to the sweeper, which frees their places.
"""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self
from uuid import UUID, uuid4

from django.db import connection

from apps.costs.models import Purpose
from apps.llm.attribution import Attribution
from apps.llm.errors import ErrorKind
from apps.llm.models import Connection, Lane, Model, Waiter

INTERACTIVE = frozenset({Purpose.PLAYGROUND, Purpose.PRODUCTION})
# The part of a minute's allowance that may be used at once.
BURST = 12
# A refused key is refused for everybody: whoever shares it gets a moment to hear so before the next call leaves.
REFUSED_KEY_PAUSE = 1.0
FIRST_LOOK = 0.03
LONGEST_LOOK = 0.25


class Signal(StrEnum):
    """What the end of a call tells about the lane: `silent` ends (a process died, the asker left) tell nothing.

    An overloaded provider throttles, and fails as well: one that has no time for anybody is down.
    """

    GOOD = "good"
    ALIVE = "alive"
    THROTTLED = "throttled"
    DOWN = "down"
    SILENT = "silent"


SIGNALS = {
    ErrorKind.RATE_LIMITED: Signal.THROTTLED,
    ErrorKind.OVERLOADED: Signal.THROTTLED,
    ErrorKind.CONNECTION: Signal.DOWN,
    ErrorKind.TIMEOUT: Signal.DOWN,
    ErrorKind.SERVER_ERROR: Signal.DOWN,
    ErrorKind.AUTHENTICATION: Signal.DOWN,
    ErrorKind.PERMISSION: Signal.DOWN,
    ErrorKind.INTERRUPTED: Signal.SILENT,
}


def signal_of(kind: ErrorKind) -> Signal:
    """Return what a failure of that kind tells about the lane; any other answer shows that somebody is there."""
    return SIGNALS.get(kind, Signal.ALIVE)


@dataclass(frozen=True)
class Bucket:
    """An allowance for each minute: what may be drawn at once, and how fast that comes back (per second)."""

    size: float
    rate: float

    @classmethod
    def of_requests(cls, per_minute: int | None) -> Self | None:
        """Return a bucket from which no 60 seconds draw more than `per_minute` requests."""
        if not per_minute:
            return None
        size = max(1, per_minute // BURST)
        return cls(size, (per_minute - size + 1) / 60)

    @classmethod
    def of_tokens(cls, per_minute: int | None) -> Self | None:
        """Return a bucket of tokens; a request larger than it takes the whole bucket and leaves a debt."""
        if not per_minute:
            return None
        size = per_minute / BURST
        return cls(size, (per_minute - size) / 60)


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A wish for a place: whose it is, and about how many tokens the call will take. `id` tells it from all others."""

    model_id: int
    party: str
    is_interactive: bool
    tokens: int
    most: int
    requests: Bucket | None
    token_bucket: Bucket | None
    id: UUID = field(default_factory=uuid4)

    @classmethod
    def of(cls, model: Model, attribution: Attribution, *, party: str, tokens: int) -> Self:
        account = model.connection
        return cls(
            model_id=model.pk,
            party=(party or party_of(attribution))[:60],
            is_interactive=attribution.purpose in INTERACTIVE,
            tokens=tokens,
            most=account.max_concurrency,
            requests=Bucket.of_requests(model.requests_per_minute or account.requests_per_minute),
            token_bucket=Bucket.of_tokens(model.tokens_per_minute or account.tokens_per_minute),
        )

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ADMITTED and WAITING."""
        requests, tokens = self.requests, self.token_bucket
        return {
            "ticket": self.id,
            "model": self.model_id,
            "party": self.party,
            "interactive": self.is_interactive,
            "most": self.most,
            "tokens": self.tokens,
            "request_size": requests.size if requests else None,
            "request_rate": requests.rate if requests else None,
            "token_size": tokens.size if tokens else None,
            "token_rate": tokens.rate if tokens else None,
        }


def party_of(attribution: Attribution) -> str:
    """Return who competes for the lane when nobody said: the person or key, else what the calls are for."""
    if attribution.purpose not in INTERACTIVE:
        return f"{attribution.purpose}:{attribution.prompt_id or 0}"
    return f"key:{attribution.api_key_id}" if attribution.api_key_id else f"person:{attribution.user_id or 0}"


_REQUESTS = """least(%(request_size)s::float8, coalesce(lane.requests_left, %(request_size)s::float8)
    + extract(epoch FROM clock_timestamp() - lane.filled_at)::float8 * %(request_rate)s::float8)"""
_REFILL = "extract(epoch FROM clock_timestamp() - lane.filled_at)::float8 * %(token_rate)s::float8"
# What calls gave back may fill the bucket over its brim, by a minute's allowance at most: they had drawn it, and it was
# refilled since. That much is there to be drawn, but not for long.
_TOKENS = f"""CASE WHEN lane.tokens_left > %(token_size)s::float8
    THEN greatest(%(token_size)s::float8, least(lane.tokens_left, {BURST} * %(token_size)s::float8) - {_REFILL})
    ELSE least(%(token_size)s::float8, coalesce(lane.tokens_left, %(token_size)s::float8) + {_REFILL}) END"""
_ENOUGH_TOKENS = f"({_TOKENS}) >= least(%(tokens)s::float8, %(token_size)s::float8)"
_WIDTH = "least(lane.width, %(most)s::int)"
_WAITING = f"""SELECT w.party FROM llm_waiter w WHERE w.model_id = lane.model_id
    AND w.seen_at > clock_timestamp() - interval '{Waiter.FRESH.total_seconds()} seconds'"""  # noqa: S608
_FLYING = "SELECT c.party FROM llm_call c WHERE c.model_id = lane.model_id AND c.state = 'sent'"
# Rounded up, so that what does not divide evenly is used.
_SHARE = (
    f"""ceil({_WIDTH}::float8 / (SELECT count(*) FROM ({_FLYING} UNION {_WAITING} UNION SELECT %(party)s::text) p))"""  # noqa: S608
)

# Only a lane that has waiters looks at who they are.
_ITS_TURN = f"""
  (%(interactive)s::boolean OR NOT EXISTS ({_WAITING} AND w.is_interactive))
  AND (NOT EXISTS ({_WAITING} AND w.party <> %(party)s::text AND w.is_interactive = %(interactive)s::boolean)
       OR (SELECT count(*) FROM ({_FLYING} AND c.party = %(party)s::text) mine) < {_SHARE})
"""  # noqa: S608
# Tokens are kept for one ticket at a time, for as long as it is seen to wait.
_UNCLAIMED = """(lane.saves_until IS NULL OR lane.saves_until <= clock_timestamp()
    OR lane.saves_for = %(ticket)s::uuid OR (%(interactive)s::boolean AND NOT lane.saves_for_people))"""

# A place in the lane, if there is one for this ticket now.
ADMITTED = f"""
UPDATE llm_lane AS lane SET
    in_flight = lane.in_flight + 1,
    requests_left = {_REQUESTS} - 1,
    tokens_left = ({_TOKENS}) - %(tokens)s::int,
    filled_at = clock_timestamp(),
    saves_until = CASE WHEN lane.saves_for = %(ticket)s::uuid THEN NULL ELSE lane.saves_until END
WHERE lane.model_id = %(model)s::bigint
  AND lane.in_flight < {_WIDTH}
  AND (lane.paused_until IS NULL OR lane.paused_until <= clock_timestamp())
  AND (%(request_size)s::float8 IS NULL OR {_REQUESTS} >= 1)
  AND (%(token_size)s::float8 IS NULL OR {_ENOUGH_TOKENS})
  AND {_UNCLAIMED} AND {_ITS_TURN}
RETURNING lane.model_id, lane.shrinks
"""  # noqa: S608  every part is a constant of this module

# Who was let through no longer waits; for others of a run, who still do, each look says so again.
LET_IN = """
DELETE FROM llm_waiter w USING admitted
WHERE w.model_id = admitted.model_id AND w.party = %(party)s::text AND w.is_interactive
"""

# Say that we wait, and learn for how long at least. Whose turn it is but for tokens has them saved for it. A lane that
# is not there yet is made. The lane comes first, for who is let in holds it when the waiter's row goes. None of it need
# outlast a crash of the server, so nobody waits for the disk.
WAITING = f"""
WITH made AS (
    INSERT INTO llm_lane (model_id, width, in_flight, gained, windows, shrinks, throttled_in_a_row, failures, last_error)
    SELECT %(model)s::bigint, {Lane.FIRST_WIDTH}, 0, 0, 8, 0, 0, 0, ''
    WHERE NOT EXISTS (SELECT 1 FROM llm_lane WHERE model_id = %(model)s::bigint) ON CONFLICT DO NOTHING RETURNING 1
), claimed AS (
    UPDATE llm_lane AS lane SET
        saves_for = %(ticket)s::uuid,
        saves_for_people = %(interactive)s::boolean,
        saves_until = clock_timestamp() + interval '{Waiter.FRESH.total_seconds()} seconds'
    WHERE lane.model_id = %(model)s::bigint AND %(token_size)s::float8 IS NOT NULL
      AND NOT {_ENOUGH_TOKENS} AND {_UNCLAIMED} AND {_ITS_TURN}
    RETURNING 1
), waiter AS (
    INSERT INTO llm_waiter (model_id, party, is_interactive, seen_at)
    SELECT %(model)s::bigint, %(party)s::text, %(interactive)s::boolean, clock_timestamp()
    FROM (SELECT count(*) FROM made) AS first, (SELECT count(*) FROM claimed) AS second
    ON CONFLICT (model_id, party) DO UPDATE SET seen_at = excluded.seen_at
)
SELECT greatest(
    extract(epoch FROM lane.paused_until - clock_timestamp())::float8,
    (1 - {_REQUESTS}) / nullif(%(request_rate)s::float8, 0),
    (least(%(tokens)s::float8, %(token_size)s::float8) - ({_TOKENS})) / nullif(%(token_rate)s::float8, 0),
    0)
FROM llm_lane lane, set_config('synchronous_commit', 'off', true) WHERE lane.model_id = %(model)s::bigint
"""  # noqa: S608  every part is a constant of this module

_NEWS = "(%(signal)s::text = 'throttled' AND ended.lane_shrinks = lane.shrinks)"
_FAILED = f"(%(signal)s::text = 'down' OR %(error)s::text = '{ErrorKind.OVERLOADED}')"
_ANSWERED = "%(signal)s::text IN ('good', 'alive')"
_AT_CEILING = "(lane.ceiling IS NOT NULL AND lane.width >= lane.ceiling)"
# What this call saw counts only if the lane was in use: an idle lane proves nothing about a wider one.
_COUNTS = "(%(signal)s::text = 'good' AND 4 * lane.in_flight >= 3 * lane.width)"
_STEP = """CASE WHEN lane.ceiling IS NULL THEN 1 WHEN lane.width + 1 < lane.ceiling THEN lane.width
    ELSE lane.windows * lane.width END"""
_GROWS = f"({_COUNTS} AND lane.gained + 1 >= {_STEP} AND lane.width < %(most)s::int)"
_PRESSED = "greatest(1, least(lane.width, lane.in_flight))"

# The place of a call that has ended (`ended`), given back, with what its end tells.
FREED = f"""
UPDATE llm_lane AS lane SET
    in_flight = greatest(lane.in_flight - 1, 0),
    tokens_left = lane.tokens_left + ended.reserved_tokens - %(used)s::int,
    width = CASE
        WHEN {_NEWS} AND {_AT_CEILING} THEN greatest(1, lane.ceiling - 1)
        WHEN {_NEWS} THEN greatest(1, floor(0.85 * {_PRESSED})::int)
        WHEN {_GROWS} THEN lane.width + 1 ELSE lane.width END,
    ceiling = CASE
        WHEN {_NEWS} AND NOT {_AT_CEILING} THEN {_PRESSED}
        WHEN {_GROWS} AND {_AT_CEILING} THEN CASE WHEN lane.windows > 1 THEN lane.width + 1 END
        ELSE lane.ceiling END,
    windows = CASE
        WHEN {_NEWS} THEN 8
        WHEN {_GROWS} AND {_AT_CEILING} THEN CASE WHEN lane.windows > 1 THEN lane.windows / 2 ELSE 8 END
        ELSE lane.windows END,
    gained = CASE WHEN {_NEWS} OR {_GROWS} THEN 0 WHEN {_COUNTS} THEN lane.gained + 1 ELSE lane.gained END,
    shrinks = lane.shrinks + CASE WHEN {_NEWS} THEN 1 ELSE 0 END,
    throttled_in_a_row = CASE %(signal)s::text
        WHEN 'throttled' THEN lane.throttled_in_a_row + 1 WHEN 'good' THEN 0 ELSE lane.throttled_in_a_row END,
    paused_until = CASE
        WHEN %(signal)s::text = 'good' AND ended.lane_shrinks = lane.shrinks THEN NULL
        WHEN %(signal)s::text = 'throttled' AND lane.throttled_in_a_row + 1 >= greatest(3, lane.width)
        THEN clock_timestamp() + least(coalesce(%(retry_after)s::float8, 1), 60) * interval '1 second'
        WHEN %(error)s::text = '{ErrorKind.AUTHENTICATION}'
        THEN greatest(lane.paused_until, clock_timestamp() + interval '{REFUSED_KEY_PAUSE} seconds')
        ELSE lane.paused_until END,
    failures = CASE WHEN {_FAILED} THEN lane.failures + 1 WHEN {_ANSWERED} THEN 0 ELSE lane.failures END,
    failing_since = CASE
        WHEN {_FAILED} THEN coalesce(lane.failing_since, clock_timestamp())
        WHEN {_ANSWERED} THEN NULL ELSE lane.failing_since END,
    failed_at = CASE WHEN {_FAILED} THEN clock_timestamp() WHEN {_ANSWERED} THEN NULL ELSE lane.failed_at END,
    last_error = CASE WHEN {_FAILED} THEN %(error)s::text WHEN {_ANSWERED} THEN '' ELSE lane.last_error END
FROM ended WHERE lane.model_id = ended.model_id
"""  # noqa: S608  every part is a constant of this module


def wait_for(ticket: Ticket, looks: int) -> float:
    """Note that the ticket waits, for others to see; return how many seconds to wait before look number `looks`."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, ticket.values)
        row = cursor.fetchone()
    if row is None:  # the lane was made just now
        return 0.0
    pause = min(LONGEST_LOOK, FIRST_LOOK * 1.3**looks) * random.uniform(0.7, 1.3)  # noqa: S311
    # Never long: what is waited for may come earlier, and who waits must be seen to wait.
    return max(pause, min(float(row[0] or 0), 0.5))


def mark_up(lane: Lane) -> None:
    """Note that the lane's provider answers again."""
    Lane.objects.filter(pk=lane.pk).update(failures=0, failing_since=None, failed_at=None, last_error="")


def start_over(account: Connection) -> None:
    """Forget what failed on the way to a connection that was mended: another key or address is another try."""
    lanes = Lane.objects.filter(model__connection=account)
    lanes.update(failures=0, failing_since=None, failed_at=None, last_error="", paused_until=None)
