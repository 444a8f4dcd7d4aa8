"""The queue in a folder, as Kombu keeps it, but for one thing: a message is there when it is whole."""

import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        """Write under another name and rename: who lists the folder in between would take half a message and fail."""
        whole = Path(self.data_folder_out) / f"{time.monotonic() * 1000:.0f}_{uuid.uuid4()}.{queue}.msg"
        part = whole.with_name(f"{whole.name}.part")
        try:
            part.write_text(dumps(payload))  # type: ignore[no-untyped-call]
            os.replace(part, whole)
        except OSError as error:
            raise ChannelError(f"Cannot add {whole.name} to the queue's folder.") from error


class Transport(filesystem.Transport):
    Channel = Channel
