"""Answers in OpenAI's chat completions format."""

import json
from collections.abc import Callable
from typing import Any

from . import tokens
from .answering import Answer
from .reply import Piece, Reply, portions

KINDS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("requests", "rate_limit_exceeded"),
}
ENDS = {"end": "stop", "stop": "stop", "length": "length", "tool": "tool_calls"}
FINGERPRINT = "fp_practice"
MID_STREAM = "The server had an error while processing your request."


def error(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    kind, code = KINDS.get(status, ("server_error", None))
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def usage(reply: Reply) -> dict[str, Any]:
    """Return what is billed; a faulty usage has a total that is not the sum."""
    prompt, completion = reply.ask.prompt_tokens, reply.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + (17 if reply.fault == "wrong_usage" else 0),
        "prompt_tokens_details": {"cached_tokens": reply.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": sum(answer.reasoning_tokens for answer in reply.answers),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def whole(reply: Reply) -> dict[str, Any]:
    """Return the body of an answer in one piece."""
    body = _head(reply, "chat.completion")
    body["choices"] = [_choice(reply, answer, index) for index, answer in enumerate(reply.answers)]
    if reply.fault != "no_usage":
        body["usage"] = usage(reply)
    return body


def pieces(reply: Reply, *, always_usage: bool = False) -> list[Piece]:
    """Return the stream of an answer."""
    with_usage = (always_usage or reply.ask.include_usage) and reply.fault != "no_usage"
    found: list[Piece] = []
    for index, answer in enumerate(reply.answers):
        found += _choice_pieces(reply, answer, index, with_usage=with_usage)
    if with_usage:
        found.append(_event({**_head(reply, "chat.completion.chunk"), "choices": [], "usage": usage(reply)}))
    found.append(Piece(b"data: [DONE]\n\n"))
    return found


def error_piece() -> Piece:
    """Return the event of a stream that says that it failed."""
    return _event(error(500, MID_STREAM))


def models(names: list[str]) -> dict[str, Any]:
    """Return the list of models."""
    return {"object": "list", "data": [model(name) for name in names]}


def model(name: str) -> dict[str, Any]:
    """Return one model."""
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "practice"}


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{reply.ident}",
        "object": kind,
        "created": reply.created,
        "model": reply.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def _choice(reply: Reply, answer: Answer, index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
    if answer.tool:
        message |= {"content": None, "tool_calls": [_tool_call(reply, answer, index)]}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": reply.end(ENDS[answer.end])}


def _tool_call(reply: Reply, answer: Answer, index: int) -> dict[str, Any]:
    called = {"name": answer.tool, "arguments": reply.arguments(answer)}
    return {"id": f"call_{reply.ident}{index}", "type": "function", "function": called}


def _choice_pieces(reply: Reply, answer: Answer, index: int, *, with_usage: bool) -> list[Piece]:
    head = _head(reply, "chat.completion.chunk")
    if with_usage:
        head["usage"] = None

    def chunk(delta: dict[str, Any], finish: str | None = None, size: int = 0) -> Piece:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**head, "choices": [choice]}, size)

    found = [chunk({"role": "assistant", "content": None if answer.tool else "", "refusal": None})]
    if answer.tool:
        found += _tool_pieces(reply, answer, index, chunk)
    else:
        opening = (
            f'data: {json.dumps(head, separators=(",", ":"))[:-1]},"choices":[{{"index":{index},"delta":{{"content":'
        )
        closing = '},"logprobs":null,"finish_reason":null}]}\n\n'
        found += [
            Piece(f"{opening}{json.dumps(text)}{closing}".encode(), tokens.count(text))
            for text in portions(answer.text)
        ]
    found.append(chunk({}, reply.end(ENDS[answer.end])))
    return found


def _tool_pieces(reply: Reply, answer: Answer, index: int, chunk: Callable[..., Piece]) -> list[Piece]:
    call = _tool_call(reply, answer, index)
    arguments = call["function"]["arguments"]
    opening = {**call, "index": 0, "function": {"name": answer.tool, "arguments": ""}}
    rest = [
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}, None, tokens.count(text))
        for text in portions(arguments)
    ]
    return [chunk({"tool_calls": [opening]}), *rest]


def _event(data: dict[str, Any], size: int = 0) -> Piece:
    return Piece(b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n", size)
