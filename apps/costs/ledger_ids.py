"""Ids for charges that come from outside: the same event always has the same one."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from apps.core.ids import uuid7_floor

RANDOM_BITS = (0xFFF << 64) | ((1 << 62) - 1)


def charge_id(*, workspace_id: int, source: str, source_id: str, at: datetime) -> UUID:
    """Return the UUIDv7 of an event: its own moment, and in place of chance what its source calls it.

    The moment must be the event's, not that of its arrival: a repeat that tells another moment is another event.
    """
    name = "\0".join((str(workspace_id), source, source_id)).encode("utf-8", "surrogatepass")
    chance = int.from_bytes(sha256(name).digest()[:16]) & RANDOM_BITS
    return UUID(int=uuid7_floor(at).int | chance)
