"""The life of one paid call: read, counted, perhaps failed on demand, answered, billed."""

import json
import time
from collections.abc import Mapping
from typing import Any

from . import anthropic_wire, embedding, faults, openai_wire, sending
from .answering import Answer, answer
from .asking import Ask, BadAskError, call_key, inputs_of, read_anthropic, read_openai, split_model
from .exchange import Exchange
from .faults import Fault
from .provider import Provider
from .reply import Reply, Wire

MISSING = "no-such-model"
REVOKED = "sk-revoked"


class RefusedError(Exception):
    """The call is refused with a status; the message goes to the caller."""

    def __init__(self, status: int, message: str, param: str | None = None, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.fault = status, param, fault


async def generate(provider: Provider, exchange: Exchange, kind: str) -> None:
    """Answer a chat completion, a message or an embedding, or refuse it."""
    wire = wire_of(kind)
    provider.stats.enter()
    try:
        body = read_body(await exchange.body())
        check_access(provider, exchange, body)
        if kind == "embeddings":
            await _embed(provider, exchange, body)
        else:
            await _talk(provider, exchange, body, wire)
    except RefusedError as refusal:
        headers = [refusal.fault.retry_after] if refusal.fault and refusal.fault.retry_after else []
        if refusal.fault is None:
            provider.stats.refused += 1
        await exchange.answer(refusal.status, wire.error(refusal.status, str(refusal), refusal.param), headers)
    finally:
        provider.stats.leave()


def wire_of(kind: str) -> Wire:
    """Return the wire format of a kind of call."""
    return anthropic_wire if kind in {"messages", "count_tokens"} else openai_wire


def read_body(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; raise RefusedError."""
    try:
        body = json.loads(raw)
    except ValueError:
        raise RefusedError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "The body of your request must be a JSON object.")
    return body


def check_access(provider: Provider, exchange: Exchange, body: Mapping[str, Any]) -> None:
    """Raise RefusedError for a missing, revoked or unaccepted key and for a model that does not exist."""
    if not exchange.api_key:
        raise RefusedError(401, "You didn't provide an API key.")
    if exchange.api_key.startswith(REVOKED):
        raise RefusedError(401, f"Incorrect API key provided: {REVOKED}…")
    if not provider.settings.accepts(exchange.api_key):
        raise RefusedError(401, faults.MESSAGES[401])
    model = split_model(str(body.get("model")))[0]
    if model == MISSING:
        raise RefusedError(404, f"The model `{model}` does not exist or you do not have access to it.", "model")


def read_ask(kind: str, body: Mapping[str, Any], header_key: str = "") -> Ask:
    """Return the question in a body; raise RefusedError."""
    try:
        if kind == "openai":
            return read_openai(body, header_key)
        return read_anthropic(body, header_key, counting=kind == "count_tokens")
    except BadAskError as error:
        raise RefusedError(400, str(error), error.param) from None
    except (AttributeError, TypeError, KeyError):
        raise RefusedError(400, "A field of your request has the wrong type.") from None


async def _talk(provider: Provider, exchange: Exchange, body: Mapping[str, Any], wire: Wire) -> None:
    kind = "openai" if wire is openai_wire else "messages"
    ask = read_ask(kind, body, exchange.header(b"x-bench-key"))
    fault = await _admit(provider, exchange, ask.key, ask.fault)
    answers = _answers(ask)
    cached, known = provider.cache.look(ask.model, ask.cache_prefix) if ask.cache_prefix else (0, False)
    reply = Reply(
        ask=ask,
        answers=answers,
        ident=exchange.request_id[4:],
        created=int(time.time()),
        cached=cached if known else 0,
        newly_cached=0 if known or kind == "openai" else cached,
        fault=fault.kind if fault else "",
    )
    await exchange.wait(provider.delay(ask.key))
    if ask.stream:
        provider.stats.streams += 1
        finished = await sending.stream(provider.settings, exchange, wire, reply)
    else:
        await exchange.wait(provider.settings.token_ms * reply.completion_tokens / 1000)
        finished = await sending.whole(provider.settings, exchange, wire, wire.whole(reply), reply.fault)
    if finished:
        provider.stats.complete(ask.key, ask.prompt_tokens, reply.completion_tokens)


def _answers(ask: Ask) -> tuple[Answer, ...]:
    try:
        return tuple(answer(ask, copy) for copy in range(ask.copies))
    except (AttributeError, TypeError, KeyError, ValueError):
        if ask.schema is None and not ask.tools:
            raise
        raise RefusedError(400, "Invalid schema in your request.") from None


async def _embed(provider: Provider, exchange: Exchange, body: Mapping[str, Any]) -> None:
    try:
        inputs = inputs_of(body)
        data, billed = embedding.whole(body, inputs, provider.settings.dimensions)
    except BadAskError as error:
        raise RefusedError(400, str(error), error.param) from None
    key = call_key(body, exchange.header(b"x-bench-key"), inputs[0])
    fault = await _admit(provider, exchange, key, split_model(str(body.get("model")))[1])
    await exchange.wait(provider.delay(key))
    if await sending.whole(provider.settings, exchange, openai_wire, data, fault.kind if fault else ""):
        provider.stats.complete(key, billed, 0)


async def _admit(provider: Provider, exchange: Exchange, key: str, wish: str) -> Fault | None:
    """Count the attempt and let the demanded faults happen that come before an answer; raise RefusedError."""
    stats, settings = provider.stats, provider.settings
    stats.generation_calls += 1
    stats.api_keys[exchange.api_key[-24:]] += 1
    attempt = stats.attempt(key) if settings.keep_keys else 1
    try:
        fault = faults.choose(settings, exchange.header(b"x-practice-fault") or wish, stats.generation_calls, attempt)
    except faults.UnknownFaultError as error:
        raise RefusedError(400, str(error)) from None
    if fault is None and 0 < settings.concurrency < stats.in_flight:
        fault = faults.rate_limited(settings)
    if fault is None:
        return None
    stats.faults[fault.kind] += 1
    if fault.kind == "hang":
        await exchange.wait(settings.hang_s)
        raise RefusedError(504, faults.MESSAGES[504], fault=fault)
    if fault.status:
        raise RefusedError(fault.status, faults.MESSAGES[fault.status], fault=fault)
    return fault
