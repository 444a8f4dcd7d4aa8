"""Messages and settings as other tools spell them, in ours."""

import json
import math
import re
from typing import Any

from apps.prompts.contents import PARAMETER_RANGES
from apps.prompts.importing.incoming import Unreadable

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
}
SAME = {
    "max_output_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "topP": "top_p",
    "maxTokens": "max_tokens",
}
PLAIN = re.compile(r"\{\{\s*[^\W\d]\w{0,99}\s*\}\}")
LOGIC = re.compile(r"\{%|\{#|\{\{(?!\s*[^\W\d]\w{0,99}\s*\}\})")


def message(value: Any) -> dict[str, Any]:
    """Return one message or placeholder. Raises Unreadable for what is neither."""
    if isinstance(value, str):
        return {"role": "user", "content": value}
    if not isinstance(value, dict):
        raise Unreadable("a message is neither a text nor an object")
    if value.get("type") == "placeholder":
        return {"type": "placeholder", "name": str(value.get("name") or "")}
    role = ROLES.get(str(value.get("role") or "user"))
    if role is None:
        raise Unreadable(f"the role {str(value.get('role'))[:40]} is not known")
    return {"role": role, "content": content(value.get("content", ""))}


def content(value: Any) -> str:
    """Return a message's text: a string, or the texts of its parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "\n".join(part["text"] for part in value)
    raise Unreadable("a message holds something that is not text")


def settings(config: Any, notes: list[str]) -> dict[str, Any]:
    """Return {"model", "parameters"} of what a tool calls config; what has no place here is noted."""
    if not isinstance(config, dict):
        return {"model": "", "parameters": {}}
    parameters: dict[str, Any] = {}
    lost = []
    for key, value in config.items():
        name = SAME.get(key, key)
        if name in PARAMETER_RANGES and _fits(name, value):
            parameters[name] = value
        elif key not in ("model", "modelName", "model_name") and value not in (None, "", {}, []):
            lost.append(str(key)[:40])
    model = config.get("model") or config.get("modelName") or config.get("model_name") or ""
    if lost:
        notes.append(f"Settings without a place here are left out: {', '.join(sorted(lost)[:12])}.")
    return {"model": model if isinstance(model, str) else "", "parameters": parameters}


def _fits(name: str, value: Any) -> bool:
    low, high = PARAMETER_RANGES[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and low <= value <= high


def format_of(texts: list[str]) -> str:
    """Return mustache for plain variables, jinja where the text has logic."""
    return "jinja" if any(LOGIC.search(text) for text in texts) else "mustache"


def chat_or_text(raw: str) -> tuple[str, list[dict[str, Any]]]:
    """Return kind and messages of a text that may itself be a JSON list of messages."""
    if raw.lstrip().startswith("["):
        try:
            listed = json.loads(raw)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list) and listed and all(isinstance(one, dict) and "role" in one for one in listed):
            return "chat", [message(one) for one in listed]
    return "text", [{"role": "user", "content": raw}]
