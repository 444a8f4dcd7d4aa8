"""What changed between two versions: messages, examples and settings, and one sentence for it all."""

from dataclasses import dataclass, field
from typing import Any

from apps.prompts import alignment, settings_diffs
from apps.prompts.models.prompts import Content
from apps.prompts.settings_diffs import Section
from apps.prompts.word_diffs import Piece, words

__all__ = ["ContentDiff", "ExampleDiff", "MessageDiff", "Piece", "Section", "between", "words"]

Item = dict[str, Any]  # a message, a placeholder or the place of the examples


@dataclass(frozen=True)
class MessageDiff:
    """One message of either side; `number` and `role` are the newer one's, where there is one."""

    number: int
    role: str
    pieces: list[Piece]
    status: str  # same | changed | added | removed | moved
    before_number: int | None = None
    before_role: str = ""


@dataclass(frozen=True)
class ExampleDiff:
    """One few-shot example of either side."""

    number: int
    status: str
    input: list[Piece]
    output: list[Piece]


@dataclass(frozen=True)
class ContentDiff:
    """All differences of two contents."""

    messages: list[MessageDiff]
    sentence: str
    sections: list[Section] = field(default_factory=list)
    examples: list[ExampleDiff] = field(default_factory=list)

    @property
    def rows(self) -> list[tuple[str, Any, Any]]:
        """Return (what, before, after) for everything that is neither a message nor an example."""
        return [(row.name, row.before, row.after) for section in self.sections for row in section.rows]

    @property
    def is_empty(self) -> bool:
        return not self.sections and not self.changed_examples and all(one.status == "same" for one in self.messages)

    @property
    def changed_examples(self) -> list[ExampleDiff]:
        return [example for example in self.examples if example.status != "same"]


def between(before: Content | None, after: Content) -> ContentDiff:
    """Compare two contents; `before` may be absent (nothing was live)."""
    messages = _messages(before.messages if before else [], after.messages)
    examples = _examples(_examples_of(before), _examples_of(after))
    sections = settings_diffs.sections(before, after)
    sentence = _sentence(messages, examples, sections) if before else "Nothing was live before: everything is new."
    return ContentDiff(messages, sentence, sections, examples)


def _messages(old: list[Item], new: list[Item]) -> list[MessageDiff]:
    pairs = alignment.align(old, new, kind=_role, text=_text)
    return [_message(pair, _at(old, pair.before), _at(new, pair.after)) for pair in pairs]


def _at(items: list[Item], place: int | None) -> Item | None:
    return None if place is None else items[place]


def _role(item: Item) -> str:
    return str(item.get("role") or item.get("type") or "")


def _text(item: Item) -> str:
    """Return what a message says; a placeholder says its name, the place of the examples nothing."""
    return str(item.get("content") or item.get("name") or "")


def _message(pair: alignment.Pair, before: Item | None, after: Item | None) -> MessageDiff:
    shown = after or before or {}
    number = pair.after if pair.after is not None else pair.before
    return MessageDiff(
        number=(number or 0) + 1,
        role=_role(shown),
        pieces=words(_text(before) if before else "", _text(after) if after else ""),
        status=_status(before, after, moved=pair.moved),
        before_number=None if pair.before is None else pair.before + 1,
        before_role=_role(before) if before else "",
    )


def _status(before: Item | None, after: Item | None, *, moved: bool = False) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    if moved:
        return "moved"
    return "same" if before == after else "changed"


def _examples_of(content: Content | None) -> list[Item]:
    return content.examples if content else []


def _examples(old: list[Item], new: list[Item]) -> list[ExampleDiff]:
    pairs = alignment.align(old, new, kind=lambda _: "", text=lambda one: f"{one.get('input')}\n{one.get('output')}")
    return [_example(pair, _at(old, pair.before), _at(new, pair.after)) for pair in pairs]


def _example(pair: alignment.Pair, before: Item | None, after: Item | None) -> ExampleDiff:
    number = pair.after if pair.after is not None else pair.before
    parts = [words(*(str((side or {}).get(part) or "") for side in (before, after))) for part in ("input", "output")]
    return ExampleDiff((number or 0) + 1, _status(before, after, moved=pair.moved), *parts)


def _sentence(messages: list[MessageDiff], examples: list[ExampleDiff], sections: list[Section]) -> str:
    parts = [*_counts(messages, "message"), *_counts(examples, "example")]
    parts += [phrase for section in sections for phrase in section.phrases]
    if not parts:
        return "No difference."
    shown, more = parts[:8], len(parts) - 8
    return ", ".join(shown) + (f", and {more} more changes." if more > 0 else ".")


def _counts(found: "list[MessageDiff] | list[ExampleDiff]", noun: str) -> list[str]:
    parts = []
    for status in ("changed", "added", "removed", "moved"):
        count = sum(one.status == status for one in found)
        if count:
            parts.append(f"{count} {noun}{'s' if count > 1 else ''} {status}")
    return parts
