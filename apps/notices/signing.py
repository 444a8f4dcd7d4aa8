"""How the other side knows that a message is ours and new: a time and an HMAC-SHA256 over time and body."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

HEADER = "X-Galley-Signature"
TOLERANCE = 300


def new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def signature(secret: str, body: bytes, at: int) -> str:
    """Return the hex HMAC-SHA256 of "<at>.<body>"; `at` is a Unix time in seconds."""
    return hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()


def header(secrets_in_force: Iterable[str], body: bytes, at: int) -> str:
    """Return "t=<at>,v1=<signature>", with one v1 for each secret in force."""
    return ",".join([f"t={at}", *(f"v1={signature(secret, body, at)}" for secret in secrets_in_force)])


def holds(secret: str, body: bytes, value: str, now: int) -> bool:
    """Tell whether a header was made with `secret` in the last five minutes: what a receiver has to check."""
    parts = [part.partition("=")[::2] for part in value.split(",")]
    at = next((given for name, given in parts if name == "t"), "")
    if not (at.isascii() and at.isdigit() and len(at) < 16 and abs(now - int(at)) <= TOLERANCE):
        return False
    wanted = signature(secret, body, int(at))
    return any(name == "v1" and hmac.compare_digest(wanted.encode(), given.encode()) for name, given in parts)
