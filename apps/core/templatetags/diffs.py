"""Diffs as HTML, written in one go: a diff may have thousands of pieces."""

from collections.abc import Iterable
from html import escape
from itertools import zip_longest

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

Piece = tuple[str, str]  # ("equal" | "delete" | "insert", text)
TAGS = {"delete": "del", "insert": "ins"}
# Unchanged text longer than this is folded but for what stands next to a change.
FOLD_LINES = 12
KEEP_LINES = 3
FOLD_CHARACTERS = 4_000
KEEP_CHARACTERS = 400


@register.simple_tag
def diff_inline(pieces: Iterable[Piece]) -> SafeString:
    """Write a diff as running text; long unchanged parts are folded."""
    parts = list(pieces)
    whole = len(parts) == 1
    html = [
        _marked(kind, text)
        if kind in TAGS
        else _folded(text, first=index == 0, last=index == len(parts) - 1, whole=whole)
        for index, (kind, text) in enumerate(parts)
    ]
    return mark_safe("".join(html))  # noqa: S308 (every text is escaped)


def _marked(kind: str, text: str) -> str:
    tag = TAGS.get(kind)
    return f"<{tag}>{escape(text)}</{tag}>" if tag else escape(text)


def _folded(text: str, *, first: bool, last: bool, whole: bool) -> str:
    if whole:
        return escape(text)
    lines = text.count("\n")
    if lines > FOLD_LINES:
        *full, rest = text.split("\n")
        rows = [*(f"{line}\n" for line in full), rest]
        head, tail = (0 if first else KEEP_LINES), (0 if last else KEEP_LINES)
        folded = rows[head : len(rows) - tail]
        label = f"{len(folded):,} unchanged lines"
        return escape("".join(rows[:head])) + _fold("".join(folded), label) + escape("".join(rows[len(rows) - tail :]))
    if len(text) > FOLD_CHARACTERS:
        head, tail = (0 if first else KEEP_CHARACTERS), (0 if last else KEEP_CHARACTERS)
        middle = text[head : len(text) - tail]
        return (
            escape(text[:head])
            + _fold(middle, f"{len(middle):,} unchanged characters")
            + escape(text[len(text) - tail :])
        )
    return escape(text)


def _fold(text: str, label: str) -> str:
    return f'<details class="g-diff-fold"><summary>{label}</summary>{escape(text)}</details>'


@register.simple_tag
def diff_split(pieces: Iterable[Piece]) -> SafeString:
    """Write a diff in two columns, line beside line; long unchanged parts are folded."""
    html: list[str] = []
    run: list[str] = []
    was_changed = False
    for left, right, changed in _rows(pieces):
        if changed:
            html.append(_fold_lines(run, first=not html, last=False))
            run = []
            html.append(_row(left, right, " data-changed data-diff-change" if not was_changed else " data-changed"))
        else:
            run.append(left or "")
        was_changed = changed
    html.append(_fold_lines(run, first=not html, last=True))
    return mark_safe("".join(html))  # noqa: S308 (every text is escaped)


def _row(left: str | None, right: str | None, attributes: str) -> str:
    cells = "".join("<div data-absent></div>" if cell is None else f"<div>{cell}</div>" for cell in (left, right))
    return f'<div class="g-diff-row"{attributes}>{cells}</div>'


def _fold_lines(lines: list[str], *, first: bool, last: bool) -> str:
    """Write unchanged lines, the same in both columns; what is folded is one row, for it may be thousands."""
    if len(lines) <= FOLD_LINES or (first and last):
        return "".join(_row(line, line, "") for line in lines)
    head, tail = (0 if first else KEEP_LINES), (0 if last else KEEP_LINES)
    middle = lines[head : len(lines) - tail]
    joined = "\n".join(middle)
    fold = f'<details class="g-diff-fold"><summary>{len(middle):,} unchanged lines</summary>{_row(joined, joined, "")}</details>'
    return (
        "".join(_row(line, line, "") for line in lines[:head])
        + fold
        + "".join(_row(line, line, "") for line in lines[len(lines) - tail :])
    )


def _rows(pieces: Iterable[Piece]) -> list[tuple[str | None, str | None, bool]]:
    """Return (left, right, changed) line by line: where an unchanged line ends, both columns go on together."""
    found: list[tuple[str | None, str | None, bool]] = []
    left, right, changed = [""], [""], False
    for kind, text in pieces:
        lines = text.split("\n")
        if kind == "equal" and len(lines) > 2:
            # What stands between the first line end and the last is on lines of its own.
            opening, *whole, closing = map(escape, lines)
            found += _closed([*left[:-1], left[-1] + opening], [*right[:-1], right[-1] + opening], changed)
            found += [(line, line, False) for line in whole]
            left, right, changed = [closing], [closing], False
            continue
        changed = changed or kind != "equal"
        for number, line in enumerate(lines):
            if number:
                if kind == "equal":
                    found += _closed(left, right, changed)
                    left, right, changed = [""], [""], False
                else:
                    (left if kind == "delete" else right).append("")
            shown = _marked(kind, line) if line or (kind != "equal" and number < len(lines) - 1) else ""
            if kind != "insert":
                left[-1] += shown
            if kind != "delete":
                right[-1] += shown
    return found + _closed(left, right, changed)


def _closed(left: list[str], right: list[str], changed: bool) -> list[tuple[str | None, str | None, bool]]:
    return [(one, other, changed) for one, other in zip_longest(left, right)]
