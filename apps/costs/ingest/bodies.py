"""The body of a request, unpacked within a bound: onto disk where it is long, and never further than we said."""

import json
import tempfile
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any, Protocol

from apps.core.errors import DomainError
from apps.core.text import MEGABYTE

PIECE = 64 * 1024
IN_MEMORY = 4 * MEGABYTE
GZIP = 16 + zlib.MAX_WBITS


class BodyRefused(DomainError):
    """The body cannot be read as it is."""

    status = 400
    code = "body-unreadable"


class BodyTooLarge(BodyRefused):
    """The body is longer than we read, packed or unpacked."""

    status = 413
    code = "body-too-large"


class EncodingUnknown(BodyRefused):
    """The body is packed in a way that we do not unpack."""

    status = 415
    code = "encoding-unknown"


class Readable(Protocol):
    """Anything that gives bytes piece by piece."""

    def read(self, size: int, /) -> bytes: ...


def spooled(body: Readable, encoding: str, *, most: int) -> IO[bytes]:
    """Return the unpacked body as a file to read from its beginning; close it.

    Raises BodyTooLarge beyond `most` bytes, EncodingUnknown for what is neither gzip nor plain, BodyRefused for gzip
    that is broken or ends too early.
    """
    if encoding not in ("", "identity", "gzip"):
        raise EncodingUnknown(f"The content encoding “{encoding[:20]}” is not read here; send gzip or none.")
    pieces = _plain(body, most) if encoding != "gzip" else _unpacked(_plain(body, most))
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the caller closes it
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > most:
                raise BodyTooLarge(f"The body is longer than {most // MEGABYTE} MB unpacked. Send it in parts.")
            file.write(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def as_json(body: Readable, encoding: str, *, most: int) -> Any:
    """Return the JSON of a short body, its fractions as Decimal. Raises BodyRefused and its kin."""
    with spooled(body, encoding, most=most) as file:
        data = file.read()
    try:
        return json.loads(data, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BodyRefused("The body is not JSON.") from None


def _no_number(name: str) -> None:
    raise ValueError(name)


def _plain(body: Readable, most: int) -> Iterator[bytes]:
    size = 0
    while piece := body.read(PIECE):
        size += len(piece)
        if size > most:
            raise BodyTooLarge(f"The body is longer than {most // MEGABYTE} MB. Send it in parts.")
        yield piece


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what gzip holds in pieces of bounded size: a bomb is met one piece at a time. Members may follow."""
    stream, is_begun = zlib.decompressobj(GZIP), False
    try:
        for packed in pieces:
            rest, is_begun = packed, True
            while rest:
                if stream.eof:
                    stream = zlib.decompressobj(GZIP)
                yield stream.decompress(rest, PIECE)
                rest = stream.unused_data if stream.eof else stream.unconsumed_tail
        yield stream.flush() if is_begun and not stream.eof else b""
    except zlib.error:
        raise BodyRefused("The body is not gzip, or is broken.") from None
    if is_begun and not stream.eof:
        raise BodyRefused("The gzip ends too early: a part of the body is missing.")
