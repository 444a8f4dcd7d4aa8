"""The ASGI application: routes to answers, counts and controls."""

import contextlib
import json
from collections.abc import Awaitable, Callable

from . import anthropic_wire, openai_wire
from .exchange import Exchange, GoneError, Message, Receive, Send, TooLargeError
from .generating import MISSING, RefusedError, check_access, generate, read_ask, read_body, wire_of
from .provider import MODELS, Provider
from .settings import Settings

GENERATIONS = {"/chat/completions": "chat", "/messages": "messages", "/embeddings": "embeddings"}
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def build(settings: Settings | None = None) -> Application:
    """Return the application with a state of its own."""
    provider = Provider(settings)

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, provider.next_id())
        try:
            await _route(provider, exchange)
        except GoneError:
            provider.stats.gone += 1
        except TooLargeError as error:
            await exchange.answer(413, openai_wire.error(413, str(error)))
        finally:
            exchange.close()

    return application


async def _route(provider: Provider, exchange: Exchange) -> None:
    if exchange.path.startswith("/__"):
        await _control(provider, exchange)
        return
    path = exchange.path.removeprefix("/v1").rstrip("/")
    kind = GENERATIONS.get(path, "")
    if kind and exchange.method == "POST":
        provider.stats.calls[kind] += 1
        await generate(provider, exchange, kind)
    elif path == "/messages/count_tokens" and exchange.method == "POST":
        provider.stats.calls["count_tokens"] += 1
        await _count_tokens(provider, exchange)
    elif path == "/models" or path.startswith("/models/"):
        provider.stats.calls["models"] += 1
        await _models(provider, exchange, path.removeprefix("/models").lstrip("/"))
    else:
        await _unknown(exchange)


async def _unknown(exchange: Exchange) -> None:
    refused = openai_wire.error(404, f"Invalid URL ({exchange.method} {exchange.path})")
    refused["error"]["code"] = None
    await exchange.answer(404, refused)


async def _count_tokens(provider: Provider, exchange: Exchange) -> None:
    wire = wire_of("count_tokens")
    try:
        body = read_body(await exchange.body())
        check_access(provider, exchange, body)
        await exchange.answer(200, {"input_tokens": read_ask("count_tokens", body).prompt_tokens})
    except RefusedError as refusal:
        await exchange.answer(refusal.status, wire.error(refusal.status, str(refusal), refusal.param))


async def _models(provider: Provider, exchange: Exchange, name: str) -> None:
    wire = anthropic_wire if exchange.header(b"anthropic-version") else openai_wire
    try:
        check_access(provider, exchange, {"model": name})
    except RefusedError as refusal:
        await exchange.answer(refusal.status, wire.error(refusal.status, str(refusal), refusal.param))
        return
    await exchange.answer(200, wire.model(name) if name and name != MISSING else wire.models(MODELS))


async def _control(provider: Provider, exchange: Exchange) -> None:
    """Answer the control routes: hello, stats, reset and config."""
    command = (exchange.method, exchange.path.removeprefix("/__"))
    if command == ("GET", "hello"):
        await exchange.answer(200, {"ok": True})
    elif command == ("GET", "stats"):
        shown = provider.stats.describe(with_keys=b"keys=1" in exchange.query)
        await exchange.answer(200, {**shown, "config": provider.settings.describe()})
    elif command == ("POST", "reset"):
        with contextlib.suppress(ValueError):
            await exchange.body()
        provider.reset()
        await exchange.answer(200, provider.settings.describe())
    elif command in {("POST", "config"), ("GET", "config")}:
        await _configure(provider, exchange)
    else:
        await _unknown(exchange)


async def _configure(provider: Provider, exchange: Exchange) -> None:
    try:
        wanted = json.loads(await exchange.body() or b"{}")
        if not isinstance(wanted, dict):
            raise ValueError("settings must be a JSON object")
        provider.settings.change(wanted)
    except ValueError as error:
        await exchange.answer(400, openai_wire.error(400, str(error)))
        return
    await exchange.answer(200, provider.settings.describe())
