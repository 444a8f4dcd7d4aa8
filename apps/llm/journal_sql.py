"""The journal's statements, put together once from constants; no value from outside is ever part of their text."""

import re
from dataclasses import dataclass
from functools import lru_cache

from apps.costs import ledger_sql
from apps.llm import governor

_PLACE = re.compile(r"%(%|s|\((\w+)\)s)")


@dataclass(frozen=True)
class Numbered:
    """A statement as the server reads it, with $1, $2 …, and the names of its values in that order."""

    text: str
    names: tuple[str, ...]


@lru_cache
def numbered(statement: str) -> Numbered:
    """Return the statement for a RawCursor: any other looks for the places of a long one again at each use."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        name = found[2] or str(len(names))
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return Numbered(_PLACE.sub(place, statement), tuple(names))


# What a call's row says before it leaves. The lane adds how often it has shrunk so far.
BEGUN = {
    "id": "uuid",
    "workspace_id": "bigint",
    "charge_id": "uuid",
    "model_id": "bigint",
    "operation": "text",
    "state": "text",
    "attempt": "int",
    "first_attempt_id": "uuid",
    "party": "text",
    "asked_tokens": "int",
    "reserved_tokens": "int",
    "reservation_id": "uuid",
    "attribution": "jsonb",
    "purpose": "text",
    "origin": "text",
    "prompt_id": "bigint",
    "version_id": "bigint",
    "user_id": "bigint",
    "finish_reason": "text",
    "error_kind": "text",
    "error_message": "text",
    "provider_request_id": "text",
    "sent_at": "timestamptz",
    "deadline_at": "timestamptz",
}
_VALUES = ", ".join(f"%({name})s::{kind}" for name, kind in BEGUN.items())

_BODY = """
INSERT INTO llm_callbody (call_id, workspace_id, kept, request, text, tool_calls, request_hash, answer_hash)
SELECT %(id)s::uuid, %(workspace_id)s::bigint, %(kept)s::text, %(question)s::jsonb, '', '[]',
    %(question_hash)s::text, ''
"""

# A place in the lane, the call that takes it, and its text: all or nothing. Its commit does not wait for the disk, while
# everybody else would wait for the lane: REACH_DISK does, in the same trip, and what was committed before is then there.
BEGIN = numbered(f"""
WITH admitted AS ({governor.ADMITTED}), let_in AS ({governor.LET_IN}),
called AS (
    INSERT INTO llm_call ({", ".join(BEGUN)}, lane_shrinks) SELECT {_VALUES}, admitted.shrinks FROM admitted
    RETURNING id
), body AS ({_BODY} FROM called WHERE %(kept)s::text <> 'none')
SELECT id FROM called, set_config('synchronous_commit', 'off', true)
""")  # noqa: S608  every part is a constant of this module or of the governor

# The smallest thing that a commit waits for the disk for; of a call that was not let in, nothing.
REACH_DISK = "SELECT pg_logical_emit_message(true, 'galley', '') FROM llm_call WHERE id = $1"

_ENDED = {
    "state": "text",
    "finish_reason": "text",
    "usage": "jsonb",
    "cost": "numeric",
    "status": "smallint",
    "error_kind": "text",
    "error_message": "text",
    "provider_request_id": "text",
    "ended_at": "timestamptz",
    "first_token_ms": "int",
    "latency_ms": "int",
}
_SET = ", ".join(f"{name} = %({name})s::{kind}" for name, kind in _ENDED.items())

# How the call ended, its answer, and its place given back. Zero rows: somebody else had ended it before.
END = numbered(f"""
WITH ended AS (
    UPDATE llm_call SET {_SET} WHERE id = %(id)s::uuid AND state = 'sent'
    RETURNING model_id, lane_shrinks, reserved_tokens
), body AS (
    UPDATE llm_callbody SET text = %(text)s::text, tool_calls = %(tool_calls)s::jsonb,
        answer_hash = %(answer_hash)s::text
    FROM ended WHERE call_id = %(id)s::uuid
), freed AS ({governor.FREED})
SELECT count(*) FROM ended
""")  # noqa: S608  every part is a constant of this module or of the governor

# The charges of calls that ended.
BOOK = numbered(ledger_sql.RECORD)
