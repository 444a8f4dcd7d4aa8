"""OTLP in JSON, read span by span from its text. Ids are hexadecimal there, whatever protobuf's own JSON does."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any

from apps.costs.ingest.bodies import BodyRefused
from apps.costs.ingest.spans import Facts, SpanRead, facts_of_json, span_of_json

DECODER = json.JSONDecoder(parse_float=Decimal)
WHITESPACE = re.compile(r"[ \t\n\r]*")
RESOURCE, SPANS = "resource", "spans"
NOTHING: Facts = {}


class Reader:
    """Walks the text of a JSON value and decodes only the parts that are asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.space()

    def space(self) -> None:
        found = WHITESPACE.match(self.text, self.place)
        self.place = found.end() if found else self.place

    def peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def take(self, *wanted: str) -> str:
        """Step over one of these characters and what space follows. Raises BodyRefused for another."""
        found = self.peek()
        if not found or found not in wanted:
            raise BodyRefused(f"The body is not JSON of spans (at character {self.place}).")
        self.place += 1
        self.space()
        return found

    def value(self) -> Any:
        """Decode the value that stands here."""
        try:
            value, self.place = DECODER.raw_decode(self.text, self.place)
        except (ValueError, RecursionError):
            raise BodyRefused(f"The body is not JSON (at character {self.place}).") from None
        self.space()
        return value

    def items(self) -> Iterator[None]:
        """Stop at each item of the array that stands here; whoever asks reads it."""
        yield from self._parts("[", "]")

    def fields(self) -> Iterator[str]:
        """Stop at the value of each field of the object that stands here."""
        for _ in self._parts("{", "}"):
            name = self.value()
            self.take(":")
            yield name

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        self.take(opening)
        if self.peek() == closing:
            self.take(closing)
            return
        while True:
            yield
            if self.take(",", closing) == closing:
                return


class Backlog:
    """A request of spans that was found sound from its first character to its last."""

    def __init__(self, file: IO[bytes]) -> None:
        """Check the whole of it. Raises BodyRefused when a part is missing or is no JSON of spans."""
        file.seek(0)
        try:
            self.text = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BodyRefused("The body is not UTF-8.") from None
        self.count = 0
        # What a resource says may stand behind its spans.
        self.resources: dict[int, Facts] = {}
        for group, name, value in _walk(Reader(self.text)):
            if name == RESOURCE:
                self.resources[group] = facts_of_json(value)
            else:
                self.count += 1

    def spans(self) -> Iterator[SpanRead]:
        """Yield what each span is to the books."""
        for group, name, value in _walk(Reader(self.text)):
            if name == SPANS:
                yield span_of_json(value, self.resources.get(group, NOTHING))


def _walk(reader: Reader) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the resources and the spans, each with the place of the group that it stands in."""
    for name in reader.fields():
        if name not in ("resourceSpans", "resource_spans"):
            reader.value()
            continue
        for _ in reader.items():
            group = reader.place
            for inner in reader.fields():
                if inner in ("scopeSpans", "scope_spans"):
                    yield from ((group, SPANS, _mapping(value)) for value in _spans(reader))
                elif inner == RESOURCE:
                    yield group, RESOURCE, _mapping(reader.value())
                else:
                    reader.value()
    if reader.peek():
        raise BodyRefused("Something follows the JSON of the body.")


def _spans(reader: Reader) -> Iterator[Any]:
    for _ in reader.items():
        for name in reader.fields():
            if name != SPANS:
                reader.value()
                continue
            for _ in reader.items():
                yield reader.value()


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BodyRefused("A span or a resource in the body is not an object.")
    return value
