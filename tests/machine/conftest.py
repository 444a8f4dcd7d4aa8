"""One desk per module, with a workspace on it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.desk import running_desk
from tests.machine.machinery import Floor, RedisServer, has_redis


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    """A desk as `make up` starts it: the queue in a folder, the cache in the database."""
    with running_desk() as desk:
        yield Floor(desk, desk.stage())


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    if not has_redis():
        pytest.skip("redis-server is not on the PATH (.ci/run installs it)")
    with tempfile.TemporaryDirectory(prefix="galley-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="module")
def redis_floor(redis_server: RedisServer) -> Iterator[Floor]:
    """A desk whose queue and cache are in Redis."""
    with running_desk(CELERY_BROKER_URL=f"{redis_server.url}/0", CACHE_URL=f"{redis_server.url}/1") as desk:
        yield Floor(desk, desk.stage())
