"""Reading what a provider sent without trusting it: anything may be missing, of another type, or hostile."""

from typing import Any

from apps.llm.errors import ErrorKind, ProviderError


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


def count(value: object) -> int | None:
    """Return the token count: 0 when it is not given, None when it is given and not a whole number of at least 0."""
    if value is None:
        return 0
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def counts(*values: object) -> list[int] | None:
    """Return all the token counts, or None when any of them is none."""
    found = [number for value in values if (number := count(value)) is not None]
    return found if len(found) == len(values) else None
