"""How a fetch is answered: bytes with their tag, or that they have not changed."""

import hashlib
import json
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from apps.accounts.api_access import key_of
from apps.prompts import running, serving
from apps.prompts.api.questions import asked_of
from apps.prompts.running import Fetched

CACHE_CONTROL = "private, no-cache"
# Where an answer says in the request's environment what it held: who sends it again counts it again.
FETCHED = "galley.fetched"


def fetch(request: Request, name: str) -> HttpResponse:
    """Answer what is asked for of the prompt with that name."""
    asked = asked_of(request)
    served = serving.one(key_of(request).workspace_id, name, asked)
    return answer(request, served.body, Fetched((served.line,)))


def answer(request: Request, body: dict[str, Any], fetched: Fetched) -> HttpResponse:
    """Answer 304 to a caller who has it. The body is written here: a renderer would only be negotiated about."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    request.META[FETCHED] = fetched
    running.note(key_of(request).pk, fetched)
    headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
    if etag in tags_in(request.headers.get("If-None-Match", "")):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(content, content_type="application/json", headers=headers)


def tags_in(header: str) -> set[str]:
    """Return the ETags the caller has; a weak mark from a proxy does not matter for a body that never varies."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
