"""OTLP in protobuf, read span by span: the message as a whole is never decoded, however long it is."""

import mmap
from collections.abc import Iterator
from typing import IO

from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from apps.costs.ingest.bodies import IN_MEMORY, BodyRefused
from apps.costs.ingest.spans import Facts, SpanRead, facts_of, span_of

RESOURCE_SPANS, RESOURCE, SCOPE_SPANS, SPANS = 1, 1, 2, 2
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10
Data = bytes | mmap.mmap


class Backlog:
    """A request of spans that was found sound from its first byte to its last."""

    def __init__(self, file: IO[bytes]) -> None:
        """Check the whole of it. Raises BodyRefused when a part is missing or is no protobuf of spans."""
        file.seek(0)
        short = file.read(IN_MEMORY)
        # Of a long one the system brings the pages as they are asked for.
        self.data: Data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.read(1) else short
        self.count = 0
        for _, first, last in _places(self.data):
            _decoded(self.data, first, last)
            self.count += 1

    def spans(self) -> Iterator[SpanRead]:
        """Yield what each span is to the books."""
        for resource, first, last in _places(self.data):
            yield span_of(_decoded(self.data, first, last), resource)


def _decoded(data: Data, first: int, last: int) -> Span:
    try:
        return Span.FromString(data[first:last])
    except DecodeError:
        raise BodyRefused("A span in the body is no protobuf, or is cut off.") from None


def _places(data: Data) -> Iterator[tuple[Facts, int, int]]:
    """Yield where each span stands, and what its resource says."""
    for group, first, last in _fields(data, 0, len(data)):
        if group != RESOURCE_SPANS:
            continue
        parts = list(_fields(data, first, last))
        resource = _resource(data, [(start, end) for number, start, end in parts if number == RESOURCE])
        for number, start, end in parts:
            if number == SCOPE_SPANS:
                for inner, begin, finish in _fields(data, start, end):
                    if inner == SPANS:
                        yield resource, begin, finish


def _resource(data: Data, places: list[tuple[int, int]]) -> Facts:
    try:
        found = Resource.FromString(b"".join(data[first:last] for first, last in places))
    except DecodeError:
        raise BodyRefused("A resource in the body is no protobuf, or is cut off.") from None
    return facts_of(found.attributes)


def _fields(data: Data, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number and place of the fields with a length; others are passed over. Raises BodyRefused at a broken one."""
    while place < end:
        tag, place = _varint(data, place, end)
        kind = tag & 7
        if kind == LENGTH:
            size, place = _varint(data, place, end)
            if place + size > end:
                raise _cut_off()
            yield tag >> 3, place, place + size
            place += size
        else:
            place = _passed(data, kind, place, end)


def _passed(data: Data, kind: int, place: int, end: int) -> int:
    """Return where the field after one of these begins."""
    if kind == VARINT:
        return _varint(data, place, end)[1]
    size = {FIXED64: 8, FIXED32: 4}.get(kind)
    if size is None:
        raise BodyRefused("The body is no protobuf of spans.")
    if place + size > end:
        raise _cut_off()
    return place + size


def _varint(data: Data, place: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while place < end and shift < 7 * LONGEST_VARINT:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise _cut_off()


def _cut_off() -> BodyRefused:
    return BodyRefused("The body ends in the middle of a message, or is no protobuf of spans.")
