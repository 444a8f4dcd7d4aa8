"""What was asked and answered, as people read it: JSON laid out, long texts cut, whatever the shape of what came."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 60_000  # characters of one text; the file to download has all of it


@dataclass(frozen=True)
class Passage:
    """A text as it came, laid out when it is JSON, and cut when it is very long."""

    text: str
    pretty: str = ""
    is_cut: bool = False

    @property
    def shown(self) -> str:
        return self.pretty or self.text


@dataclass(frozen=True)
class Message:
    """One message of a request: who says it, what, and which tools it calls."""

    role: str
    parts: Sequence[Passage]
    tools: Sequence[tuple[str, Passage]]


def passage(text: str) -> Passage:
    """Return a text ready to be shown."""
    if len(text) > SHOWN:
        return Passage(text[:SHOWN], is_cut=True)
    return Passage(text, _laid_out(text))


def _laid_out(text: str) -> str:
    """Return the text laid out if it is a JSON object or list, else nothing."""
    if not text.lstrip().startswith(("{", "[")):
        return ""
    try:
        found = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""
    return "" if found == text else found


def pretty(value: Any) -> Passage:
    """Return a JSON value laid out."""
    return passage(json.dumps(value, indent=2, ensure_ascii=False))


def messages_of(request: Mapping[str, Any]) -> list[Message]:
    """Return the messages of a request, or its texts when vectors were asked for."""
    if "texts" in request:
        return [Message("text", [passage(str(text))], []) for text in request["texts"]]
    return [_message(message) for message in request.get("messages", []) if isinstance(message, Mapping)]


def _message(message: Mapping[str, Any]) -> Message:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content] if content else []
    return Message(str(message.get("role", "")), [_part(part) for part in parts], tools_of(message.get("tool_calls")))


def _part(part: Any) -> Passage:
    if isinstance(part, Mapping):
        text = part.get("text")
        return passage(text) if isinstance(text, str) else pretty(part)
    return passage(str(part))


def tools_of(calls: Any) -> list[tuple[str, Passage]]:
    """Return the tools that are called, by name, with their arguments: ours are flat, OpenAI's hold a function."""
    found = []
    for call in calls if isinstance(calls, list) else []:
        inner = call.get("function", call) if isinstance(call, Mapping) else {"name": str(call)}
        given = inner.get("arguments", "")
        shown = passage(given) if isinstance(given, str) else pretty(given)
        found.append((str(inner.get("name", "")), shown))
    return found


def tools_offered(request: Mapping[str, Any]) -> list[tuple[str, Passage]]:
    """Return the tools that the model was offered, by name, each with its definition."""
    offered = [tool for tool in request.get("tools", []) if isinstance(tool, Mapping)]
    return [(str(tool.get("function", tool).get("name", "tool")), pretty(tool)) for tool in offered]
