"""A reply ready to be written in either wire format."""

import re
from dataclasses import dataclass
from typing import Any, Protocol

from .answering import Answer
from .asking import Ask

PIECE = re.compile(r".{1,18}(?:\s|$)|.{1,18}", re.S)


@dataclass(frozen=True)
class Reply:
    """The question, its answers, and what is billed."""

    ask: Ask
    answers: tuple[Answer, ...]
    ident: str
    created: int
    cached: int = 0
    newly_cached: int = 0
    usage_fault: str = ""

    @property
    def completion_tokens(self) -> int:
        """Return the tokens of all answers."""
        return sum(answer.tokens for answer in self.answers)


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

    def pieces(self, reply: Reply, *, always_usage: bool = False) -> list[Piece]:
        """Return the stream of an answer."""
        ...


def portions(text: str) -> list[str]:
    """Split a text into the portions in which it is streamed."""
    return PIECE.findall(text)
