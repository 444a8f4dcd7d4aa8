"""Tokens counted from text, for when no provider has said how many there were.

An approximation, good to about a fifth for prose: four ASCII characters are a token, and of other characters three
are two tokens. What is counted this way is always marked as estimated.
"""

import json
from collections.abc import Sequence
from typing import Any

PER_MESSAGE = 4


def tokens(text: str) -> int:
    """Return about how many tokens the text takes."""
    ascii_characters = len(text) if text.isascii() else sum(character < "\x80" for character in text)
    others = len(text) - ascii_characters
    return (3 * ascii_characters + 8 * others + 11) // 12


def input_tokens(
    messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] = (), schema: dict[str, Any] | None = None
) -> int:
    """Return about how many tokens a request takes: its messages, what frames them, tools and schema."""
    said = sum(tokens(_text(message.get("content"))) + PER_MESSAGE for message in messages)
    called = sum(tokens(json.dumps(message["tool_calls"])) for message in messages if message.get("tool_calls"))
    offered = tokens(json.dumps(list(tools))) if tools else 0
    return said + called + offered + (tokens(json.dumps(schema)) if schema else 0)


def _text(content: object) -> str:
    """Return the text of a message's content: a string, or typed parts of which only text is counted."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
