"""A streamed message, put together event by event."""

import json
from dataclasses import dataclass, field
from typing import Any

from apps.llm.completion import Answer, Delta, ToolCall
from apps.llm.dialects import anthropic, reading

WRAPPER = '{"' + anthropic.WRAPPED


@dataclass
class Block:
    """One block of the message so far: text, a thought, or a tool's input as JSON text."""

    kind: str = ""
    id: str = ""
    name: str = ""
    place: int = 0
    parts: list[str] = field(default_factory=list)
    shows: bool | None = None

    @property
    def written(self) -> str:
        return "".join(self.parts)

    @property
    def is_answer(self) -> bool:
        return self.kind == "tool_use" and self.name == anthropic.ANSWER_TOOL


class Assembler:
    """Takes the events of one stream and knows at any moment what has come."""

    def __init__(self) -> None:
        self._blocks: dict[object, Block] = {}
        self._calls = 0
        self._usage: dict[str, Any] = {}
        self._stop_reason: object = None
        self._model = ""
        self._has_started = self._has_total = self.is_complete = False

    def feed(self, event: dict[str, Any]) -> list[Delta]:
        """Take an event; return what it adds. Kinds that nobody knows yet are passed over."""
        take = TAKEN.get(reading.text(event.get("type")))
        return take(self, event) if take else []

    def _start(self, event: dict[str, Any]) -> list[Delta]:
        message = reading.mapping(event.get("message"))
        self._has_started = True
        self._usage = dict(reading.mapping(message.get("usage")))
        self._model = reading.name(message.get("model"))
        return []

    def _open(self, event: dict[str, Any]) -> list[Delta]:
        given = reading.mapping(event.get("content_block"))
        block = Block(reading.text(given.get("type")), reading.text(given.get("id")), reading.text(given.get("name")))
        self._blocks[_index(event)] = block
        if block.kind != "tool_use":
            return self._add(block, reading.text(given.get("text")) or reading.text(given.get("thinking")))
        if block.is_answer:
            return self._add(block, _input(given))
        block.place, self._calls = self._calls, self._calls + 1
        return [Delta(tool_call=block.place, tool_name=block.name), *self._add(block, _input(given))]

    def _grow(self, event: dict[str, Any]) -> list[Delta]:
        delta = reading.mapping(event.get("delta"))
        parts = [reading.text(delta.get(name)) for name in ("text", "thinking", "partial_json")]
        block = self._blocks.setdefault(_index(event), Block("text"))
        return self._add(block, "".join(parts))

    def _add(self, block: Block, part: str) -> list[Delta]:
        if not part:
            return []
        block.parts.append(part)
        if block.is_answer:
            return self._show(block)
        if block.kind == "tool_use":
            return [Delta(tool_call=block.place, tool_arguments=part)]
        return [Delta(text=part)] if block.kind == "text" else []

    def _show(self, block: Block) -> list[Delta]:
        """Show a structured answer as it grows, unless it is wrapped or may yet be: then when it is whole."""
        if block.shows:
            return [Delta(text=block.parts[-1])]
        if block.shows is None:
            opening = "".join(block.written.split())
            if opening.startswith(WRAPPER):
                block.shows = False
            elif not WRAPPER.startswith(opening):
                block.shows = True
                return [Delta(text=block.written)]
        return []

    def _close(self, event: dict[str, Any]) -> list[Delta]:
        block = self._blocks.get(_index(event))
        if block is None or not block.is_answer or block.shows:
            return []
        block.shows = True
        return [Delta(text=_structured(block))]

    def _total(self, event: dict[str, Any]) -> list[Delta]:
        """Take the counts of the whole: they replace those of the start, and earlier ones of their kind."""
        if reason := reading.mapping(event.get("delta")).get("stop_reason"):
            self._stop_reason, self.is_complete = reason, True
        told = {name: value for name, value in reading.mapping(event.get("usage")).items() if value is not None}
        written = told.get("cache_creation_input_tokens", self._usage.get("cache_creation_input_tokens"))
        if written != self._usage.get("cache_creation_input_tokens") and "cache_creation" not in told:
            told["cache_creation"] = _split(self._usage.get("cache_creation"), written)
        self._usage |= told
        self._has_total = self._has_total or "output_tokens" in told
        return []

    def _stop(self, event: dict[str, Any]) -> list[Delta]:
        self.is_complete = True
        return []

    @property
    def received(self) -> str:
        """All that the model has written so far, as it is billed: thoughts, text and what it called."""
        return "".join(block.name + block.written for block in self._blocks.values())

    def answer(self) -> Answer:
        """Return what has come. Raises ProviderError (malformed) when a complete stream held no message."""
        if self.is_complete and not (self._has_started or self._blocks):
            raise reading.malformed("it holds no content")
        answers = [_structured(block) for block in self._blocks.values() if block.is_answer]
        spoken = [block.written for block in self._blocks.values() if block.kind == "text"]
        return Answer(
            text=answers[0] if answers else "".join(spoken),
            tool_calls=[_tool_call(b) for b in self._blocks.values() if b.kind == "tool_use" and not b.is_answer],
            finish_reason=anthropic.finish_reason(self._stop_reason, answered=bool(answers)),
            usage=anthropic.usage(self._usage) if self.is_complete and self._has_total else None,
            answered_by=self._model,
            **anthropic.conditions(self._usage),
        )


TAKEN = {
    "message_start": Assembler._start,
    "content_block_start": Assembler._open,
    "content_block_delta": Assembler._grow,
    "content_block_stop": Assembler._close,
    "message_delta": Assembler._total,
    "message_stop": Assembler._stop,
}


def _index(event: dict[str, Any]) -> object:
    index = event.get("index")
    return index if isinstance(index, int) else None


def _input(given: dict[str, Any]) -> str:
    """Return the input that a block begins with: usually an empty object, which its parts replace."""
    return reading.arguments(given["input"]) if given.get("input") else ""


def _structured(block: Block) -> str:
    """Return the structured answer as the model wrote it, or what was wrapped."""
    try:
        found = json.loads(block.written or "{}")
    except (ValueError, RecursionError):
        return block.written
    if isinstance(found, dict) and set(found) == {anthropic.WRAPPED}:
        return anthropic.structured(found)
    return block.written or "{}"


def _tool_call(block: Block) -> ToolCall:
    return ToolCall(id=block.id, name=block.name, arguments=block.written or "{}")


def _split(before: object, written: object) -> dict[str, Any] | None:
    """Return how a later count of what was cached divides: what was kept for an hour is known from the start."""
    hour = reading.count(reading.mapping(before).get("ephemeral_1h_input_tokens")) or 0
    total = reading.count(written)
    if total is None or total < hour:
        return None
    return {"ephemeral_1h_input_tokens": hour, "ephemeral_5m_input_tokens": total - hour}


def is_last(event: dict[str, Any]) -> bool:
    """Tell whether the message is whole with this event: its end, or the word why it ends."""
    if event.get("type") == "message_stop":
        return True
    return event.get("type") == "message_delta" and bool(reading.mapping(event.get("delta")).get("stop_reason"))
