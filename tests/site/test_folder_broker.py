"""The queue in a folder: who reads while somebody writes gets whole messages, each once."""

import threading
from pathlib import Path
from queue import Empty

from kombu import Connection

import llmops_site.celery  # noqa: F401  it chooses the transport

MESSAGES, WRITERS = 40, 3
LARGE = "x" * 400_000


def options(folder: Path) -> dict[str, str]:
    for name in ("messages", "control"):
        (folder / name).mkdir(exist_ok=True)
    messages = str(folder / "messages")
    return {"data_folder_in": messages, "data_folder_out": messages, "control_folder": str(folder / "control")}


def test_nobody_takes_half_a_message(tmp_path: Path) -> None:
    given = options(tmp_path)

    def write(writer: int) -> None:
        with Connection("filesystem://", transport_options=given) as connection:
            queue = connection.SimpleQueue("celery")
            for number in range(MESSAGES):
                queue.put([writer, number, LARGE])

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in writers:
        thread.start()
    found: list[tuple[int, int]] = []
    with Connection("filesystem://", transport_options=given) as connection:
        queue = connection.SimpleQueue("celery")
        while len(found) < MESSAGES * WRITERS:
            try:
                message = queue.get(timeout=5)
            except Empty:
                break
            writer, number, text = message.payload
            message.ack()
            assert text == LARGE
            found.append((writer, number))
    for thread in writers:
        thread.join()
    assert sorted(found) == [(writer, number) for writer in range(WRITERS) for number in range(MESSAGES)]
    assert list((tmp_path / "messages").iterdir()) == []
