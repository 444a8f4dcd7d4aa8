"""How programs come in with a key, and that every other one gets the same answer."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tests import factories

pytestmark = pytest.mark.urls("tests.accounts.api_urls")


def basic(public_id, secret):
    return "Basic " + base64.b64encode(f"{public_id}:{secret}".encode()).decode()


def get(authorization=None, path="/read/"):
    headers = {"Authorization": authorization} if authorization is not None else {}
    return Client().get(path, headers=headers)


@pytest.fixture
def key_and_secret(workspace):
    return factories.make_api_key(workspace, "prompts:read")


def test_a_secret_as_bearer_comes_in(key_and_secret):
    assert get(f"Bearer {key_and_secret[1]}").json()["workspace"] == "acme"


def test_public_id_and_secret_as_basic_come_in(key_and_secret):
    key, secret = key_and_secret
    assert get(basic(key.public_id, secret)).status_code == 200


def test_the_scheme_may_be_written_in_any_case(key_and_secret):
    assert get(f"bEARER {key_and_secret[1]}").status_code == 200


def expired(key, secret):
    key.expires_at = timezone.now() - timedelta(seconds=1)
    key.save()
    return f"Bearer {secret}"


def revoked(key, secret):
    key.revoked_at = timezone.now()
    key.save()
    return f"Bearer {secret}"


REFUSED = {
    "unknown secret": lambda key, secret: "Bearer sk-gly-unknown",
    "expired": expired,
    "revoked": revoked,
    "wrong public id": lambda key, secret: basic("pk-gly-0000", secret),
    "empty public id": lambda key, secret: basic("", secret),
    "wrong secret": lambda key, secret: basic(key.public_id, "sk-gly-unknown"),
    "public id as bearer": lambda key, secret: f"Bearer {key.public_id}",
    "stored hash as bearer": lambda key, secret: f"Bearer {key.secret_hash}",
    "garbage base64": lambda key, secret: "Basic %%%",
    "base64 of no text": lambda key, secret: "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
    "base64 without colon": lambda key, secret: "Basic " + base64.b64encode(b"abc").decode(),
    "characters beyond ascii": lambda key, secret: "Bearer s\u00e9cret",
    "unknown scheme": lambda key, secret: f"Digest {secret}",
    "scheme alone": lambda key, secret: "Bearer",
    "nothing": lambda key, secret: None,
}


@pytest.mark.parametrize("how", REFUSED)
def test_every_other_key_is_refused(key_and_secret, how):
    answer = get(REFUSED[how](*key_and_secret))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_every_wrong_key_gets_the_same_body(key_and_secret):
    wrong = [make for how, make in REFUSED.items() if how not in {"nothing", "scheme alone"}]
    assert len({get(make(*key_and_secret)).content for make in wrong}) == 1


def test_a_key_without_the_scope_is_forbidden(workspace):
    _, secret = factories.make_api_key(workspace, "spend:read")
    assert get(f"Bearer {secret}").status_code == 403


def test_a_key_for_everything_has_every_scope(workspace):
    _, secret = factories.make_api_key(workspace, "admin")
    assert get(f"Bearer {secret}").status_code == 200


def test_a_view_that_declares_no_scope_lets_nobody_in(workspace):
    _, secret = factories.make_api_key(workspace, "admin")
    assert get(f"Bearer {secret}", "/undeclared/").status_code == 403


def test_a_session_is_no_way_into_the_api(client_of, olga):
    assert client_of(olga).get("/read/").status_code == 401


def test_a_key_sees_its_own_workspace_only(key_and_secret, stranger):
    elsewhere = stranger.memberships.get().workspace
    factories.make_team(elsewhere)
    assert get(f"Bearer {key_and_secret[1]}").json() == {"workspace": "acme", "teams": 0}


def test_the_use_is_remembered_at_most_once_a_minute(key_and_secret, django_assert_num_queries):
    key, secret = key_and_secret
    start = datetime(2026, 3, 1, tzinfo=UTC)
    seen = []
    for seconds in (0, 30, 59, 61):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            get(f"Bearer {secret}")
        key.refresh_from_db()
        seen.append((key.last_used_at - start).seconds)
    assert seen == [0, 0, 0, 61]
