"""Answers in Anthropic's messages format."""

import json
from typing import Any

from . import tokens
from .answering import Answer
from .reply import Piece, Reply, portions

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
ENDS = {"end": "end_turn", "stop": "stop_sequence", "length": "max_tokens", "tool": "tool_use"}


def error(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """Return the body of an error; Anthropic names the parameter in the message only."""
    return {"type": "error", "error": {"type": KINDS.get(status, "api_error"), "message": message}}


def usage(reply: Reply) -> dict[str, Any]:
    """Return what is billed: input tokens exclude what was read from or written to the cache."""
    faulty = reply.fault == "wrong_usage"
    return {
        "input_tokens": reply.ask.prompt_tokens - reply.cached - reply.newly_cached,
        "cache_creation_input_tokens": reply.newly_cached,
        "cache_read_input_tokens": reply.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": reply.newly_cached + 17 * faulty,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": 0 if faulty else reply.completion_tokens,
        "service_tier": "standard",
    }


def whole(reply: Reply) -> dict[str, Any]:
    """Return the body of an answer in one piece."""
    answer = reply.answers[0]
    body = _message(reply)
    body |= {
        "content": [_block(reply, answer)],
        "stop_reason": reply.end(ENDS[answer.end]),
        "stop_sequence": answer.stop,
    }
    if reply.fault != "no_usage":
        body["usage"] = usage(reply)
    return body


def pieces(reply: Reply, *, always_usage: bool = False) -> list[Piece]:
    """Return the stream of an answer; it always carries its usage, so the flag changes nothing."""
    answer = reply.answers[0]
    start = _message(reply) | {"content": [], "stop_reason": None, "stop_sequence": None}
    ending: dict[str, Any] = {"delta": {"stop_reason": reply.end(ENDS[answer.end]), "stop_sequence": answer.stop}}
    if reply.fault != "no_usage":
        billed = usage(reply)
        start["usage"] = billed | {"output_tokens": 1}
        ending["usage"] = {"output_tokens": billed["output_tokens"]}
    empty: dict[str, Any] = {"input": {}} if answer.tool else {"text": ""}
    block = {**_block(reply, answer), **empty}
    return [
        _event("message_start", message=start),
        _event("content_block_start", index=0, content_block=block),
        _event("ping"),
        *_deltas(reply, answer),
        _event("content_block_stop", index=0),
        _event("message_delta", **ending),
        _event("message_stop"),
    ]


def error_piece() -> Piece:
    """Return the event of a stream that says that it failed."""
    return _event("error", error=error(529, "Overloaded")["error"])


def models(names: list[str]) -> dict[str, Any]:
    """Return the list of models."""
    return {"data": [model(name) for name in names], "has_more": False, "first_id": names[0], "last_id": names[-1]}


def model(name: str) -> dict[str, Any]:
    """Return one model."""
    shown = name.replace("-", " ").title()
    return {
        "type": "model",
        "id": name,
        "display_name": shown,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "capabilities": None,
        "max_input_tokens": 200_000,
        "max_tokens": 32_000,
    }


def _message(reply: Reply) -> dict[str, Any]:
    return {"id": f"msg_{reply.ident}", "type": "message", "role": "assistant", "model": reply.model}


def _block(reply: Reply, answer: Answer) -> dict[str, Any]:
    if answer.tool:
        return {"type": "tool_use", "id": f"toolu_{reply.ident}", "name": answer.tool, "input": answer.arguments}
    return {"type": "text", "text": answer.text}


def _deltas(reply: Reply, answer: Answer) -> list[Piece]:
    kind, name = ("input_json_delta", "partial_json") if answer.tool else ("text_delta", "text")
    whole_text = reply.arguments(answer) if answer.tool else answer.text
    return [
        _event("content_block_delta", tokens.count(text), index=0, delta={"type": kind, name: text})
        for text in portions(whole_text)
    ]


def _event(kind: str, size: int = 0, **data: Any) -> Piece:
    body = json.dumps({"type": kind, **data}, separators=(",", ":"))
    return Piece(f"event: {kind}\ndata: {body}\n\n".encode(), size)
