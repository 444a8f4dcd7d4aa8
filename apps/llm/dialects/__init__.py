"""One module per wire format: `body(request)` to send, and `read(answer)` of what came back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.llm.completion import Answer, CompletionRequest
from apps.llm.dialects import anthropic, openai
from apps.llm.models import Connection

Json = dict[str, Any]


@dataclass(frozen=True)
class Dialect:
    """How to ask in a wire format, how to read the answer, and where it is when nothing else is said."""

    body: Callable[[CompletionRequest], Json]
    read: Callable[[Json], Answer]
    base_url: str


_OPENAI = Dialect(openai.body, openai.read, "https://api.openai.com/v1")
_ANTHROPIC = Dialect(anthropic.body, anthropic.read, "https://api.anthropic.com")
DIALECTS: dict[str, Dialect] = {
    Connection.Kind.OPENAI: _OPENAI,
    Connection.Kind.COMPATIBLE: _OPENAI,
    Connection.Kind.ANTHROPIC: _ANTHROPIC,
}
