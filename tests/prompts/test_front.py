"""The short way in: it says what the long way says, to whom the long way would, and never what was true before."""

import http.client
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.utils import timezone

from apps.accounts import actions as accounts
from apps.accounts.models import ApiKey, User, Workspace
from apps.prompts import actions, running
from apps.prompts.api.front import Front
from apps.prompts.models import Deployment, Environment, Fetch, Prompt, Version
from apps.prompts.ready import Answer, Answers
from apps.prompts.running import Fetched
from tests import factories
from tests.prompts.serving import web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
Environments = dict[str, Environment]


@pytest.fixture(scope="module")
def desks(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[str]]:
    """Two web processes over one database."""
    with django_db_blocker.unblock():
        name = connection.settings_dict["NAME"]
    with web() as one, web() as two:
        assert name
        yield [one, two]


def ask(desk: str, secret: str, path: str = "/api/v1/prompts/support/reply?environment=dev", **headers: str):
    line = http.client.HTTPConnection(urlsplit(desk).netloc, timeout=20)
    line.request("GET", path, headers={"Authorization": f"Bearer {secret}", **headers})
    answer = line.getresponse()
    found = answer.status, answer.headers, answer.read()
    line.close()
    return found


def version_of(desk: str, secret: str, **rest: str) -> int:
    return json.loads(ask(desk, secret, **rest)[2])["version"]


@pytest.fixture
def key(workspace: Workspace) -> tuple[ApiKey, str]:
    """A key that was used a moment ago, so that its next visit is not to be written down."""
    return factories.make_api_key(workspace, "prompts:read", last_used_at=timezone.now())


@pytest.fixture
def live(version: Version, environments: Environments, paula: User) -> Deployment:
    return actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)


def visit(application: Any, path: str, secret: str, **headers: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """Call a WSGI application as a server does."""
    path, _, query = path.partition("?")
    said: list[Any] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {secret}",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        **headers,
    }
    body = b"".join(application(environ, lambda status, headers, *rest: said.extend([status, headers])))
    return said[0], said[1], body


PATHS = [
    "/api/v1/prompts/support/reply?environment=dev",
    "/api/v1/prompts/support/reply?environment=dev&resolve=false",
    "/api/v1/prompts/support/reply?version=1",
    "/api/v1/prompts/support/reply?label=latest",
    "/api/v1/prompts/support/reply?environment=staging",
    "/api/v1/prompts/support/reply?environment=dev&version=1",
    "/api/v1/prompts/support/reply?environment=dev&key=someone",
    "/api/v1/prompts/nowhere",
    "/api/v1/prompts?environment=dev",
    "/api/v1/prompts?environment=moon",
    "/api/public/v2/prompts/support/reply?label=dev",
    "/api/public/v2/prompts/support/reply?version=1&label=dev",
    "/api/public/v2/prompts/support/reply",
]
WITH: list[dict[str, str]] = [
    {},
    {"HTTP_ACCEPT": "text/html"},
    {"HTTP_ACCEPT": "application/json"},
    {"HTTP_HOST": "evil.example"},
    {"HTTP_AUTHORIZATION": "Bearer sk-gly-unknown"},
    {"HTTP_AUTHORIZATION": "Basic !"},
    {"HTTP_AUTHORIZATION": ""},
    {"REQUEST_METHOD": "HEAD"},
    {"REQUEST_METHOD": "DELETE"},
]


@pytest.mark.parametrize("headers", WITH, ids=str)
def test_both_ways_say_the_same_byte_for_byte(headers: dict[str, str], key: Any, live: Deployment) -> None:
    plain = WSGIHandler()
    front = Front(WSGIHandler())
    for path in PATHS:
        long = visit(plain, path, key[1], **headers)
        short = [visit(front, path, key[1], **headers) for _ in range(3)]
        assert short == [long] * 3, path
        tags = {**headers, "HTTP_IF_NONE_MATCH": dict(long[1]).get("ETag", '"x"')}
        same = visit(plain, path, key[1], **tags)
        assert [visit(front, path, key[1], **tags) for _ in range(3)] == [same] * 3, path


def test_an_answer_that_is_ready_does_not_reach_django(key: Any, live: Deployment) -> None:
    reached: list[str] = []
    handler = WSGIHandler()

    def counted(environ: Any, start_response: Any) -> Any:
        reached.append(environ["PATH_INFO"])
        return handler(environ, start_response)

    front = Front(counted)
    for _ in range(5):
        visit(front, PATHS[0], key[1])
    assert len(reached) == 1


def test_a_promotion_is_seen_by_every_process_at_once(
    desks: list[str], key: Any, live: Deployment, better: Version, paula: User
) -> None:
    for _ in range(2):
        assert [version_of(desk, key[1]) for desk in desks] == [1, 1]
    made = actions.deploy(version=better, environment=live.environment, actor=paula, replaces=live)
    assert [version_of(desk, key[1]) for desk in desks] == [2, 2]
    actions.roll_back(
        prompt=live.prompt, environment=live.environment, to=live, replaces=made, actor=paula, reason="Rude."
    )
    assert [version_of(desk, key[1]) for desk in desks] == [1, 1]


def test_a_revoked_key_is_refused_by_every_process_at_once(
    desks: list[str], key: Any, live: Deployment, olga: User
) -> None:
    for _ in range(2):
        assert [ask(desk, key[1])[0] for desk in desks] == [200, 200]
    accounts.revoke_api_key(api_key=key[0], acting_user=olga)
    assert [ask(desk, key[1])[0] for desk in desks] == [401, 401]


def test_a_key_ends_when_its_time_is_up(desks: list[str], key: Any, live: Deployment) -> None:
    assert [ask(desks[0], key[1])[0] for _ in range(3)] == [200] * 3
    ApiKey.objects.filter(pk=key[0].pk).update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert ask(desks[0], key[1])[0] == 401


def test_a_scope_taken_away_is_gone_at_once(desks: list[str], key: Any, live: Deployment) -> None:
    assert [ask(desks[0], key[1])[0] for _ in range(3)] == [200] * 3
    ApiKey.objects.filter(pk=key[0].pk).update(scopes=["prompts:read:staging"])
    assert ask(desks[0], key[1])[0] == 403


def test_each_workspace_is_answered_with_its_own(desks: list[str], key: Any, live: Deployment, paula: User) -> None:
    other = factories.make_workspace("elsewhere")
    ours = factories.make_environments(other)["dev"]
    stranger = factories.make_member(other, "Stranger", factories.Role.ADMIN)
    theirs = factories.make_version(factories.make_prompt(other), stranger, message="theirs")
    theirs = factories.make_version(theirs.prompt, stranger, message="second")
    actions.deploy(version=theirs, environment=ours, actor=stranger, replaces=None)
    _, secret = factories.make_api_key(other, "prompts:read", last_used_at=timezone.now())
    for _ in range(3):
        assert (version_of(desks[0], key[1]), version_of(desks[0], secret)) == (1, 2)


CHANGES: dict[str, Callable[[Version, User], Any]] = {
    "a label moves": lambda better, paula: actions.move_label(version=better, name="stable", actor=paula),
    "a version is saved": lambda better, paula: factories.make_version(better.prompt, paula, message="third"),
    "it is renamed": lambda better, paula: Prompt.objects.update(name="support/other"),
    "it is archived": lambda better, paula: Prompt.objects.update(archived_at=timezone.now()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_programs_can_notice_is_noticed(
    desks: list[str], key: Any, version: Version, better: Version, paula: User, change: Callable[[Version, User], Any]
) -> None:
    actions.move_label(version=version, name="stable", actor=paula)
    paths = [f"/api/v1/prompts/support/reply?label={label}" for label in ("stable", "latest")]
    before = [[ask(desk, key[1], path=path)[2] for path in paths] for desk in desks for _ in range(2)]
    change(better, paula)
    after = [[ask(desk, key[1], path=path)[2] for path in paths] for desk in desks]
    assert after[0] == after[1]
    assert after[0] != before[0]


def test_connections_that_died_are_replaced(desks: list[str], key: Any, live: Deployment) -> None:
    assert [ask(desks[0], key[1])[0] for _ in range(4)] == [200] * 4
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
    assert [ask(desks[0], key[1])[0] for _ in range(4)] == [200] * 4


def test_what_was_fetched_is_written_down_when_the_process_ends(key: Any, live: Deployment) -> None:
    with web() as desk:
        for _ in range(7):
            ask(desk, key[1])
    fetch = Fetch.objects.get()
    assert (fetch.count, fetch.place, fetch.version.number, fetch.deployment) == (7, "dev", 1, live)


def test_without_a_database_programs_are_told_to_keep_what_they_have(key: Any) -> None:
    with web(DATABASE_URL="postgres://nobody@127.0.0.1:9/none", DATABASE_POOL="0") as desk:
        paths = (PATHS[0], PATHS[10])
        found = [ask(desk, key[1], path=path) for path in paths for _ in range(2)]
        line = http.client.HTTPConnection(urlsplit(desk).netloc, timeout=30)
        line.request("POST", f"{PATHS[0].partition('?')[0]}/render", "{}", {"Authorization": f"Bearer {key[1]}"})
        long = line.getresponse()
    assert [(status, headers["Retry-After"]) for status, headers, _ in found] == [(503, "2")] * 4
    assert (long.status, long.headers["Retry-After"]) == (503, "2")


def test_answers_weigh_only_so_much() -> None:
    answers = Answers(most_bytes=50_000)
    for number in range(100):
        answers.keep(number, Answer(1, "200 OK", [], "", b"x" * 8_000, Fetched(())))
    assert [number for number in range(100) if answers.get(number, 1)] == [95, 96, 97, 98, 99]
    assert answers.get(99, 2) is None


def test_counting_never_holds_a_fetch_up(monkeypatch: pytest.MonkeyPatch, key: Any, live: Deployment) -> None:
    running.forget()
    monkeypatch.setattr(running, "MOST", 3)
    for number in range(10):
        running.note(key[0].pk, Fetched(((live.prompt_id, f"place-{number}", live.version.pk, live.pk),)))
    running.flush()
    assert Fetch.objects.count() == 3
