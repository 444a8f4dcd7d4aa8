"""A desk whose queue and cache are in Redis: what works there, and what its death costs."""

import pytest

from tests.machine.machinery import CASES, Floor, RedisServer, Visitor, wait_for

pytestmark = pytest.mark.slow


def test_a_run_started_on_the_page_is_finished_by_the_worker(redis_floor: Floor, redis_server: RedisServer) -> None:
    before = redis_server.pushes()
    run = redis_floor.start_run()
    assert redis_floor.finishes(run)
    assert (redis_floor.state_of(run), redis_floor.answered(run)) == ("done", CASES)
    assert redis_server.pushes() > before
    assert not (redis_floor.desk.var / "broker" / "messages").exists()


def test_the_doctor_finds_broker_worker_and_cache_well(redis_floor: Floor, redis_server: RedisServer) -> None:
    found = redis_floor.doctor()
    assert found["broker"]["sentence"] == f"The broker at {redis_server.url}/0 answers."
    assert found["workers"]["sentence"] == "2 workers answer."
    assert {found[name]["level"] for name in ("broker", "workers", "cache", "schedule")} == {"ok"}
    assert redis_server.database(1).exists(":1:galley-doctor")


def test_wrong_passwords_are_counted_in_redis_and_slowed_down(redis_floor: Floor, redis_server: RedisServer) -> None:
    someone, fay = Visitor(redis_floor.desk), redis_floor.staged["people"]["fay"]
    texts = [someone.sign_in(fay, f"guess number {n}").text for n in range(10)]
    assert "Too many wrong passwords" in texts[-1]
    assert "Too many wrong passwords" not in texts[0]
    # The right password does not help while the limit holds; forgetting the counts in Redis does.
    assert someone.sign_in(fay, redis_floor.staged["password"]).status_code != 302
    redis_server.database(1).flushdb()
    assert someone.sign_in(fay, redis_floor.staged["password"]).status_code == 302
    assert redis_floor.value("SELECT to_regclass('galley_cache')") is None


def test_redis_killed_in_mid_run_loses_nothing(redis_floor: Floor, redis_server: RedisServer) -> None:
    redis_floor.practice("/__config", latency_ms=600)
    paid = redis_floor.practice("/__stats")["ok"]
    caught = redis_floor.start_run()
    assert wait_for(lambda: redis_floor.answered(caught) > 0)
    redis_server.kill()
    assert redis_floor.state_of(caught) == "running"
    # Nobody hears this bell, and the request that rang it succeeds all the same.
    unheard = redis_floor.start_run()
    assert redis_floor.paula.get(redis_floor.path(f"experiments/runs/{unheard}/")).status_code == 200
    redis_server.start()
    for run in (caught, unheard):
        assert redis_floor.finishes(run, 60), redis_floor.said("worker") + redis_floor.said("schedule")
        assert (redis_floor.state_of(run), redis_floor.answered(run)) == ("done", CASES)
    assert redis_floor.practice("/__stats")["ok"] - paid == 2 * CASES
    redis_floor.practice("/__config", latency_ms=5)


def test_without_redis_the_doctor_names_what_is_missing(redis_floor: Floor, redis_server: RedisServer) -> None:
    redis_server.kill()
    found = {name: entry["level"] for name, entry in redis_floor.doctor(code=1).items()}
    redis_server.start()
    assert [found[name] for name in ("database", "broker", "workers", "cache")] == ["ok", *["problem"] * 3]
