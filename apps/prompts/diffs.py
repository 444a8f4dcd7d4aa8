"""What changed between two versions: words inside messages, parameters, variables; and one sentence for it all."""

import difflib
import re
from dataclasses import dataclass
from typing import Any

from apps.prompts.models.prompts import Content

TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
# SequenceMatcher is quadratic: beyond this many words a diff is made by lines, then by words inside changed lines.
WORD_LIMIT = 4_000

Piece = tuple[str, str]  # ("equal" | "delete" | "insert", text)


@dataclass(frozen=True)
class MessageDiff:
    """One message of either side; `role` names the newer one's role."""

    number: int
    role: str
    pieces: list[Piece]
    status: str  # same | changed | added | removed


@dataclass(frozen=True)
class ContentDiff:
    """All differences of two contents. `rows` are (what, before, after) for everything that is not a message."""

    messages: list[MessageDiff]
    rows: list[tuple[str, Any, Any]]
    sentence: str

    @property
    def is_empty(self) -> bool:
        return not self.rows and all(message.status == "same" for message in self.messages)


def words(before: str, after: str) -> list[Piece]:
    """Return the pieces of both texts in reading order, adjacent ones merged."""
    if before == after:
        return [("equal", before)] if before else []
    a, b = TOKEN.findall(before), TOKEN.findall(after)
    if max(len(a), len(b)) > WORD_LIMIT:
        a, b = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return _merged(_pieces(a, b))


def _pieces(a: list[str], b: list[str]) -> list[Piece]:
    found: list[Piece] = []
    for op, a1, a2, b1, b2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if op == "equal":
            found.append(("equal", "".join(a[a1:a2])))
            continue
        found.append(("delete", "".join(a[a1:a2])))
        found.append(("insert", "".join(b[b1:b2])))
    return found


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Join what belongs together: a lone space between two changes is part of the change."""
    result: list[Piece] = []
    for kind, text in pieces:
        if not text:
            continue
        if result and result[-1][0] == kind:
            result[-1] = (kind, result[-1][1] + text)
        else:
            result.append((kind, text))
    return result


def between(before: Content | None, after: Content) -> ContentDiff:
    """Compare two contents; `before` may be absent (nothing was live)."""
    old = before.messages if before else []
    messages = [
        _message(number, old[number] if number < len(old) else None, _at(after.messages, number))
        for number in range(max(len(old), len(after.messages)))
    ]
    rows = _rows(before, after)
    return ContentDiff(messages, rows, _sentence(before, messages, rows))


def _at(messages: list[dict[str, str]], number: int) -> dict[str, str] | None:
    return messages[number] if number < len(messages) else None


def _message(number: int, before: dict[str, str] | None, after: dict[str, str] | None) -> MessageDiff:
    shown = after or before or {"role": "", "content": ""}
    pieces = words(before["content"] if before else "", after["content"] if after else "")
    if before is None:
        status = "added"
    elif after is None:
        status = "removed"
    else:
        status = "same" if before == after else "changed"
    return MessageDiff(number + 1, shown["role"], pieces, status)


def _rows(before: Content | None, after: Content) -> list[tuple[str, Any, Any]]:
    old, new = _settings(before), _settings(after)
    return [(name, old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)]


def _settings(content: Content | None) -> dict[str, Any]:
    """Flatten everything but the messages to named values: "temperature" → 0.2, "variable tone" → "string, …"."""
    if content is None:
        return {}
    found: dict[str, Any] = {"format": content.format, "model": content.model_config.get("model") or None}
    found.update(content.model_config.get("parameters", {}))
    for variable in content.variables:
        found[f"variable {variable['name']}"] = _contract_words(variable)
    found["output schema"] = content.output_schema
    found["tools"] = content.tools or None
    return found


def _contract_words(variable: dict[str, Any]) -> str:
    words = [variable["type"], "required" if variable["required"] else "optional"]
    if variable["default"] is not None:
        words.append(f"default {variable['default']}")
    return ", ".join(words)


def _sentence(before: Content | None, messages: list[MessageDiff], rows: list[tuple[str, Any, Any]]) -> str:
    if before is None:
        return "Nothing was live before: everything is new."
    parts = []
    for status in ("changed", "added", "removed"):
        count = sum(message.status == status for message in messages)
        if count:
            parts.append(f"{count} message{'s' if count > 1 else ''} {status}")
    parts += [_row_words(*row) for row in rows]
    return (", ".join(parts) + ".") if parts else "No difference."


def _row_words(name: str, before: Any, after: Any) -> str:
    if before is None:
        return f"{name} added" if name.startswith("variable") else f"{name} set to {after}"
    if after is None:
        return f"{name} removed"
    if isinstance(before, dict | list) or isinstance(after, dict | list):
        return f"{name} changed"
    return f"{name} {before} → {after}"
