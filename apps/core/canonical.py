"""One spelling for a value, so that equal values have equal hashes."""

import hashlib
import json
from typing import Any


def dumps(value: Any) -> str:
    """Return JSON with sorted keys, no spaces and Unicode kept. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(value: Any) -> str:
    """Return the hexadecimal SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()
