"""What each wire format says: bodies to send, and answers, streams and vectors to read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from apps.llm.completion import Answer, CompletionRequest, Delta, EmbeddingAnswer, EmbeddingRequest
from apps.llm.dialects import anthropic, anthropic_stream, openai, openai_stream
from apps.llm.models import Connection

Json = dict[str, Any]


class Assembler(Protocol):
    """Puts a streamed answer together. `is_complete` says that the provider ended it."""

    is_complete: bool

    @property
    def received(self) -> str:
        """All that the model has written so far, as it is billed: thoughts, text and what it called."""
        ...

    def feed(self, event: Json) -> list[Delta]:
        """Take an event; return what it adds."""
        ...

    def answer(self) -> Answer:
        """Return what has come; its usage is None when the stream was cut or did not tell."""
        ...


@dataclass(frozen=True)
class Dialect:
    """How to ask in a wire format, how to read what comes, and where it is when nothing else is said."""

    body: Callable[[CompletionRequest], Json]
    stream_body: Callable[[CompletionRequest], Json]
    read: Callable[[Json], Answer]
    assembler: Callable[[], Assembler]
    is_last: Callable[[Json], bool]
    base_url: str
    embed_body: Callable[[EmbeddingRequest], Json] | None = None
    read_embeddings: Callable[[Json, int], EmbeddingAnswer] | None = None


_OPENAI = Dialect(
    body=openai.body,
    stream_body=openai.stream_body,
    read=openai.read,
    assembler=openai_stream.Assembler,
    is_last=openai_stream.is_last,
    base_url="https://api.openai.com/v1",
    embed_body=openai.embed_body,
    read_embeddings=openai.read_embeddings,
)
_ANTHROPIC = Dialect(
    body=anthropic.body,
    stream_body=anthropic.stream_body,
    read=anthropic.read,
    assembler=anthropic_stream.Assembler,
    is_last=anthropic_stream.is_last,
    base_url="https://api.anthropic.com",
)
DIALECTS: dict[str, Dialect] = {
    Connection.Kind.OPENAI: _OPENAI,
    Connection.Kind.COMPATIBLE: _OPENAI,
    Connection.Kind.ANTHROPIC: _ANTHROPIC,
}
