"""Cases from text that people bring: JSONL (one object a line), a JSON array of them, or CSV (one row a case)."""

import csv
import io
import json
from dataclasses import dataclass, field
from typing import Any

from apps.core import text
from apps.core.errors import DomainError

RESERVED = ("name", "expected", "tags")
MAX_CASES = 20_000
MAX_INPUT_BYTES = 200 * text.KILOBYTE
SHOWN_PROBLEMS = 10
BEGINNINGS = {"{": "jsonl", "[": "json"}


class BadImport(DomainError):
    """Nothing was imported. `details["problems"]` says for each line what is wrong with it, or for each case of an array."""


@dataclass(frozen=True)
class NewCase:
    """A case before it is stored."""

    inputs: dict[str, Any]
    name: str = ""
    expected: str = ""
    tags: list[str] = field(default_factory=list)


def parse(content: str, *, format: str = "") -> list[NewCase]:
    """Return the cases of a JSONL, JSON or CSV text; without `format`, { begins JSONL and [ begins a JSON array.

    Raises BadImport naming every line, or every case of an array, that cannot be read.
    """
    content = content.removeprefix("\ufeff")
    if not content.strip():
        raise BadImport("The file is empty.")
    kind = format or BEGINNINGS.get(content.lstrip()[0], "csv")
    if kind not in _READERS:
        raise BadImport(f"{kind} is not a format that can be imported. Bring JSONL, a JSON array or CSV.")
    cases, problems = _READERS[kind](content)
    if problems:
        raise BadImport(_sentence(problems, "Case" if kind == "json" else "Line"), problems=problems)
    if not cases:
        raise BadImport("There is no case in the file.")
    if len(cases) > MAX_CASES:
        raise BadImport(f"{len(cases):,} cases are too many at once; at most {MAX_CASES:,} fit.")
    return cases


def _sentence(problems: dict[int, str], unit: str) -> str:
    shown = " ".join(f"{unit} {number}: {problem}" for number, problem in list(problems.items())[:SHOWN_PROBLEMS])
    more = f" And {len(problems) - SHOWN_PROBLEMS} more {unit.lower()}s." if len(problems) > SHOWN_PROBLEMS else ""
    return f"Nothing was imported. {shown}{more}"


def _from_jsonl(content: str) -> tuple[list[NewCase], dict[int, str]]:
    cases: list[NewCase] = []
    problems: dict[int, str] = {}
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            cases.append(clean(from_object(json.loads(line))))
        except (ValueError, RecursionError) as error:
            problems[number] = f"this is not JSON ({_trouble(error)})."
        except DomainError as error:
            problems[number] = error.message
    return cases, problems


def _trouble(error: ValueError | RecursionError) -> str:
    """Return what is wrong with a JSON text, without the position: the caller names the line or the case."""
    if isinstance(error, json.JSONDecodeError):
        return (error.msg[:1].lower() + error.msg[1:]).removesuffix(" at").removesuffix(" starting")
    return "it is nested too deeply" if isinstance(error, RecursionError) else "a number is too long"


def _from_array(content: str) -> tuple[list[NewCase], dict[int, str]]:
    """Return the cases of a JSON array. Raises BadImport naming the one line at which it stops being JSON."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        place = f"Line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        raise BadImport(f"Nothing was imported. {place}this is not a JSON array ({_trouble(error)}).") from None
    if not isinstance(values, list):
        raise BadImport("Nothing was imported. A JSON file holds an array of cases: [{…}, {…}].")
    cases: list[NewCase] = []
    problems: dict[int, str] = {}
    for number, value in enumerate(values, start=1):
        try:
            cases.append(clean(from_object(value)))
        except DomainError as error:
            problems[number] = error.message
    return cases, problems


def from_object(value: Any) -> NewCase:
    """Return the case of {"inputs": {…}, "name", "expected", "tags"}, or of an object whose other keys are inputs."""
    if not isinstance(value, dict):
        raise DomainError('a case is an object, like {"message": "Where is it?"}.')
    inputs = value.get("inputs") if "inputs" in value else _others(value)
    if not isinstance(inputs, dict):
        raise DomainError("inputs must be an object of names and values.")
    if "inputs" in value and (stray := sorted(value.keys() - {"inputs", *RESERVED})):
        raise DomainError(f"{stray[0]} stands beside inputs; put it inside.")
    tags = value.get("tags") or []
    if isinstance(tags, str):
        tags = _tags(tags)
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DomainError("tags must be a list of words.")
    expected = value.get("expected")
    return NewCase(
        inputs=inputs,
        name=str(value.get("name") or ""),
        expected=expected if isinstance(expected, str) else "" if expected is None else json.dumps(expected),
        tags=tags,
    )


def _others(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in RESERVED}


def _tags(value: str) -> list[str]:
    return [tag.strip() for tag in value.replace(";", ",").split(",") if tag.strip()]


def _from_csv(content: str) -> tuple[list[NewCase], dict[int, str]]:
    reader = csv.reader(io.StringIO(content), strict=True)
    cases: list[NewCase] = []
    problems: dict[int, str] = {}
    try:
        header = [name.strip() for name in next(reader)]
        if trouble := _header_trouble(header):
            return [], {1: trouble}
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                problems[reader.line_num] = f"{len(row)} cells, but the header has {len(header)}."
                continue
            _add(cases, problems, reader.line_num, dict(zip(header, row, strict=True)))
    except csv.Error as error:
        problems[reader.line_num] = f"this is not CSV ({error})."
    return cases, problems


def _add(cases: list[NewCase], problems: dict[int, str], line: int, row: dict[str, str]) -> None:
    try:
        cases.append(clean(from_object({key: value for key, value in row.items() if value or key not in RESERVED})))
    except DomainError as error:
        problems[line] = error.message


def _header_trouble(header: list[str]) -> str:
    if not all(header):
        return "a column has no name."
    if len(set(header)) != len(header):
        return "two columns have the same name."
    if not set(header) - set(RESERVED):
        return "there is no column with an input. Columns other than name, expected and tags are inputs."
    return ""


def clean(case: NewCase) -> NewCase:
    """Return the case as it will be stored. Raises DomainError for what is too long, too deep or not text."""
    try:
        size = len(json.dumps(case.inputs, allow_nan=False))
    except (ValueError, RecursionError):
        raise DomainError("the inputs hold a number that JSON cannot hold, or are nested too deeply.") from None
    if size > MAX_INPUT_BYTES:
        raise DomainError(f"the inputs are larger than {MAX_INPUT_BYTES // text.KILOBYTE} kB.")
    if len(case.tags) > 20 or any(len(tag) > 40 for tag in case.tags):
        raise DomainError("at most 20 tags of 40 characters fit.")
    return NewCase(
        inputs=text.clean_tree(case.inputs, field="An input", max_bytes=MAX_INPUT_BYTES),
        name=text.clean(case.name, field="The name", max_bytes=1000).strip()[:200],
        expected=text.clean(case.expected, field="The expected answer", max_bytes=MAX_INPUT_BYTES),
        tags=sorted({text.clean(tag, field="A tag", max_bytes=200).strip() for tag in case.tags} - {""}),
    )


_READERS = {"jsonl": _from_jsonl, "json": _from_array, "csv": _from_csv}
