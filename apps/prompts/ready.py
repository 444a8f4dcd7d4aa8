"""Answers that are ready to be sent again, and the one statement that says whether they still may.

Every request asks the database: is this key usable, and has anything that programs can notice moved in its workspace
since the answer was made? Both come from one prepared statement, so an answer is never older than the request.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connections

from apps.accounts.api_access import identify
from apps.accounts.models import ApiKey
from apps.prompts.running import Fetched

MOST_BYTES = 64 * 1024 * 1024
# What an entry weighs besides its body: headers, question, bookkeeping.
OVERHEAD = 2_000
HOLD_OFF = 1.0
_KEY = """
SELECT k.id, k.workspace_id, k.public_id, k.scopes, k.expires_at, k.revoked_at, k.last_used_at,
    coalesce(e.number, 0)
FROM accounts_apikey k
LEFT JOIN prompts_deliveryepoch e ON e.workspace_id = k.workspace_id
WHERE k.secret_hash = %s
"""
FIELDS = ("id", "workspace_id", "public_id", "scopes", "expires_at", "revoked_at", "last_used_at")


class DatabaseAway(Exception):
    """The database does not answer now."""


@dataclass(frozen=True)
class Answer:
    """Bytes as Django sent them, the tag they carry and what was fetched with them."""

    epoch: int
    status: str
    headers: list[tuple[str, str]]
    etag: str
    body: bytes
    fetched: Fetched

    @property
    def weight(self) -> int:
        return len(self.body) + OVERHEAD


class Answers:
    """The answers of this process, the oldest thrown out when they weigh too much."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._weight = most_bytes, 0
        self._answers: dict[Any, Answer] = {}
        self._lock = threading.Lock()

    def get(self, question: Any, epoch: int) -> Answer | None:
        """Return the answer if nothing moved since."""
        answer = self._answers.get(question)
        return answer if answer is not None and answer.epoch == epoch else None

    def keep(self, question: Any, answer: Answer) -> None:
        with self._lock:
            self._drop(question)
            self._answers[question] = answer
            self._weight += answer.weight
            while self._weight > self._most:
                self._drop(next(iter(self._answers)))

    def _drop(self, question: Any) -> None:
        gone = self._answers.pop(question, None)
        self._weight -= gone.weight if gone else 0


class Doorkeeper:
    """Knows who comes in and what the epoch is, over connections of its own: one for each that asks at once."""

    def __init__(self) -> None:
        self._idle: deque[psycopg.Connection[Any]] = deque()
        self._known: dict[str, tuple[tuple[Any, ...], ApiKey]] = {}
        self._away_until = 0.0

    def ask(self, authorization: str) -> tuple[ApiKey | None, int]:
        """Return the usable key that the header names, and its workspace's epoch. Raises DatabaseAway."""
        epoch = 0

        def find(secret_hash: str) -> ApiKey | None:
            nonlocal epoch
            row = self._row(secret_hash)
            if row is None:
                return None
            *fields, epoch = row
            return self._key(secret_hash, tuple(fields))

        return identify(authorization, find), epoch

    def _key(self, secret_hash: str, fields: tuple[Any, ...]) -> ApiKey:
        """Return the key as it is now; made anew only when its row changed."""
        known = self._known.get(secret_hash)
        if known is not None and known[0] == fields:
            return known[1]
        if len(self._known) > 10_000:
            self._known.clear()
        key = ApiKey(**dict(zip(FIELDS, fields, strict=True)))
        self._known[secret_hash] = fields, key
        return key

    def _row(self, secret_hash: str) -> tuple[Any, ...] | None:
        for _ in range(3):
            try:
                line = self._idle.pop()
            except IndexError:
                line = self._connect()
            try:
                row: tuple[Any, ...] | None = line.execute(_KEY, [secret_hash]).fetchone()
            except psycopg.OperationalError:
                # A server that was restarted left every idle connection dead.
                line.close()
                continue
            self._idle.append(line)
            return row
        raise DatabaseAway

    def _connect(self) -> "psycopg.Connection[Any]":
        if time.monotonic() < self._away_until:
            raise DatabaseAway
        parameters = connections["default"].get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold"):
            parameters.pop(name, None)
        try:
            return psycopg.connect(**{"connect_timeout": 2, **parameters}, autocommit=True, prepare_threshold=0)
        except psycopg.OperationalError:
            self._away_until = time.monotonic() + HOLD_OFF
            raise DatabaseAway from None
