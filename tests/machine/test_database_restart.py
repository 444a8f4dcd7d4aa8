"""PostgreSQL goes away under a running desk and comes back: nobody else has to be started again."""

import os
import signal
from dataclasses import dataclass

import pytest

from llmops_site.running import processes
from tests.machine.machinery import CASES, Floor, family_of, wait_for

pytestmark = pytest.mark.slow


@dataclass
class Before:
    """What ran when the database went away."""

    run: int
    web: processes.Identity
    serving: set[int]
    worker: processes.Identity


@pytest.fixture(scope="module")
def before(floor: Floor) -> Before:
    """Stop the database as `pg_ctl stop -m fast` does, in the middle of a run and with every connection in use."""
    floor.practice("/__config", latency_ms=600)
    run = floor.start_run()
    assert all(pages_answer(floor) for _ in range(10))
    assert wait_for(lambda: floor.answered(run) > 0)
    web = floor.part("llmops_site.wsgi")
    found = Before(run, web, family_of(web.pid), floor.part("celery -A llmops_site worker --concurrency"))
    end_database(floor, signal.SIGINT)
    floor.practice("/__config", latency_ms=5)
    return found


def end_database(floor: Floor, signal_number: int) -> None:
    """End the server and return when another one is there."""
    server = floor.part("bin/postgres")
    os.kill(server.pid, signal_number)
    assert wait_for(lambda: floor.part("bin/postgres") != server)


def pages_answer(floor: Floor) -> bool:
    return floor.paula.get(floor.path("prompts/")).status_code == 200 and floor.ask_api().status_code == 200


def assert_web_went_on(floor: Floor, before: Before) -> None:
    assert wait_for(lambda: pages_answer(floor)), floor.said("web")
    # Whichever thread and connection of the pool answers, not the lucky first one.
    assert all(pages_answer(floor) for _ in range(20)), floor.said("web")
    assert floor.part("llmops_site.wsgi") == before.web
    assert family_of(before.web.pid) == before.serving


def test_pages_and_api_answer_again_from_the_same_web_process(floor: Floor, before: Before) -> None:
    assert_web_went_on(floor, before)


def test_pages_and_api_answer_again_after_the_database_was_killed(floor: Floor, before: Before) -> None:
    end_database(floor, signal.SIGKILL)
    assert_web_went_on(floor, before)


def test_a_run_started_afterwards_is_finished(floor: Floor, before: Before) -> None:
    run = floor.start_run()
    assert floor.finishes(run)
    assert (floor.state_of(run), floor.answered(run)) == ("done", CASES)


def test_the_doctor_finds_everything_well_again(floor: Floor, before: Before) -> None:
    found = floor.doctor()
    names = ("database", "broker", "workers", "cache", "schedule")
    assert {name: found[name]["level"] for name in names} == dict.fromkeys(names, "ok")
    assert found["workers"]["sentence"] == "2 workers answer."


def test_the_run_that_was_under_way_is_finished_by_the_same_worker(floor: Floor, before: Before) -> None:
    assert floor.finishes(before.run, 60), floor.said("worker")
    assert (floor.state_of(before.run), floor.answered(before.run)) == ("done", CASES)
    assert floor.part("celery -A llmops_site worker --concurrency") == before.worker
