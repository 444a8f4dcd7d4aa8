"""Charges as a sheet: a line each, read into the same items as those of programs, with what is wrong with which line."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.core.errors import DomainError
from apps.core.text import MEGABYTE
from apps.costs.ingest.items import FIELDS, TEXTS, key_of
from apps.costs.ingest.refusals import Refused, shown
from apps.costs.models import Meter

LONGEST, MOST_ROWS = 8 * MEGABYTE, 20_000
METERS = frozenset(Meter.values)
WHOLE = frozenset({*METERS, "total_tokens", "reasoning_tokens", "version", "latency_ms"})
FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}
COLUMNS = (FIELDS - {"meters", "usage", "tags", "dialect"}) | METERS
TAG = "tag:"
TEMPLATE = (
    (
        "source_id",
        "at",
        "provider",
        "model",
        "input",
        "cache_read",
        "output",
        "cost",
        "team",
        "customer",
        "tag:project",
    ),
    ("call-0001", "2026-11-20 14:05", "openai", "gpt-4o", "1200", "800", "350", "", "Support", "c-42", "migration"),
)
# How files begin that somebody took for a CSV.
OTHERS = {b"PK\x03\x04": "an Excel workbook or a ZIP", b"%PDF": "a PDF", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
GROUPED = re.compile(r"\d{1,3}([.,' \u00a0\u202f])\d{3}(\1\d{3})*")


class SheetRefused(DomainError):
    """The file cannot be read as a sheet of charges."""

    code = "sheet-unreadable"


@dataclass(frozen=True)
class Line:
    """One line of the sheet: the item it tells of, or why it tells of none."""

    number: int
    item: dict[str, Any] | None = None
    refused: Refused | None = None


@dataclass(frozen=True)
class Sheet:
    """A sheet that was read: its lines, the columns that were not, and what was noticed on the way."""

    lines: list[Line]
    ignored: list[str]
    notes: list[str]


def read(data: bytes, zone: ZoneInfo) -> Sheet:
    """Return what a file says; times without a zone are those of `zone`.

    Raises SheetRefused for a file that is too long, no CSV, or without the columns that a charge needs.
    """
    if len(data) > LONGEST:
        raise SheetRefused(f"The file has {len(data) / MEGABYTE:.1f} MB; at most {LONGEST // MEGABYTE} MB are read.")
    text, notes = _decoded(data)
    header, rows, delimiter = _rows(text)
    names = _columns(header)
    lines = list(_lines(rows, names, delimiter, zone))
    ignored = [title[:60] for title, name in zip(header, names, strict=True) if name is None and title.strip()]
    return Sheet(lines, ignored, notes)


def _decoded(data: bytes) -> tuple[str, list[str]]:
    for beginning, what in OTHERS.items():
        if data.startswith(beginning):
            raise SheetRefused(
                f"This is {what}. In your spreadsheet choose “CSV UTF-8” under Save as and send that file."
            )
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text, notes = data.decode(encoding), []
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
        notes = ["The file is not UTF-8; it was read as Windows-1252. Check names with accents."]
    if "\x00" in text:
        raise SheetRefused("The file holds null bytes: it is no CSV, or its encoding is another one. Save it as UTF-8.")
    return text, notes


def _rows(text: str) -> tuple[list[str], Iterator[tuple[int, list[str]]], str]:
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = Counter({mark: first.count(mark) for mark in ",;\t"}).most_common(1)[0][0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
    try:
        header = next(rows, (0, []))[1]
    except csv.Error as error:
        raise SheetRefused(f"Line {reader.line_num} is no CSV: {error}.") from None
    return header, _counted(rows, reader), delimiter


def _counted(rows: Iterator[tuple[int, list[str]]], reader: Any) -> Iterator[tuple[int, list[str]]]:
    count = 0
    try:
        for place in rows:
            count += 1
            if count > MOST_ROWS:
                raise SheetRefused(f"The sheet has more than {MOST_ROWS:,} lines. Send it in parts.")
            yield place
    except csv.Error as error:
        raise SheetRefused(f"Line {reader.line_num} is no CSV ({error}). Is the file whole?") from None


def _columns(header: list[str]) -> list[str | None]:
    """Return which field each column is, None for those that we do not read."""
    names = [_column(title) for title in header]
    found = Counter(name for name in names if name)
    if doubled := [name for name, count in found.items() if count > 1]:
        raise SheetRefused(f"The column {doubled[0]} is there twice.")
    missing = [name for name in ("at", "model") if name not in found]
    if missing or not (METERS & found.keys() or "cost" in found):
        wanted = " and ".join(missing) or "any count of tokens (input, output, …)"
        raise SheetRefused(
            f"The first line names the columns; {wanted} is not among them. The template shows them all."
        )
    return names


def _column(title: str) -> str | None:
    name = title.strip().lower()
    if name.startswith(TAG) and len(name) > len(TAG):
        return f"{TAG}{title.strip()[len(TAG) :].strip()}"
    name = name.replace(" ", "_")
    if name.removesuffix("_tokens") in METERS:
        return name.removesuffix("_tokens")
    return name if name in COLUMNS else None


def _lines(
    rows: Iterator[tuple[int, list[str]]], names: list[str | None], delimiter: str, zone: ZoneInfo
) -> Iterator[Line]:
    alike: Counter[str] = Counter()
    for number, row in rows:
        try:
            if len(row) != len(names):
                raise Refused("cut-off", f"It has {len(row)} of {len(names)} columns. Is the file whole?")
            cells = {name: _cell(text) for name, text in zip(names, row, strict=True) if name}
            item = _item(cells, delimiter, zone)
        except Refused as refused:
            yield Line(number, refused=refused)
            continue
        if "source_id" not in item:
            # A line without an id is known by what it says, and which of several such lines it is.
            key = key_of(repr(sorted(cells.items())))
            alike[key] += 1
            item["source_id"] = f"{key[:40]}-{alike[key]}"
        yield Line(number, item)


def _cell(text: str) -> str:
    text = text.strip()
    if text.startswith("="):
        raise Refused("formula", "A cell holds a formula. Save the sheet with values.")
    # What our own exports put before such a text, so that no sheet takes it for a formula.
    return text[1:] if text.startswith("'") and text[1:2] in "=+-@" else text


def _item(cells: Mapping[str, str], delimiter: str, zone: ZoneInfo) -> dict[str, Any]:
    item: dict[str, Any] = {"meters": {}}
    for name, text in cells.items():
        if text:
            _put(item, name, text, delimiter, zone)
    return item


def _put(item: dict[str, Any], name: str, text: str, delimiter: str, zone: ZoneInfo) -> None:
    if name.startswith(TAG):
        item.setdefault("tags", {})[name.removeprefix(TAG)] = text
    elif name in METERS:
        item["meters"][name] = _whole(name, text)
    elif name in WHOLE:
        item[name] = _whole(name, text)
    elif name in ("failed", "trust_cost"):
        item[name] = _flag(name, text)
    elif name == "at":
        item[name] = _moment(text, zone)
    else:
        item[name] = _amount(text, delimiter) if name == "cost" else _name(name, text)


def _name(name: str, text: str) -> str:
    if len(text) > TEXTS[name]:
        raise Refused("too-long", f"{name} has {len(text)} characters; at most {TEXTS[name]} fit.")
    return text


def _whole(name: str, text: str) -> int:
    if GROUPED.fullmatch(text):
        raise Refused("number-unclear", f"{name} is {text}: write the number without separators.")
    plain = re.sub(r"[.,]0+$", "", text)
    if not plain.isascii() or not plain.isdigit() or len(plain) > 13:
        raise Refused("not-a-count", f"{name} is {shown(text)}, not a whole number.")
    return int(plain)


def _flag(name: str, text: str) -> bool:
    if text.lower() not in FLAGS:
        raise Refused("not-a-flag", f"{name} is {shown(text)}, neither yes nor no.")
    return FLAGS[text.lower()]


def _amount(text: str, delimiter: str) -> str:
    """Return an amount with a point; where semicolons part the columns, a comma is one."""
    if "," not in text:
        return text
    if "." in text or text.count(",") > 1 or (delimiter != ";" and GROUPED.fullmatch(text)):
        raise Refused("number-unclear", f"cost is {shown(text)}: is the comma a point? Write 0.0123.")
    return text.replace(",", ".")


def _moment(text: str, zone: ZoneInfo) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("time-unreadable", f"{shown(text)} is no time like 2026-11-20 14:05.") from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()
