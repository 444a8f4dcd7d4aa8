"""The three template formats: which names a text uses, and how it is filled. No loop here can run for ever."""

import re
import string
from collections.abc import Callable, Iterable
from typing import Any

from apps.prompts import filling, jinja_text
from apps.prompts.filling import MAX_OUTPUT, TemplateError, as_text

__all__ = ["FORMATS", "MAX_OUTPUT", "Message", "TemplateError", "as_text", "fill", "names_in"]

MUSTACHE_TAG = re.compile(r"\{\{(?P<inside>[^{}]*)\}\}")

Message = dict[str, Any]


def names_in(texts: Iterable[str], format: str) -> list[str]:
    """Return the distinct variable names in order of appearance. Raises TemplateError for a broken text."""
    found: dict[str, None] = {}
    for text in texts:
        found.update(dict.fromkeys(FORMATS[format][0](text)))
    return list(found)


def fill(text: str, format: str, values: dict[str, Any]) -> str:
    """Return `text` with `values` in place; every name in it must have a value.

    Raises TemplateError for a broken text, and for a result over 2 MB or with a null byte.
    """
    result = FORMATS[format][1](text, values)
    if len(result) > MAX_OUTPUT:
        raise filling.TooLong
    if "\x00" in result:
        raise TemplateError("A value holds a null byte, which no model can be sent. Remove it.")
    return result


def _mustache_names(text: str) -> list[str]:
    return [_mustache_name(tag) for tag in MUSTACHE_TAG.finditer(text)]


def _mustache_name(tag: re.Match[str]) -> str:
    name = filling.name_of(tag["inside"])
    if name is None:
        inside = tag["inside"].strip()[:40]
        raise TemplateError(
            f"{{{{{inside}}}}} is not a variable. Use letters, digits and _ only, and begin with a letter."
        )
    return name


def _mustache_fill(text: str, values: dict[str, Any]) -> str:
    room = filling.Room()
    return MUSTACHE_TAG.sub(lambda tag: room.take(as_text(values[_mustache_name(tag)])), text)


def _fstring_parts(text: str) -> list[tuple[str, str | None]]:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise TemplateError(f"The braces do not match: {error}. Write {{{{ and }}}} for braces in the text.") from None
    return [
        (literal, None if name is None else _fstring_name(name, f"{spec or ''}{conversion or ''}"))
        for literal, name, spec, conversion in parts
    ]


def _fstring_name(written: str, more: str) -> str:
    name = None if more or written != written.strip() else filling.name_of(written)
    if name is None:
        raise TemplateError(f"{{{written[:40]}}} is not a plain variable name.")
    return name


def _fstring_names(text: str) -> list[str]:
    return [name for _, name in _fstring_parts(text) if name is not None]


def _fstring_fill(text: str, values: dict[str, Any]) -> str:
    room = filling.Room()
    return "".join(
        room.take(literal if name is None else literal + as_text(values[name]))
        for literal, name in _fstring_parts(text)
    )


FORMATS: dict[str, tuple[Callable[[str], list[str]], Callable[[str, dict[str, Any]], str]]] = {
    "mustache": (_mustache_names, _mustache_fill),
    "jinja": (jinja_text.names, jinja_text.fill),
    "fstring": (_fstring_names, _fstring_fill),
}
