"""Server-sent events, as the bytes of a stream come in. The SDKs check every event against a model; we read JSON."""

import json
from collections.abc import Iterator
from typing import Any

from apps.llm.dialects import reading
from apps.llm.errors import ProviderError

MAX_EVENT_BYTES = 8 * 1024 * 1024
DONE = b"[DONE]"


class Events:
    """Splits a stream into its events. `is_done` says that the end was announced, `seen` how many events came."""

    def __init__(self) -> None:
        self.is_done = False
        self.seen = 0
        self._line: list[bytes] = []
        self._size = 0
        self._data: list[bytes] = []
        self._name = b""
        self._after_return = False

    def feed(self, part: bytes) -> Iterator[dict[str, Any]]:
        """Give out the events that end in this part. Raises ProviderError (malformed) for one that is no object."""
        part = self._with_newlines(part)
        self._size += len(part)
        if b"\n" in part:
            *lines, rest = b"".join([*self._line, part]).split(b"\n")
            self._line = [rest]
            for line in lines:
                if line:
                    self._take(line)
                elif self._data:
                    yield from self._event()
        else:
            self._line.append(part)
        if self._size > MAX_EVENT_BYTES:
            raise reading.malformed("an event of the stream is too large")

    def end(self) -> Iterator[dict[str, Any]]:
        """Give out an event that nothing follows: some servers leave out the last blank line."""
        try:
            yield from self.feed(b"\n\n")
        except ProviderError:
            return  # cut in the middle of an event, which is no event

    def _with_newlines(self, part: bytes) -> bytes:
        """Return the part with every kind of line end as a newline, also where a pair of them was cut in two."""
        if self._after_return and part.startswith(b"\n"):
            part = part[1:]
        if part:
            self._after_return = part.endswith(b"\r")
        return part.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in part else part

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line.startswith(b"event:"):
            self._name = line[6:].strip()

    def _event(self) -> Iterator[dict[str, Any]]:
        data, name = b"\n".join(self._data), self._name
        self._data, self._name, self._size = [], b"", sum(map(len, self._line))
        if data.strip() == DONE:
            self.is_done = True
        if self.is_done or not data.strip():
            return
        found = _object(data)
        if name == b"error" and not (found and found.get("error")):
            found = {"error": found or {"message": data.decode(errors="replace")}}
        if found is None:
            raise reading.malformed("an event of the stream is not a JSON object")
        self.seen += 1
        yield found


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
