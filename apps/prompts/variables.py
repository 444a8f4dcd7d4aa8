"""The variables contract: which names a text uses, what each must be, and whether given values fit."""

import json
import math
import string
from collections.abc import Iterable
from typing import Any

from apps.core.errors import DomainError
from apps.prompts import filling, items, templates

TYPES = ("string", "number", "integer", "boolean", "list", "object")
MESSAGES = "messages"  # what a placeholder takes: a list of {"role", "content"}
ROLES = ("system", "user", "assistant", "tool", "developer")
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    MESSAGES: (list,),
}
MAX_VARIABLES = 1_000
Variable = dict[str, Any]  # {"name", "type", "required", "default", "example", "description"}
Values = dict[str, Any]


class ContractError(DomainError):
    """Values do not fit the contract. `details["problems"]` names each variable and what is wrong with it."""

    code = "contract"


def declared(
    messages: list[items.Item],
    format: str,
    known: list[Variable],
    examples: Iterable[dict[str, str]] = (),
) -> list[Variable]:
    """Return the contract of a text: its names in order of appearance, then its placeholders, each with what is known.

    Raises TemplateError for a text that cannot be parsed; ContractError for over 1,000 names, and for a placeholder
    that is called as a variable is.
    """
    _require_shapes(known)
    names = templates.names_in(items.texts(messages, examples), format)
    if len(names) > MAX_VARIABLES:
        raise ContractError(f"The text uses {len(names):,} variables; at most {MAX_VARIABLES:,} can be kept.")
    places = items.placeholders(messages)
    if both := sorted(set(names) & set(places)):
        raise ContractError(f"{both[0]} is a variable and a placeholder. Give one of them another name.")
    by_name = {filling.same_name(variable["name"]): variable for variable in known}
    found = [_complete({**_as_text(by_name.get(name, {})), "name": name}) for name in names]
    return found + [_complete({**by_name.get(name, {}), "name": name, "type": MESSAGES}) for name in places]


def _require_shapes(known: Iterable[Any]) -> None:
    """Refuse what is no contract at all: programs and files may send anything."""
    for variable in known:
        if not isinstance(variable, dict) or not isinstance(variable.get("name"), str):
            raise ContractError("A variable is an object with a name.")
        for part in ("type", "example", "description"):
            if not isinstance(variable.get(part) or "", str):
                raise ContractError(f"The {part} of {variable['name'][:80]} must be text.")


def is_told(variable: Variable) -> bool:
    """Tell whether somebody said more of a variable than its name."""
    plain = variable.get("type", "string") == "string" and variable.get("required", True)
    return not plain or any(variable.get(part) not in (None, "") for part in ("default", "example", "description"))


def _as_text(variable: Variable) -> Variable:
    """Return a variable that was a placeholder before as one of text."""
    return variable if variable.get("type") != MESSAGES else {}


def _complete(variable: Variable) -> Variable:
    kind = variable.get("type", "string")
    if kind not in PYTHON_TYPES:
        raise ContractError(f"{variable['name']} has the unknown type {kind}. Known are {', '.join(TYPES)}.")
    default = variable.get("default")
    if default is not None and not _fits(default, kind):
        raise ContractError(f"The default of {variable['name']} is not a {kind}.")
    return {
        "name": variable["name"],
        "type": kind,
        "required": bool(variable.get("required", True)),
        "default": default,
        "example": variable.get("example") or "",
        "description": variable.get("description") or "",
    }


def fill(variables: list[Variable], values: Values) -> Values:
    """Return a value for every variable: the given one, else the default, else empty when it is not required.

    Raises ContractError naming every missing, unknown and ill-typed variable.
    """
    values = {filling.same_name(name): value for name, value in values.items()}
    problems = dict.fromkeys(values.keys() - {v["name"] for v in variables}, "is not a variable of this prompt")
    filled: Values = {}
    for variable in variables:
        name, kind = variable["name"], variable["type"]
        value = values.get(name, variable["default"])
        if value is None and variable["required"]:
            problems[name] = "is missing"
        elif value is not None and not _fits(value, kind):
            problems[name] = WANTED.get(kind, f"must be of type {kind}")
        elif isinstance(value, str) and "\x00" in value:
            problems[name] = "holds a null byte, which no model can be sent"
        else:
            filled[name] = _nothing(kind) if value is None else value
    if problems:
        raise ContractError(_sentence(problems), problems=problems)
    return filled


def _sentence(problems: dict[str, str]) -> str:
    shown = "; ".join(f"{name} {problem}" for name, problem in sorted(problems.items())[:10])
    more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
    return f"The values do not fit: {shown}{more}."


WANTED = {MESSAGES: 'must be a list of {"role", "content"}'}


def _nothing(kind: str) -> Any:
    empty: dict[str, Any] = {MESSAGES: [], "list": filling.NoList(), "object": filling.NoObject()}
    return empty.get(kind, "")


def _fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == MESSAGES:
        return isinstance(value, list) and all(_is_message(one) for one in value)
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, PYTHON_TYPES[kind])


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("role") not in ROLES or not isinstance(value.get("content"), str):
        return False
    return "\x00" not in value["content"]


def parse(kind: str, text: str) -> Any:
    """Read what a person typed as a value of `kind`; text that cannot be read stays text and fails `fill`."""
    if kind == "string":
        return text
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(word: str) -> Any:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(word)


def example_values(variables: list[Variable]) -> Values:
    """Return values to preview with: the example, else the default, else the name itself in brackets."""
    found: Values = {}
    for variable in variables:
        example = variable["example"]
        if example:
            found[variable["name"]] = parse(variable["type"], example)
        elif variable["default"] is None:
            found[variable["name"]] = _stand_in(variable)
    return found


def _stand_in(variable: Variable) -> Any:
    blanks: dict[str, Any] = {"number": 0, "integer": 0, "boolean": False, "list": [], "object": {}, MESSAGES: []}
    return blanks.get(variable["type"], f"[{string.capwords(variable['name'].replace('_', ' ')).lower()}]")
