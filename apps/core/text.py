"""What may come in as text: anything a person can write, but nothing the database would refuse or cut."""

from typing import Any

from apps.core.errors import DomainError

KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE


def clean(value: str, *, field: str, max_bytes: int = MEGABYTE) -> str:
    """Return `value` with line ends as \\n.

    Raises DomainError, naming the field, for null bytes, broken Unicode and anything over `max_bytes` in UTF-8.
    Right-to-left marks, emoji and every other character are kept as they are.
    """
    if "\x00" in value:
        raise DomainError(f"{field} holds a null byte, which cannot be stored. Remove it and try again.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise DomainError(f"{field} holds half of a Unicode character. Copy the text again and retry.") from None
    if size > max_bytes:
        is_long = max_bytes >= 10 * KILOBYTE
        # Rounded up, so that what is over the limit is also said to be.
        shown, limit = (-(-size // KILOBYTE), max_bytes // KILOBYTE) if is_long else (size, max_bytes)
        raise DomainError(f"{field} is {shown:,} {'kB' if is_long else 'bytes'}; at most {limit:,} fit.")
    return value.replace("\r\n", "\n").replace("\r", "\n")


def clean_tree(value: Any, *, field: str, max_bytes: int = MEGABYTE) -> Any:
    """Apply `clean` to every string inside a JSON value, keys included."""
    if isinstance(value, str):
        return clean(value, field=field, max_bytes=max_bytes)
    if isinstance(value, list):
        return [clean_tree(item, field=field, max_bytes=max_bytes) for item in value]
    if isinstance(value, dict):
        return {
            clean(str(key), field=field, max_bytes=max_bytes): clean_tree(item, field=field, max_bytes=max_bytes)
            for key, item in value.items()
        }
    return value


def whole_number(value: str) -> int | None:
    """Return what a person or program wrote as a whole number of up to nine digits, None for anything else."""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else None
