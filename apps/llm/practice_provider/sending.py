"""Sending an answer, in one piece or as a stream, or failing at it on demand."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from .exchange import Exchange
from .reply import Piece, Reply, Wire, beginning
from .settings import Settings

PORTIONS = 12
BLOCK = 64 * 1024
EVENT_STREAM = b"text/event-stream; charset=utf-8"
NO_CACHE = [(b"cache-control", b"no-cache")]
HALVED = {"malformed", "drop_stream"}
BEGUN = {"cut_stream", "hang_stream", "error_stream"}


async def whole(settings: Settings, exchange: Exchange, wire: Wire, data: dict[str, Any], fault: str) -> bool:
    """Send an answer in one piece, or fail at it; say whether it went out whole."""
    body = json.dumps(data).encode()
    if fault == "reset":
        exchange.cut_off()
    elif fault == "malformed":
        await exchange.answer(200, body[: len(body) // 2])
    elif fault == "error_stream":
        await exchange.answer(200, wire.error(500, "The server had an error while processing your request."))
    elif fault == "huge":
        await _padded(settings, exchange, body)
    elif fault in {"drop_stream", "cut_stream", "hang_stream", "slow"}:
        return await _dripped(settings, exchange, body, fault)
    else:
        await exchange.answer(200, body)
        return True
    return False


async def _padded(settings: Settings, exchange: Exchange, body: bytes) -> None:
    """Send a sound answer with a field so large that nobody should read it."""
    await exchange.start(200, b"application/json")
    await exchange.put(body[:-1] + b',"padding":"')
    await _fill(settings, exchange, b"x" * BLOCK)
    await exchange.put(b'"}', last=True)


async def _fill(settings: Settings, exchange: Exchange, block: bytes) -> None:
    for _ in range(settings.huge_mb * 1024 * 1024 // len(block)):
        await exchange.put(block)
        await exchange.wait(0.0001)


async def _dripped(settings: Settings, exchange: Exchange, body: bytes, fault: str) -> bool:
    await exchange.start(200, b"application/json", length=len(body))
    step = len(body) // PORTIONS + 1
    for at in range(0, len(body) if fault == "slow" else len(body) // 2, step):
        await exchange.put(body[at : at + step])
        await exchange.wait(settings.drip_ms / 1000)
    if fault == "slow":
        await exchange.put(b"", last=True)
    elif fault == "hang_stream":
        await exchange.wait(settings.hang_s)
    return fault == "slow"


async def stream(settings: Settings, exchange: Exchange, wire: Wire, reply: Reply) -> bool:
    """Send an answer piece by piece, or fail at it; say whether it went out whole."""
    if reply.fault == "reset":
        exchange.cut_off()
        return False
    pieces = wire.pieces(reply, always_usage=settings.always_usage)
    if reply.fault in HALVED:
        pieces = pieces[: len(pieces) // 2]
    elif reply.fault in BEGUN:
        pieces = beginning(pieces)
    await exchange.start(200, EVENT_STREAM, NO_CACHE)
    if reply.fault == "huge":
        pieces = await _flood(settings, exchange, pieces)
    await _paced(settings, exchange, pieces, reply.fault)
    if fail := FAILURES.get(reply.fault):
        await fail(settings, exchange, wire)
        return False
    await exchange.put(b"", last=True)
    return True


async def _flood(settings: Settings, exchange: Exchange, pieces: list[Piece]) -> list[Piece]:
    """Send the beginning and then its last piece again and again; return what is left to send."""
    begun = beginning(pieces)
    await exchange.put(b"".join(piece.data for piece in begun))
    await _fill(settings, exchange, begun[-1].data * (BLOCK // len(begun[-1].data) + 1))
    return pieces[len(begun) :]


async def _paced(settings: Settings, exchange: Exchange, pieces: list[Piece], fault: str) -> None:
    pause = settings.token_ms / 1000
    drip = settings.drip_ms / 1000 if fault == "slow" else 0.0
    if not pause and not drip:
        await exchange.put(b"".join(piece.data for piece in pieces))
        return
    for piece in pieces:
        await exchange.wait(pause * piece.tokens + drip)
        await exchange.put(piece.data)


async def _cut(settings: Settings, exchange: Exchange, wire: Wire) -> None:
    """Leave without an end, which the server takes as a reason to hang up."""


async def _hang(settings: Settings, exchange: Exchange, wire: Wire) -> None:
    await exchange.wait(settings.hang_s)


async def _babble(settings: Settings, exchange: Exchange, wire: Wire) -> None:
    await exchange.put(b'data: {"id": \n\n', last=True)


async def _give_up(settings: Settings, exchange: Exchange, wire: Wire) -> None:
    await exchange.put(wire.error_piece().data, last=True)


FAILURES: dict[str, Callable[[Settings, Exchange, Wire], Awaitable[None]]] = {
    "drop_stream": _cut,
    "cut_stream": _cut,
    "hang_stream": _hang,
    "malformed": _babble,
    "error_stream": _give_up,
}
