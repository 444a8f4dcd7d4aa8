"""The queue in a folder, as Kombu keeps it, but for one thing: a file is there when it is whole.

Kombu writes in place, and who reads in between takes half a message, or an empty list of queues, and fails.
"""

import contextlib
import fcntl
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps

_BINDING = threading.Lock()


class Channel(filesystem.Channel):
    def queue_bind(self, *arguments: Any, **options: Any) -> None:
        # Kombu notes in memory that a queue is bound before the folder knows: what another thread sends then is lost.
        with _BINDING:
            super().queue_bind(*arguments, **options)  # type: ignore[no-untyped-call]
            self._bind_again(*arguments, **options)

    def _bind_again(
        self, queue: str, exchange: str | None = None, routing_key: str = "", arguments: Any = None, **_: Any
    ) -> None:
        """Write it down although Kombu remembers it: the folder may have been cleared, or be another one."""
        named = exchange or "amq.direct"
        kind = self.typeof(named)  # type: ignore[no-untyped-call]
        self._queue_bind(named, *kind.prepare_bind(queue, named, routing_key, arguments))

    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        _write(Path(self.data_folder_out) / f"{time.monotonic() * 1000:.0f}_{uuid.uuid4()}.{queue}.msg", payload)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        wanted = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._alone():
            known = self.get_table(exchange)  # type: ignore[no-untyped-call]
            if wanted not in known:
                _write(self._exchange_file(exchange), [wanted, *known])  # type: ignore[no-untyped-call]

    def _delete(self, *arguments: Any, **options: Any) -> None:
        with self._alone():
            super()._delete(*arguments, **options)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lists of queues: two who bind at once would each write what the other lacks."""
        self.control_folder.mkdir(parents=True, exist_ok=True)
        with (self.control_folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel


def _write(path: Path, content: object) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_text(dumps(content))  # type: ignore[no-untyped-call]
        os.replace(part, path)
    except OSError as error:
        raise ChannelError(f"Cannot write {path.name} into the queue's folder.") from error
