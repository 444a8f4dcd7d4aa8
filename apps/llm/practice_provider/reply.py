"""A reply ready to be written in either wire format."""

import json
import re
from dataclasses import dataclass
from typing import Any, Protocol

from .answering import Answer
from .asking import Ask

PIECE = re.compile(r".{1,18}(?:\s|$)|.{1,18}", re.S)


UNHEARD_OF = "practice-unheard-of"
STRANGE_END = "lost_in_thought"
CHUNKS = 3


@dataclass(frozen=True)
class Reply:
    """The question, its answers, and what is billed."""

    ask: Ask
    answers: tuple[Answer, ...]
    ident: str
    created: int
    cached: int = 0
    newly_cached: int = 0
    fault: str = ""

    @property
    def completion_tokens(self) -> int:
        """Return the tokens of all answers."""
        return sum(answer.tokens for answer in self.answers)

    @property
    def model(self) -> str:
        """Return the model that says it answered."""
        return UNHEARD_OF if self.fault == "other_model" else self.ask.model

    def end(self, usual: str) -> str:
        """Return the word why an answer ended."""
        return STRANGE_END if self.fault == "strange_end" else usual

    def arguments(self, answer: Answer) -> str:
        """Return the arguments of the tool call, or only their beginning, which is no JSON."""
        text = json.dumps(answer.arguments, ensure_ascii=False)
        return text[: len(text) // 2] if self.fault == "bad_arguments" else text


@dataclass(frozen=True)
class Piece:
    """A part of a stream and how many tokens it carries: those take time."""

    data: bytes
    tokens: int = 0


class Wire(Protocol):
    """What a wire format must be able to write."""

    def error(self, status: int, message: str, param: str | None = None) -> dict[str, Any]:
        """Return the body of an error."""
        ...

    def whole(self, reply: Reply) -> dict[str, Any]:
        """Return the body of an answer in one piece."""
        ...

    def error_piece(self) -> Piece:
        """Return the event of a stream that says that it failed."""
        ...

    def pieces(self, reply: Reply, *, always_usage: bool = False) -> list[Piece]:
        """Return the stream of an answer."""
        ...


def beginning(pieces: list[Piece]) -> list[Piece]:
    """Return a stream up to its third piece of text."""
    spoken = [place for place, piece in enumerate(pieces) if piece.tokens][:CHUNKS]
    return pieces[: spoken[-1] + 1] if spoken else pieces[:CHUNKS]


def portions(text: str) -> list[str]:
    """Split a text into the portions in which it is streamed."""
    return PIECE.findall(text)
