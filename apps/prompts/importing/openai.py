"""A reusable prompt of OpenAI, pasted as JSON: from the dashboard's code panel, or what `responses` echoes."""

from typing import Any

from apps.prompts.importing import shapes
from apps.prompts.importing.incoming import Batch, Incoming, IncomingVersion, Unreadable

SOURCE = "OpenAI"
OTHERS = (
    "id",
    "object",
    "name",
    "version",
    "instructions",
    "input",
    "messages",
    "tools",
    "text",
    "response_format",
    "variables",
    "created_at",
    "updated_at",
    "is_default",
    "description",
)


def looks_like(data: Any) -> bool:
    if not isinstance(data, dict):
        return False
    return (
        str(data.get("id", "")).startswith("pmpt_")
        or "instructions" in data
        or ("messages" in data and "name" not in data)
        or ("messages" in data and "model" in data)
    )


def read(data: dict[str, Any]) -> Batch:
    """Return the prompt. Raises Unreadable when it holds no text."""
    notes: list[str] = []
    messages = _messages(data)
    if not messages:
        raise Unreadable("The pasted prompt holds neither instructions nor messages.")
    config = {key: value for key, value in data.items() if key not in OTHERS}
    content: dict[str, Any] = {
        "messages": messages,
        "format": "mustache",
        "model_config": shapes.settings(config, notes),
        "variables": _variables(data.get("variables")),
        "output_schema": _schema(data),
        "tools": _tools(data.get("tools"), notes),
    }
    name = str(data.get("name") or data.get("id") or "imported-prompt")
    words = f"Version {data['version']} at OpenAI" if data.get("version") else "From OpenAI"
    return Batch(
        SOURCE,
        [Incoming(name, "chat", [IncomingVersion(content, words)], str(data.get("description") or ""), notes=notes)],
    )


def _messages(data: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    if isinstance(data.get("instructions"), str) and data["instructions"].strip():
        found.append({"role": "system", "content": data["instructions"]})
    listed = data.get("messages") or data.get("input") or []
    listed = listed if isinstance(listed, list) else [listed]
    return found + [shapes.message(one) for one in listed]


def _variables(given: Any) -> list[dict[str, Any]]:
    """Return what is known of the variables: their values were examples."""
    if not isinstance(given, dict):
        return []
    return [{"name": str(name), "example": value if isinstance(value, str) else ""} for name, value in given.items()]


def _schema(data: dict[str, Any]) -> Any:
    shape = (
        data.get("response_format") or (data.get("text") or {}).get("format")
        if isinstance(data.get("text") or {}, dict)
        else None
    )
    if not isinstance(shape, dict) or shape.get("type") != "json_schema":
        return None
    inner = shape.get("json_schema", shape)
    return inner.get("schema") if isinstance(inner, dict) else None


def _tools(given: Any, notes: list[str]) -> list[dict[str, Any]]:
    """Return the functions; the Responses API spells them flat, and has tools of its own that stay behind."""
    found, lost = [], 0
    for tool in given if isinstance(given, list) else []:
        if not isinstance(tool, dict) or tool.get("type") != "function":
            lost += 1
        elif isinstance(tool.get("function"), dict):
            found.append({"type": "function", "function": tool["function"]})
        else:
            known = ("name", "description", "parameters", "strict")
            found.append(
                {"type": "function", "function": {key: tool[key] for key in known if tool.get(key) is not None}}
            )
    if lost:
        notes.append(f"{lost} built-in tool{'s' if lost > 1 else ''} of OpenAI stay{'s' if lost == 1 else ''} behind.")
    return found
