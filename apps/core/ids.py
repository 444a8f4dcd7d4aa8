"""Time-ordered ids (UUIDv7, RFC 9562), minted here because PostgreSQL 16 and 17 cannot."""

import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_lock = threading.Lock()
_last: tuple[int, int] = (0, 0)


def uuid7(at: datetime | None = None) -> UUID:
    """Return a UUIDv7 for `at` (aware; now when absent). Ids minted now in one process rise strictly."""
    if at is not None:
        return _build(int(at.timestamp() * 1000), int.from_bytes(os.urandom(10)) >> 6)
    global _last
    with _lock:
        now = time.time_ns() // 1_000_000
        millisecond, random = _last
        if now > millisecond:
            random = int.from_bytes(os.urandom(10)) >> 6 & ~(1 << 73)
        else:
            now, random = millisecond, random + 1 + int.from_bytes(os.urandom(4))
        _last = (now, random)
    return _build(now, random)


def _build(millisecond: int, random: int) -> UUID:
    """Lay out 48 bits of time, the version, 12 random bits, the variant and 62 random bits."""
    high = (random >> 62) & 0xFFF
    low = random & ((1 << 62) - 1)
    return UUID(int=(millisecond & ((1 << 48) - 1)) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def uuid7_floor(at: datetime) -> UUID:
    """Return the smallest UUIDv7 of that millisecond: the bound of a partition or of a time range."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62)


def time_of(value: UUID) -> datetime:
    """Return the moment (UTC, millisecond) inside a UUIDv7."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, tz=UTC)
