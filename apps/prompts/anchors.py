"""What a remark points at, and whom it names: words inside a message, names behind an @."""

import re
from collections.abc import Iterable

from apps.prompts.models.prompts import Content

LONGEST_LINE = 160


def text_of(content: Content, message: int) -> str | None:
    """Return the text of the message at that place; None when there is none, or nothing written stands there."""
    if not 0 <= message < len(content.messages):
        return None
    text = content.messages[message].get("content")
    return text if isinstance(text, str) else None


def is_there(content: Content, message: int, quote: str) -> bool:
    """Tell whether these words stand in that message; no words point at the whole of it."""
    text = text_of(content, message)
    return text is not None and quote in text


def lines_of(content: Content, message: int) -> list[str]:
    """Return the lines of a message that can be pointed at, each once, in order."""
    text = text_of(content, message) or ""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def mentions(remark: str, names: Iterable[str]) -> set[str]:
    """Return which of these names stand behind an @. Of two names that begin alike, the longer is meant."""
    ordered = sorted((name for name in names if name), key=len, reverse=True)
    if not ordered:
        return set()
    pattern = re.compile(r"(?<![\w@])@(" + "|".join(map(re.escape, ordered)) + r")(?!\w)", re.IGNORECASE)
    known = {name.casefold(): name for name in ordered}
    return {known[found.casefold()] for found in pattern.findall(remark) if found.casefold() in known}
