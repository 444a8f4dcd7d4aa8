"""The way in that is short: a fetch that was answered before is answered again before Django is asked.

It authenticates as every other route does, on every request, and sends what Django sent, byte for byte, as long as the
workspace's epoch says that nothing moved. Whatever it does not know, it hands on.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from django.utils import timezone

from apps.accounts.api_access import is_due_for_touch
from apps.core.errors import Unavailable
from apps.core.problems import CONTENT_TYPE, body_of
from apps.prompts import running
from apps.prompts.api.answers import FETCHED, tags_in
from apps.prompts.ready import Answer, Answers, DatabaseAway, Doorkeeper

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
ROUTES = ("/api/v1/prompts", "/api/public/v2/prompts/")
# Headers that an answer may depend on, besides who asks.
ASKED_WITH = ("PATH_INFO", "QUERY_STRING", "HTTP_HOST", "HTTP_ACCEPT", "wsgi.url_scheme", "HTTP_X_FORWARDED_PROTO")
# What a question may hold to be kept: anything else could be made up without end.
KNOWN = {"environment", "version", "label", "resolve"}


class Front:
    """A WSGI application in front of another."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._answers = Answers()
        self._doorkeeper = Doorkeeper()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        authorization = environ.get("HTTP_AUTHORIZATION")
        if not authorization or environ["REQUEST_METHOD"] != "GET" or not environ["PATH_INFO"].startswith(ROUTES):
            return self._application(environ, start_response)
        try:
            key, epoch = self._doorkeeper.ask(authorization)
        except DatabaseAway:
            return _away(environ, start_response)
        # Who may not come in, and whose visit is to be written down, goes the long way.
        if key is None or is_due_for_touch(key, timezone.now()):
            return self._application(environ, start_response)
        question = (key.workspace_id, *key.scopes, *map(environ.get, ASKED_WITH))
        answer = self._ready(question, epoch, environ.get("HTTP_IF_NONE_MATCH"))
        if answer is None:
            return self._ask(question, epoch, environ, start_response)
        running.note(key.pk, answer.fetched)
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _ready(self, question: tuple[Any, ...], epoch: int, tags: str | None) -> Answer | None:
        if not tags:
            return self._answers.get((question, 200), epoch)
        have = tags_in(tags)
        same = self._answers.get((question, 304), epoch)
        if same is not None and same.etag in have:
            return same
        whole = self._answers.get((question, 200), epoch)
        return whole if whole is not None and whole.etag not in have else None

    def _ask(
        self, question: tuple[Any, ...], epoch: int, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Let Django answer, and keep what it says if it can be said again."""
        said: list[Any] = []

        def listen(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            said[:] = [status, headers]
            return start_response(status, headers, *rest)

        response = self._application(environ, listen)
        if FETCHED not in environ or not said or not _can_be_kept(environ, said[1]):
            return response
        try:
            body = b"".join(response)
        finally:
            if hasattr(response, "close"):
                response.close()
        status, headers = said
        etag = dict(headers).get("ETag", "")
        answer = Answer(epoch, status, headers, etag, body, environ[FETCHED])
        self._answers.keep((question, int(status[:3])), answer)
        return [body]


def _can_be_kept(environ: Environ, headers: list[tuple[str, str]]) -> bool:
    asked = {name for name, _ in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)}
    return asked <= KNOWN and not any(name == "Set-Cookie" for name, _ in headers)


def _away(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Say that it is us, and that it will pass: who keeps what it fetched goes on with that."""
    refusal = Unavailable()
    body = json.dumps(body_of(refusal.status, refusal.code, refusal.message, message=refusal.message)).encode()
    headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body))), *refusal.headers.items()]
    start_response("503 Service Unavailable", headers)
    return [body]
