"""What changed beside the messages: the contract, the model and its parameters, the output schema, the tools."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from apps.prompts.models.prompts import Content

# A schema with more places than this is compared by its first ones; the sentence still says that it changed.
MAX_PLACES = 2_000
MAX_DEPTH = 40


@dataclass(frozen=True)
class Row:
    """One thing that is not the same: None stands for what is not there."""

    name: str
    before: Any
    after: Any

    @property
    def status(self) -> str:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def parts(self) -> tuple[str | None, str | None]:
        return _spelled(self.before), _spelled(self.after)


@dataclass(frozen=True)
class Section:
    """The rows of one kind of setting, and what the summary says of them."""

    title: str
    rows: list[Row]
    phrases: list[str]


def sections(before: Content | None, after: Content) -> list[Section]:
    """Return what differs, in the order in which people read a prompt; sections without difference are left out."""
    builders: tuple[tuple[str, Callable[[Content | None, Content], tuple[list[Row], list[str]]]], ...] = (
        ("Model and parameters", _parameters),
        ("Variables", _contract),
        ("Output schema", _schema),
        ("Tools", _tools),
    )
    found = [Section(title, *build(before, after)) for title, build in builders]
    return [section for section in found if section.rows]


def _parameters(before: Content | None, after: Content) -> tuple[list[Row], list[str]]:
    rows = _rows(_flat_settings(before), _flat_settings(after))
    return rows, [_phrase(row) for row in rows]


def _flat_settings(content: Content | None) -> dict[str, Any]:
    if content is None:
        return {}
    config = content.model_config
    own = config.get("config")
    rest = own if isinstance(own, dict) else {"config": own}
    kept = {f"config.{name}" if isinstance(own, dict) else name: value for name, value in rest.items()}
    return {"format": content.format, "model": config.get("model") or None, **(config.get("parameters") or {}), **kept}


def _phrase(row: Row) -> str:
    before, after = row.parts
    if row.status == "added":
        return f"{row.name} set to {after}"
    if row.status == "removed":
        return f"{row.name} removed"
    return f"{row.name} {before} → {after}"


FIELDS = ("type", "required", "default", "example", "description")


def _contract(before: Content | None, after: Content) -> tuple[list[Row], list[str]]:
    old, new = ({one["name"]: one for one in content.variables} if content else {} for content in (before, after))
    rows, phrases = [], []
    for name in {**new, **old}:
        a, b = old.get(name), new.get(name)
        if a is None or b is None:
            rows.append(Row(name, a and contract_words(a), b and contract_words(b)))
            phrases.append(_variable_phrase(name, b))
            continue
        changed = [field for field in FIELDS if _value(a, field) != _value(b, field)]
        rows += [Row(f"{name}: {field}", _value(a, field), _value(b, field)) for field in changed]
        if changed:
            phrases.append(_changed_variable(name, a, b, changed))
    return rows, phrases


def _value(variable: dict[str, Any], field: str) -> Any:
    if field == "required":
        return "required" if variable.get("required", True) else "optional"
    value = variable.get(field)
    return value if value != "" or field == "default" else None


def _variable_phrase(name: str, added: dict[str, Any] | None) -> str:
    if added is None:
        return f"variable {name} removed"
    if added.get("default") is not None:
        return f"variable {name} added with default"
    return f"variable {name} added" + ("" if added.get("required", True) else ", optional")


def _changed_variable(name: str, a: dict[str, Any], b: dict[str, Any], changed: list[str]) -> str:
    if "type" in changed:
        return f"variable {name} {a.get('type')} → {b.get('type')}"
    if "required" in changed:
        return f"variable {name} is now {_value(b, 'required')}"
    return f"{' and '.join(changed)} of variable {name} changed"


def contract_words(variable: dict[str, Any]) -> str:
    """Say what a variable is in one line."""
    words = [variable.get("type", "string"), _value(variable, "required")]
    if variable.get("default") is not None:
        words.append(f"default {_spelled(variable['default']) or 'empty'}")
    return ", ".join(words)


def _schema(before: Content | None, after: Content) -> tuple[list[Row], list[str]]:
    old, new = before.output_schema if before else None, after.output_schema
    if old == new:
        return [], []
    rows = _rows(dict(_places(old)), dict(_places(new))) or [Row("schema", "(long)", "(changed beyond what is shown)")]
    if old is None or new is None:
        return rows, ["output schema added" if old is None else "output schema removed"]
    return rows, [_counted(rows, "output schema")]


def _counted(rows: list[Row], what: str) -> str:
    if len(rows) == 1:
        return f"{what}: {_phrase(rows[0])}"
    return f"{what} changed in {len(rows)} places"


def _places(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Return every leaf of a JSON value with its path, `properties` left out: they are what a schema is made of."""
    if isinstance(value, dict) and value and depth < MAX_DEPTH:
        for key, inner in value.items():
            step = path if key == "properties" else f"{path}.{key}" if path else key
            yield from _places(inner, step, depth + 1)
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value) and depth < MAX_DEPTH:
        for number, inner in enumerate(value, 1):
            yield from _places(inner, f"{path}[{number}]", depth + 1)
    elif value is not None:
        yield path or "schema", value


def _tools(before: Content | None, after: Content) -> tuple[list[Row], list[str]]:
    old, new = _by_name(before.tools if before else []), _by_name(after.tools)
    rows, phrases = [], []
    for name in {**new, **old}:
        a, b = old.get(name), new.get(name)
        if a == b:
            continue
        if a is None or b is None:
            rows.append(Row(name, a and _tool_words(a), b and _tool_words(b)))
            phrases.append(f"tool {name} {'added' if a is None else 'removed'}")
            continue
        changed = _rows(dict(_places(a)), dict(_places(b)))
        rows += [Row(f"{name}: {row.name}", row.before, row.after) for row in changed]
        phrases.append(_counted(changed, f"tool {name}"))
    return rows, phrases


def _by_name(tools: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for number, tool in enumerate(tools or [], 1):
        function = tool.get("function", tool) if isinstance(tool, dict) else {"value": tool}
        found[str(function.get("name") or f"number {number}")] = function
    return found


def _tool_words(tool: dict[str, Any]) -> str:
    parameters = tool.get("parameters") or {}
    names = ", ".join(parameters.get("properties") or {}) if isinstance(parameters, dict) else ""
    return f"{tool.get('description') or 'no description'} ({names or 'no parameters'})"


def _rows(old: dict[str, Any], new: dict[str, Any]) -> list[Row]:
    names = list({**old, **new})
    rows = [Row(name, old.get(name), new.get(name)) for name in names if _differ(old.get(name), new.get(name))]
    return rows[:MAX_PLACES]


def _differ(a: Any, b: Any) -> bool:
    """Tell whether two JSON values differ; 1 and 1.0 do not, true and 1 do."""
    return a != b or isinstance(a, bool) != isinstance(b, bool)


def _spelled(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)
