"""A text written in one template format, written in another: variables are respelled, and what has no match is named."""

import re
from itertools import groupby
from operator import itemgetter

from apps.core.errors import DomainError
from apps.prompts import templates

NAME = r"[^\W\d]\w{0,99}"
PLAIN = re.compile(rf"\{{\{{\s*({NAME})\s*\}}\}}")
JINJA_TAG = re.compile(r"\{%.*?%\}|\{#.*?#\}|\{\{.*?\}\}", re.DOTALL)
FSTRING_PART = re.compile(rf"\{{\{{|\}}\}}|\{{({NAME})\}}")
Piece = tuple[str, bool]  # a text, and whether it is the name of a variable


def converted(text: str, before: str, after: str) -> tuple[str, list[str]]:
    """Return the text in the format `after` and the passages that mean something else there, in order.

    A text that cannot be read in its own format comes back as it is, with its mistake.
    """
    if before == after:
        return text, []
    try:
        templates.names_in([text], before)
    except DomainError as error:
        return text, [error.message]
    pieces, unfit = _pieces(text, before)
    written = "".join(_spelled(piece, is_name, after) for piece, is_name in pieces)
    for is_name, some in groupby(pieces, key=itemgetter(1)):
        if not is_name:
            unfit += _misread("".join(piece for piece, _ in some), after)
    if not unfit and _names(written, after) != {piece for piece, is_name in pieces if is_name}:
        unfit.append("Braces beside a variable, which would be taken for a part of it")
    return written, unfit


def _names(text: str, format: str) -> set[str] | None:
    try:
        return set(templates.names_in([text], format))
    except DomainError:
        return None


def _pieces(text: str, format: str) -> tuple[list[Piece], list[str]]:
    if format == "fstring":
        return _fstring_pieces(text), []
    pieces: list[Piece] = []
    unfit: list[str] = []
    at = 0
    for tag in (JINJA_TAG if format == "jinja" else PLAIN).finditer(text):
        pieces.append((text[at : tag.start()], False))
        plain = PLAIN.fullmatch(tag.group())
        pieces.append((plain[1], True) if plain else (tag.group(), False))
        if not plain:
            unfit.append(tag.group())
        at = tag.end()
    return [*pieces, (text[at:], False)], unfit


def _fstring_pieces(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    at = 0
    for part in FSTRING_PART.finditer(text):
        pieces.append((text[at : part.start()], False))
        pieces.append((part[1], True) if part[1] else (part.group()[0], False))
        at = part.end()
    return [*pieces, (text[at:], False)]


def _spelled(piece: str, is_name: bool, format: str) -> str:
    if is_name:
        return f"{{{piece}}}" if format == "fstring" else f"{{{{{piece}}}}}"
    return piece.replace("{", "{{").replace("}", "}}") if format == "fstring" else piece


def _misread(piece: str, format: str) -> list[str]:
    """Return what stands for itself now and would be taken for a tag then."""
    if format == "jinja":
        return list(re.findall(r"\{%|\{#|\{\{", piece))
    return re.findall(r"\{\{[^{}]*\}\}", piece) if format == "mustache" else []
