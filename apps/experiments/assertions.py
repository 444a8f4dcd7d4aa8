"""What an answer is held to: rows of {"type", "value", "weight", "name"}, each giving a verdict with its reason."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.errors import DomainError
from apps.experiments import bounded

Assertion = dict[str, Any]

MAX_ASSERTIONS = 50
MAX_PATTERN = 500
MAX_VALUE = 20_000
NEGATION = "not-"
VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][\w.\-]*)\s*\}\}")
UNITS = ("chars", "words")


class FaultyAssertion(DomainError):
    """A row cannot be held against any answer."""


@dataclass(frozen=True)
class Verdict:
    """What one assertion says: whether it holds, what it measured, and why."""

    passed: bool
    value: float
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What all assertions say together of one answer."""

    passed: bool
    score: float
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Subject:
    """The answer under test, and the case it answers."""

    text: str
    inputs: dict[str, Any]
    expected: str = ""


Check = Callable[[Assertion, str, str], Verdict]


def _yes_or_no(passed: bool, good: str, bad: str) -> Verdict:
    return Verdict(passed, float(passed), good if passed else bad)


def _short(value: str) -> str:
    return f'"{value[:77]}…"' if len(value) > 80 else f'"{value}"'


def _contains(_: Assertion, value: str, text: str) -> Verdict:
    return _yes_or_no(value in text, f"contains {_short(value)}", f"does not contain {_short(value)}")


def _icontains(_: Assertion, value: str, text: str) -> Verdict:
    found = value.casefold() in text.casefold()
    return _yes_or_no(found, f"contains {_short(value)}", f"does not contain {_short(value)} in any case")


def _equals(_: Assertion, value: str, text: str) -> Verdict:
    return _yes_or_no(text.strip() == value.strip(), "is exactly as expected", f"is not {_short(value)}")


def _starts_with(_: Assertion, value: str, text: str) -> Verdict:
    return _yes_or_no(text.startswith(value), f"starts with {_short(value)}", f"does not start with {_short(value)}")


def _regex(_: Assertion, value: str, text: str) -> Verdict:
    if len(value) > MAX_PATTERN:
        return Verdict(False, 0.0, f"the pattern is longer than {MAX_PATTERN} characters")
    found = bounded.search(value, text)
    return _yes_or_no(not found, f"matches {_short(value)}", f"{_short(value)}: {found}")


def _is_json(_: Assertion, __: str, text: str) -> Verdict:
    problem = _parsed(text)[1]
    return _yes_or_no(not problem, "is JSON", f"is not JSON: {problem}")


def _json_schema(row: Assertion, _: str, text: str) -> Verdict:
    value, problem = _parsed(text)
    if problem:
        return Verdict(False, 0.0, f"is not JSON: {problem}")
    misfit = bounded.fits_schema(_schema(row), value)
    return _yes_or_no(not misfit, "fits the schema", misfit)


def _max_length(row: Assertion, value: str, text: str) -> Verdict:
    length, unit = _length(row, text)
    return Verdict(length <= int(value), float(length), f"{length} {unit}, at most {int(value)}")


def _min_length(row: Assertion, value: str, text: str) -> Verdict:
    length, unit = _length(row, text)
    return Verdict(length >= int(value), float(length), f"{length} {unit}, at least {int(value)}")


CHECKS: dict[str, Check] = {
    "contains": _contains,
    "icontains": _icontains,
    "equals": _equals,
    "starts-with": _starts_with,
    "regex": _regex,
    "is-json": _is_json,
    "json-schema": _json_schema,
    "max-length": _max_length,
    "min-length": _min_length,
}
LENGTHS = frozenset({"max-length", "min-length"})
WITHOUT_VALUE = frozenset({"is-json"})
TYPES = (*CHECKS, *(f"{NEGATION}{name}" for name in CHECKS if name not in LENGTHS))
LABELS = {
    "contains": "contains",
    "icontains": "contains, in any case",
    "equals": "is exactly",
    "starts-with": "starts with",
    "regex": "matches the pattern",
    "is-json": "is JSON",
    "json-schema": "fits the JSON schema",
    "max-length": "is at most this long",
    "min-length": "is at least this long",
}
NEGATED = {
    "contains": "does not contain",
    "icontains": "does not contain, in any case",
    "equals": "is not exactly",
    "starts-with": "does not start with",
    "regex": "does not match the pattern",
    "is-json": "is not JSON",
    "json-schema": "does not fit the JSON schema",
}


def label(kind: str) -> str:
    """Return the type in words."""
    base = kind.removeprefix(NEGATION)
    return NEGATED[base] if kind != base else LABELS.get(base, base)


def title(row: Assertion) -> str:
    """Return the row's own name, or what it asks for in words."""
    if row.get("name"):
        return str(row["name"])[:120]
    if row["type"] in LENGTHS:
        return f"is at {row['type'][:3].replace('max', 'most').replace('min', 'least')} {row['value']} {_length(row, '')[1]} long"
    value = "" if row["type"].removeprefix(NEGATION) in ("is-json", "json-schema") else f" {_short(str(row['value']))}"
    return f"{label(row['type'])}{value}"[:120]


def judge(rows: Sequence[Assertion], subject: Subject, *, case_threshold: float | None = None) -> Outcome:
    """Hold one answer to every row.

    The score is the mean of the verdicts by weight; a row of weight 0 is reported and counts for nothing. The answer
    passes when every row that counts does, or with a threshold when the score reaches it.
    """
    verdicts = [verdict(row, subject) for row in rows]
    counting = [(item, _weight(row)) for row, item in zip(rows, verdicts, strict=True) if _weight(row) > 0]
    total = sum(weight for _, weight in counting)
    score = sum(weight for item, weight in counting if item.passed) / total if total else 1.0
    if case_threshold is None:
        return Outcome(all(item.passed for item, _ in counting), score, verdicts)
    return Outcome(score >= case_threshold - 1e-9, score, verdicts)


def verdict(row: Assertion, subject: Subject) -> Verdict:
    """Hold one answer to one row. What cannot be evaluated does not pass, negated or not."""
    base = row["type"].removeprefix(NEGATION)
    try:
        value = rendered(_wanted(row), subject)
        found = CHECKS[base](row, value, subject.text)
    except KeyError as missing:
        return Verdict(False, 0.0, f"the case has no variable {missing.args[0]}")
    except bounded.TooSlow:
        return Verdict(False, 0.0, f"took longer than {bounded.TIME_LIMIT:g} s and was stopped")
    if row["type"] == base or "is not valid" in found.reason:
        return found
    return Verdict(not found.passed, float(not found.passed), found.reason)


def rendered(value: str, subject: Subject) -> str:
    """Put the case's inputs, and `expected`, in the place of {{variables}}. Raises KeyError with the missing name."""
    return VARIABLE.sub(lambda match: _spell(_look_up(match.group(1), subject)), value)


def variables(rows: Sequence[Assertion]) -> set[str]:
    """Return the names of the case's inputs that the rows speak of."""
    return {name for row in rows for name in VARIABLE.findall(_wanted(row)) if name != "expected"}


def missing_variable(rows: Sequence[Assertion], inputs: dict[str, Any]) -> str | None:
    """Return the first variable that the rows speak of and a case does not have."""
    subject = Subject("", inputs)
    for name in sorted(variables(rows)):
        try:
            _look_up(name, subject)
        except KeyError:
            return name
    return None


def _look_up(path: str, subject: Subject) -> Any:
    if path == "expected" and "expected" not in subject.inputs:
        return subject.expected
    if path in subject.inputs:
        return subject.inputs[path]
    found: Any = subject.inputs
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            raise KeyError(path)
        found = found[part]
    return found


def _spell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _wanted(row: Assertion) -> str:
    value = row.get("value", "")
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict) else str(value)


def _weight(row: Assertion) -> float:
    return float(row.get("weight", 1))


def _unit(row: Assertion) -> str:
    return str(row.get("unit") or "chars")


def _length(row: Assertion, text: str) -> tuple[int, str]:
    return (len(text.split()), "words") if _unit(row) == "words" else (len(text), "characters")


def _schema(row: Assertion) -> Any:
    value = row["value"]
    return json.loads(value) if isinstance(value, str) else value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parsed(text: str) -> tuple[Any, str]:
    """Return the JSON value of the answer and "", or nothing and what is wrong."""
    try:
        return json.loads(text, parse_constant=_refuse_constant), ""
    except RecursionError:
        return None, "nested too deeply"
    except ValueError as error:
        return None, str(error)[:200]


def validate(rows: Any) -> list[Assertion]:
    """Return the rows in their one spelling. Raises FaultyAssertion, naming the row, for what cannot be evaluated."""
    if not isinstance(rows, list) or not rows:
        raise FaultyAssertion("Add at least one assertion: without one, every answer would pass.")
    if len(rows) > MAX_ASSERTIONS:
        raise FaultyAssertion(f"{len(rows)} assertions are too many; at most {MAX_ASSERTIONS} fit.")
    clean = [_valid(row, f"Assertion {number}") for number, row in enumerate(rows, start=1)]
    if not any(row["weight"] > 0 for row in clean):
        raise FaultyAssertion("Every assertion has weight 0, so every answer would pass. Give at least one a weight.")
    return clean


def _valid(row: Any, place: str) -> Assertion:
    if not isinstance(row, dict) or row.get("type") not in TYPES:
        given = row.get("type") if isinstance(row, dict) else row
        raise FaultyAssertion(f"{place}: {given!r} is not a type. Choose one of {', '.join(CHECKS)}, or not- and one.")
    kind = str(row["type"])
    clean: Assertion = {"type": kind, "weight": _valid_weight(row.get("weight", 1), place)}
    if name := str(row.get("name") or "").strip():
        clean["name"] = name[:120]
    base = kind.removeprefix(NEGATION)
    if base in LENGTHS:
        clean.update(_valid_length(row, place))
    elif base not in WITHOUT_VALUE:
        clean["value"] = _valid_value(base, row.get("value"), place)
    return clean


def _valid_weight(given: Any, place: str) -> float:
    try:
        weight = float(given)
    except (TypeError, ValueError):
        raise FaultyAssertion(f"{place}: the weight {given!r} is not a number.") from None
    if not 0 <= weight <= 1000:
        raise FaultyAssertion(f"{place}: the weight must be between 0 and 1000.")
    return int(weight) if weight.is_integer() else weight


def _valid_length(row: Assertion, place: str) -> Assertion:
    try:
        length = int(str(row.get("value", "")).strip())
    except ValueError:
        raise FaultyAssertion(f"{place}: the length {row.get('value')!r} is not a whole number.") from None
    if not 0 <= length <= 10_000_000:
        raise FaultyAssertion(f"{place}: the length must be between 0 and 10,000,000.")
    unit = row.get("unit") or "chars"
    if unit not in UNITS:
        raise FaultyAssertion(f"{place}: a length is counted in chars or words, not in {unit!r}.")
    return {"value": length, "unit": unit}


def _valid_value(base: str, given: Any, place: str) -> Any:
    if base == "json-schema":
        return _valid_schema(given, place)
    value = given if isinstance(given, str) else "" if given is None else str(given)
    if not value:
        raise FaultyAssertion(f"{place}: say what the answer {LABELS[base]}.")
    if len(value) > MAX_VALUE:
        raise FaultyAssertion(f"{place}: the value is longer than {MAX_VALUE:,} characters.")
    if base == "regex":
        _refuse_bad_pattern(value, place)
    return value


def _refuse_bad_pattern(pattern: str, place: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise FaultyAssertion(f"{place}: the pattern is longer than {MAX_PATTERN} characters.")
    try:
        # Variables stand for text that is known only with the case; any letter will do to see whether it compiles.
        re.compile(VARIABLE.sub("x", pattern))
    except (re.error, RecursionError, OverflowError) as error:
        raise FaultyAssertion(f"{place}: the pattern is not valid: {error}.") from None


def _valid_schema(given: Any, place: str) -> Any:
    if isinstance(given, str):
        given, problem = _parsed(given)
        if problem:
            raise FaultyAssertion(f"{place}: the schema is not JSON: {problem}.")
    if not isinstance(given, dict):
        raise FaultyAssertion(f"{place}: a schema is a JSON object.")
    if len(json.dumps(given)) > MAX_VALUE:
        raise FaultyAssertion(f"{place}: the schema is longer than {MAX_VALUE:,} characters.")
    try:
        misfit = bounded.fits_schema(given, None)
    except bounded.TooSlow:
        raise FaultyAssertion(f"{place}: the schema takes too long to check.") from None
    if misfit.startswith("the schema"):
        raise FaultyAssertion(f"{place}: {misfit}.")
    return given
