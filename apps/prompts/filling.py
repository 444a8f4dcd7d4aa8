"""What all template formats share: how a value is spelled, what a name is, and how long a filled text may become."""

import json
import unicodedata
from typing import Any

from apps.core.errors import DomainError

MAX_OUTPUT = 2 * 1024 * 1024
NAME_LENGTH = 100


class TemplateError(DomainError):
    """The text is not a template that this format can fill."""

    code = "template"


class TooLong(TemplateError):
    """The filled text would be over 2 MB."""

    def __init__(self) -> None:
        super().__init__("The filled text is over 2 MB. Shorten the values.")


class NoList(list[Any]):
    """A list that was left out: a loop goes over nothing, and where it is written nothing stands."""


class NoObject(dict[str, Any]):
    """An object that was left out: it has no fields, and where it is written nothing stands."""


def as_text(value: Any) -> str:
    """Spell a value the way all formats do: text as it is, nothing for what was left out, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, NoList | NoObject):
        return ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise TemplateError("A value is nested too deep to be written out.") from None


def name_of(written: str) -> str | None:
    """Return what is written between braces as a variable's name, None when it cannot be one.

    A letter that can be typed in two ways, é or e with an accent, is one letter in a name.
    """
    name = same_name(written.strip())
    return name if name.isidentifier() and len(name) <= NAME_LENGTH else None


def same_name(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


class Room:
    """Counts what goes into one filled text, and stops it before it fills the memory."""

    def __init__(self) -> None:
        self._left = MAX_OUTPUT

    def take(self, part: str) -> str:
        """Return the part. Raises TooLong when all parts together are over 2 MB."""
        self._left -= len(part)
        if self._left < 0:
            raise TooLong
        return part
