"""Reading what a provider sent without trusting it: anything may be missing, of another type, or hostile."""

import json
from typing import Any

from apps.llm.errors import ErrorKind, ProviderError

# Far more than any model reads or writes in one call, and what all its counts together may come to.
MOST_TOKENS = 10**9


def malformed(what: str) -> ProviderError:
    return ProviderError(ErrorKind.MALFORMED, f"The provider's answer could not be read: {what}.")


def mapping(value: object) -> dict[str, Any]:
    """Return the object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """Return the list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return the string in a form that the database takes: no null bytes, no halves of characters."""
    if not isinstance(value, str):
        return ""
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def label(value: object) -> str:
    """Return a short word that the provider chose, such as a finish reason or a tier, as it is."""
    return text(value)[:40]


def name(value: object) -> str:
    """Return the name of a model."""
    return text(value)[:120]


def arguments(value: object) -> str:
    """Return a tool's arguments as text: most servers send text, some the object itself."""
    return text(value) if value is None or isinstance(value, str) else text(json.dumps(value, ensure_ascii=False))


def count(value: object) -> int | None:
    """Return the token count: 0 when it is not given, None when it is given and not a number that can be true."""
    if value is None:
        return 0
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def counts(*values: object) -> list[int] | None:
    """Return all the token counts, or None when any of them is none or they are too many together."""
    found = [number for value in values if (number := count(value)) is not None]
    return found if len(found) == len(values) and sum(found) <= MOST_TOKENS else None
