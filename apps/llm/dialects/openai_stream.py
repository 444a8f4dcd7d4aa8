"""A streamed chat completion, put together chunk by chunk."""

from dataclasses import dataclass, field
from typing import Any

from apps.llm.completion import Answer, Delta, ToolCall
from apps.llm.dialects import openai, reading


@dataclass
class Called:
    """A tool call so far."""

    id: str = ""
    name: str = ""
    parts: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.parts)


class Assembler:
    """Takes the chunks of one stream and knows at any moment what has come."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thought: list[str] = []
        self._calls: list[Called] = []
        self._place_of: dict[object, int] = {}
        self._usage: object = None
        self._finish_reason = self._tier = self._model = ""
        self._has_choice = self.is_complete = False

    def feed(self, event: dict[str, Any]) -> list[Delta]:
        """Take a chunk; return what it adds. Several choices are never asked for, so only the first counts."""
        self._usage = event.get("usage") or self._usage
        self._tier = reading.label(event.get("service_tier")) or self._tier
        self._model = reading.name(event.get("model")) or self._model
        choices = [reading.mapping(choice) for choice in reading.sequence(event.get("choices"))]
        choice = next((choice for choice in choices if not choice.get("index")), None)
        if choice is None:
            self.is_complete = self.is_complete or bool(self._has_choice and self._usage)
            return []
        self._has_choice = True
        if reason := reading.label(choice.get("finish_reason")):
            self._finish_reason, self.is_complete = reason, True
        return self._added(reading.mapping(choice.get("delta")))

    def _added(self, delta: dict[str, Any]) -> list[Delta]:
        self._thought.append(reading.text(delta.get("reasoning_content") or delta.get("reasoning")))
        found = []
        if text := reading.text(delta.get("content")) or reading.text(delta.get("refusal")):
            self._text.append(text)
            found.append(Delta(text=text))
        return found + [self._called(reading.mapping(call)) for call in reading.sequence(delta.get("tool_calls"))]

    def _called(self, part: dict[str, Any]) -> Delta:
        place = self._place(part)
        call = self._calls[place]
        function = reading.mapping(part.get("function"))
        name, arguments = reading.text(function.get("name")), reading.arguments(function.get("arguments"))
        call.id = call.id or reading.text(part.get("id"))
        call.name = call.name or name
        call.parts.append(arguments)
        return Delta(tool_call=place, tool_name=name, tool_arguments=arguments)

    def _place(self, part: dict[str, Any]) -> int:
        """Return which call the part belongs to. Some servers leave the index out or give every call the same one."""
        ident, index = reading.text(part.get("id")), part.get("index")
        key = index if isinstance(index, int) else None
        place = self._place_of.get(key)
        if place is None or (ident and self._calls[place].id not in {"", ident}):
            place = self._place_of[key] = len(self._calls)
            self._calls.append(Called())
        return place

    @property
    def received(self) -> str:
        """All that the model has written so far, as it is billed: thoughts, text and what it called."""
        calls = [call.name + call.arguments for call in self._calls]
        return "".join([*self._thought, *self._text, *calls])

    def answer(self) -> Answer:
        """Return what has come. Raises ProviderError (malformed) when a complete stream held no choice."""
        if self.is_complete and not self._has_choice:
            raise reading.malformed("it holds no choice")
        return Answer(
            text="".join(self._text),
            tool_calls=[ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in self._calls],
            finish_reason=self._finish_reason,
            usage=openai.usage(self._usage) if self.is_complete else None,
            service_tier=self._tier,
            answered_by=self._model,
        )


def is_last(event: dict[str, Any]) -> bool:
    """Tell whether the answer is whole with this chunk; the usage may still follow."""
    return any(reading.mapping(choice).get("finish_reason") for choice in reading.sequence(event.get("choices")))
