"""The queue in a folder: who reads while somebody writes gets whole messages, each once."""

import threading
from pathlib import Path

from kombu import Connection, Exchange, Queue

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
            message = queue.get(timeout=30)
            writer, number, text = message.payload
            message.ack()
            assert text == LARGE
            found.append((writer, number))
    for thread in writers:
        thread.join()
    assert sorted(found) == [(writer, number) for writer in range(WRITERS) for number in range(MESSAGES)]
    assert list((tmp_path / "messages").iterdir()) == []


def test_a_folder_that_was_cleared_is_filled_again(tmp_path: Path) -> None:
    given = options(tmp_path)
    for _ in range(2):
        with Connection("filesystem://", transport_options=given) as connection:
            queue = connection.SimpleQueue("celery")
            queue.put("whole")
            assert queue.get(timeout=10).payload == "whole"
        for file in (tmp_path / "control").iterdir():
            file.unlink()


def test_queues_that_are_made_at_once_are_all_known(tmp_path: Path) -> None:
    given = options(tmp_path)
    together = threading.Barrier(8)
    refused: list[Exception] = []

    def bind(number: int) -> None:
        try:
            with Connection("filesystem://", transport_options=given) as connection:
                together.wait()
                for round_ in range(10):
                    name = f"q{number}-{round_}"
                    Queue(name, Exchange("shared"), routing_key=name)(connection).declare()
        except Exception as error:  # noqa: BLE001  (whatever it is, the test names it)
            refused.append(error)

    threads = [threading.Thread(target=bind, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    with Connection("filesystem://", transport_options=given) as connection:
        known = {row.queue for row in connection.default_channel.get_table("shared")}
    assert known == {f"q{number}-{round_}" for number in range(8) for round_ in range(10)}
