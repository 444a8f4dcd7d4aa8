"""The texts of a call as they are stored: in full, as fingerprints, or not at all."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from apps.core import canonical
from apps.core.errors import DomainError
from apps.llm.completion import Answer, CompletionRequest, EmbeddingRequest
from apps.llm.models import BodyPolicy

Kept = BodyPolicy.Kept
# A null character in JSON: not a backslash that is itself escaped, followed by these letters.
NULL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True)
class Stored:
    """One side of a call, ready for its columns: JSON text (empty object or list when it is not kept) and its hash.

    `size` is how many bytes were asked, whatever is kept of them.
    """

    text: str
    json: str
    hash: str
    size: int = 0


def question_of(request: CompletionRequest | EmbeddingRequest) -> dict[str, Any]:
    """Return what was asked, whatever the provider's dialect, for the trace."""
    if isinstance(request, EmbeddingRequest):
        return {"texts": request.texts, "parameters": {"dimensions": request.dimensions} if request.dimensions else {}}
    found: dict[str, Any] = {"messages": request.messages, "parameters": request.parameters}
    if request.tools:
        found["tools"] = request.tools
    if request.output_schema is not None:
        found["output_schema"] = request.output_schema
    return found


def check(value: Mapping[str, Any]) -> str:
    """Return the value as JSON. Raises DomainError for what no database holds: a null, half a character, no number."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        raise DomainError("The text holds half of a character. Remove it and try again.") from None
    except ValueError:
        raise DomainError("A number is not finite. Enter one that is.") from None
    if "\\u0000" in text and NULL.search(text):
        raise DomainError("The text holds a null character. Remove it and try again.")
    return text


def asked(question: Mapping[str, Any], kept: str) -> Stored:
    """Return the question as it is stored. Raises DomainError for text that no database can hold."""
    text = check(question)
    size = len(text) if text.isascii() else len(text.encode())
    if kept == Kept.FULL:
        return Stored("", text, "", size)
    return Stored("", "{}", canonical.sha256(question) if kept == Kept.HASHED else "", size)


def answered(answer: Answer, kept: str) -> Stored:
    """Return the answer as it is stored."""
    calls = [asdict(call) for call in answer.tool_calls]
    if kept == Kept.NONE:
        return Stored("", "[]", "")
    if kept == Kept.HASHED:
        return Stored("", "[]", canonical.sha256([answer.text, calls]))
    return Stored(answer.text, json.dumps(calls, ensure_ascii=False), "")
