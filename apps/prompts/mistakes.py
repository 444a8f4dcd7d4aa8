"""Where in a text a template breaks, counted as browsers count: in UTF-16 units."""

import re
from dataclasses import dataclass
from typing import Any

import jinja2

from apps.core.errors import DomainError
from apps.prompts import filling, items, lint, references, templates

TONES = {lint.ERROR: "bad", lint.WARNING: "warn", lint.HINT: "idle"}
CODES = frozenset({"template", "reference"})  # what is placed here more exactly
JINJA_LINE = re.compile(r"\bin line (\d+)")
JINJA_WORD = re.compile(r"^(?:The filter )?(\w+) (?:is not available|cannot be reached)")


@dataclass(frozen=True)
class Finding:
    """A word on a place of the draft: the card, from where to where in its text, how much it matters, the sentence."""

    item: int | None
    start: int | None
    end: int | None
    tone: str
    text: str

    def told(self) -> dict[str, Any]:
        return {"item": self.item, "from": self.start, "to": self.end, "tone": self.tone, "text": self.text}


def of_messages(messages: list[items.Item], format: str) -> list[Finding]:
    """Return the first mistake of each message's template and of each broken reference."""
    found = []
    for number, item in enumerate(messages):
        if not items.is_message(item):
            continue
        try:
            templates.names_in([item["content"]], format)
            references.in_text(item["content"])
        except DomainError as error:
            found.append(_at(number, item["content"], *_place(item["content"], format, error), error.message))
    return found


def from_lint(messages: list[items.Item], advice: lint.Finding) -> Finding:
    """Return a colleague's remark as the editor shows it; one about a whole message or prompt has no place."""
    tone = TONES[advice.level]
    if advice.message_index is None or advice.start is None or advice.end is None:
        return Finding(advice.message_index, None, None, tone, advice.sentence)
    text = messages[advice.message_index]["content"]
    return Finding(advice.message_index, units(text, advice.start), units(text, advice.end), tone, advice.sentence)


def _at(item: int, text: str, start: int, end: int, words: str) -> Finding:
    return Finding(item, units(text, start), units(text, end), "bad", words)


def units(text: str, index: int) -> int:
    """Return where the character at `index` stands in UTF-16."""
    return len(text[:index].encode("utf-16-le", "surrogatepass")) // 2


def _place(text: str, format: str, error: DomainError) -> tuple[int, int]:
    if isinstance(error, references.BadReference):
        match = next((m for m in references.TAG.finditer(text) if _is_broken(m.group())), None)
        return match.span() if match else (0, 0)
    return PLACES[format](text, error.message)


def _is_broken(tag: str) -> bool:
    try:
        references.in_text(tag)
    except references.BadReference:
        return True
    return False


def _mustache_place(text: str, _message: str) -> tuple[int, int]:
    tags = templates.MUSTACHE_TAG.finditer(text)
    return next((tag.span() for tag in tags if filling.name_of(tag["inside"]) is None), (0, 0))


def _fstring_place(text: str, _message: str) -> tuple[int, int]:
    """Walk over the braces: the one that is never closed, the one that closes nothing, or the name that is none."""
    at = 0
    for match in re.finditer(r"\{\{|\}\}|\{([^{}]*)\}|[{}]", text):
        if match.start() < at or match.group() in ("{{", "}}"):
            continue
        at = match.end()
        if match[1] is None or not re.fullmatch(r"[^\W\d]\w{0,99}", match[1]):
            return match.span()
    return 0, len(text)


MOST_TAGS = 2_000


def _jinja_place(text: str, message: str) -> tuple[int, int]:
    if line := JINJA_LINE.search(message):
        return _line(text, int(line[1]))
    if (word := JINJA_WORD.search(message)) and (found := re.search(rf"\b{re.escape(word[1])}\b", text)):
        return found.span()
    if text.count("{{") + text.count("{%") > MOST_TAGS:
        return 0, 0  # what is too much to fill is too much to look through
    try:
        jinja2.Environment(autoescape=True).parse(text)
    except jinja2.TemplateSyntaxError as error:
        return _line(text, error.lineno)
    except RecursionError:
        pass
    return 0, 0


def _line(text: str, number: int) -> tuple[int, int]:
    lines = text.split("\n")
    number = min(max(number, 1), len(lines))
    start = sum(len(line) + 1 for line in lines[: number - 1])
    return start, start + len(lines[number - 1])


PLACES = {"mustache": _mustache_place, "fstring": _fstring_place, "jinja": _jinja_place}
