"""The inputs of a try: a field for each variable, and what a person typed into it as a value."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from apps.core import text
from apps.core.errors import DomainError
from apps.prompts import variables
from apps.prompts.templates import as_text
from apps.prompts.variables import MESSAGES, Values, Variable

MAX_BYTES = 512 * text.KILOBYTE
MAX_MESSAGES = 50
LONG = ("list", "object")


@dataclass(frozen=True)
class Field:
    """What the page shows for one variable; `text` is what stands in its box, `messages` the rows of a placeholder."""

    name: str
    kind: str
    text: str
    hint: str
    description: str
    is_required: bool
    messages: list[dict[str, str]]

    @property
    def rows(self) -> int:
        """Return how many lines its box opens with."""
        lines = sum(1 + len(line) // 60 for line in self.text.split("\n"))
        return min(max(lines, 3 if self.kind in LONG else 2), 8)


class OutOfBounds(DomainError):
    """The inputs are larger than a try may be."""


def merged(contracts: Iterable[list[Variable]]) -> list[Variable]:
    """Return every variable of any contract once: columns whose contracts differ share the fields."""
    found: dict[str, Variable] = {}
    for contract in contracts:
        for variable in contract:
            found.setdefault(variable["name"], variable)
    return list(found.values())


def fields(contract: list[Variable], values: Values) -> list[Field]:
    """Return a field for each variable, holding its value as text."""
    return [_field(variable, values.get(variable["name"])) for variable in contract]


def _field(variable: Variable, value: Any) -> Field:
    kind = variable["type"]
    is_list = kind == MESSAGES
    default = variable.get("default")
    return Field(
        name=variable["name"],
        kind=kind,
        text="" if value is None or is_list else as_text(value),
        hint="" if default is None or is_list else f"default: {as_text(default)[:200]}",
        description=variable.get("description") or "",
        is_required=bool(variable.get("required", True)) and default is None,
        messages=_messages(value) if is_list else [],
    )


def _messages(value: Any) -> list[dict[str, str]]:
    rows = value if isinstance(value, list) else []
    return [
        {"role": str(row.get("role")), "content": as_text(row.get("content"))} for row in rows if isinstance(row, dict)
    ]


def examples(contract: list[Variable]) -> Values:
    """Return what a page opens with: the examples that the contract names."""
    return {
        variable["name"]: variables.parse(variable["type"], str(variable["example"]))
        for variable in contract
        if variable.get("example")
    }


def read(post: QueryDict, contract: list[Variable]) -> Values:
    """Return the values that were typed; an empty field is no value, so that a default can stand in; no messages are a list too.

    What is no number, no yes or no and no JSON stays text, which the contract then refuses by name.
    Raises OutOfBounds for more than a try may hold.
    """
    found: Values = {}
    for variable in contract:
        name, kind = variable["name"], variable["type"]
        if kind == MESSAGES:
            found[name] = _read_messages(post, name)
        elif (value := _read_text(post, name, kind)) != "":
            found[name] = value
    return clean(found)


def _read_text(post: QueryDict, name: str, kind: str) -> Any:
    typed = post.get(f"input-{name}", "").replace("\r\n", "\n")
    return variables.parse(kind, typed) if typed.strip() or kind == "string" else ""


def _read_messages(post: QueryDict, name: str) -> list[dict[str, str]]:
    rows = zip(post.getlist(f"input-{name}-role"), post.getlist(f"input-{name}-content"), strict=False)
    found = [{"role": role, "content": content.replace("\r\n", "\n")} for role, content in rows if content.strip()]
    if len(found) > MAX_MESSAGES:
        raise OutOfBounds(f"{name} has {len(found)} messages; at most {MAX_MESSAGES} can be tried.")
    return found


def from_json(written: str) -> Values:
    """Return values that another page hands over as JSON. Raises DomainError for what is no object of names."""
    try:
        values = json.loads(written)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise DomainError("These inputs cannot be read. Choose them again.")
    return clean(values)


def clean(values: Values) -> Values:
    """Return the values as they can be stored and sent. Raises OutOfBounds and DomainError."""
    try:
        size = len(json.dumps(values, allow_nan=False, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        raise DomainError("The inputs hold a number that JSON cannot hold, or are nested too deeply.") from None
    if size > MAX_BYTES:
        raise OutOfBounds(
            f"The inputs are {size / text.MEGABYTE:.1f} MB together; at most {MAX_BYTES // text.KILOBYTE} kB can be tried."
        )
    cleaned: Values = text.clean_tree(values, field="An input", max_bytes=MAX_BYTES)
    return cleaned


def fitted(contract: list[Variable], values: Values) -> Values:
    """Return the values that a contract names; text for a variable of another type is read as that type."""
    kinds = {variable["name"]: variable["type"] for variable in contract}
    return {
        name: variables.parse(kinds[name], value) if isinstance(value, str) else value
        for name, value in values.items()
        if name in kinds
    }
