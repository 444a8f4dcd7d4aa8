"""Why a single item cannot be booked: it is set aside, the others are not held up."""

import re
from collections.abc import Mapping
from decimal import Decimal

NAME_OR_MOMENT = re.compile(r"[\w.:/@+-]{1,40}|[\d .:/TZ+-]{1,40}")


class Refused(Exception):
    """One item cannot be booked as it is; `code` groups such items, the message says what to mend."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message[:500]


def shown(value: object) -> str:
    """Return a value from outside as a refusal may repeat it: numbers and names. Anything else could be prompt text."""
    if isinstance(value, int | float | Decimal):
        return str(value)[:40]
    if isinstance(value, str):
        return f"“{value}”" if NAME_OR_MOMENT.fullmatch(value) else f"a text of {len(value):,} characters"
    return "an object" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else "nothing"
