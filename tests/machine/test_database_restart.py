"""PostgreSQL goes away under a running desk and comes back: nobody else has to be started again."""

import os
import signal
from collections.abc import Callable

import pytest

from llmops_site.running import processes
from tests.machine.machinery import CASES, Floor, family_of, stop_in_order, wait_for

pytestmark = pytest.mark.slow


def kill(server: processes.Identity) -> None:
    os.kill(server.pid, signal.SIGKILL)


def pages_answer(floor: Floor) -> bool:
    return floor.paula.get(floor.path("prompts/")).status_code == 200 and floor.ask_api().status_code == 200


def open_all_connections(floor: Floor) -> None:
    """Ask often enough that the pool's connections have all been used."""
    for _ in range(10):
        assert pages_answer(floor)


@pytest.mark.parametrize("end", [stop_in_order, kill], ids=["stopped", "killed"])
def test_pages_and_api_answer_again_from_the_same_web_process(
    floor: Floor, end: Callable[[processes.Identity], None]
) -> None:
    open_all_connections(floor)
    server, web = floor.part("bin/postgres"), floor.part("granian")
    serving = family_of(web.pid)
    end(server)
    assert wait_for(lambda: floor.part("bin/postgres") != server)
    assert wait_for(lambda: pages_answer(floor)), floor.said("web")
    # Every thread and every connection of the pool, not the lucky first one.
    assert all(pages_answer(floor) for _ in range(20)), floor.said("web")
    assert floor.part("granian") == web
    assert family_of(web.pid) == serving


def test_a_run_under_way_goes_on_in_the_same_worker(floor: Floor) -> None:
    floor.practice("/__config", latency_ms=600)
    server, worker = floor.part("bin/postgres"), floor.part("celery -A llmops_site worker")
    run = floor.start_run()
    assert wait_for(lambda: floor.answered(run) > 0)
    stop_in_order(server)
    assert wait_for(lambda: floor.part("bin/postgres") != server)
    assert floor.finishes(run, 60), floor.said("worker")
    assert (floor.state_of(run), floor.answered(run)) == ("done", CASES)
    assert floor.part("celery -A llmops_site worker") == worker
    floor.practice("/__config", latency_ms=5)


def test_a_run_started_afterwards_is_finished_as_well(floor: Floor) -> None:
    assert floor.finishes(floor.start_run())


def test_the_doctor_finds_everything_well_again(floor: Floor) -> None:
    found = floor.doctor()
    names = ("database", "broker", "workers", "cache", "schedule")
    assert {name: found[name]["level"] for name in names} == dict.fromkeys(names, "ok")
    assert found["workers"]["sentence"] == "1 worker answers."
