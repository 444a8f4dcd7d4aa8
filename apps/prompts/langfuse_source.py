"""Prompts fetched from a Langfuse server: page by page, within a minute, through the guard for outgoing addresses."""

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import httpx2

from apps.core import outgoing, transport
from apps.core.errors import DomainError
from apps.prompts.importing import Batch, Unreadable, langfuse

PATH = "/api/public/v2/prompts"
SECONDS = 45
PAGE_SIZE = 100
MAX_VERSIONS = 1_000
MOST_LISTED = 100_000  # by a server that means no harm
WAIT_SECONDS = 10


def fetch(url: str, public_key: str, secret_key: str) -> Batch:
    """Return the prompts of a Langfuse project, the newest versions first when time runs out.

    Raises DomainError for an address that is not called, a key that is refused and an answer that is none.
    """
    outgoing.check_url(url)
    token = base64.b64encode(f"{public_key}:{secret_key}".encode()).decode()
    with transport.http_client(may_be_private=outgoing.is_allowed(url)) as client:
        reader = _Reader(client, url.rstrip("/") + PATH, {"Authorization": f"Basic {token}"})
        return reader.read()


class _Reader:
    def __init__(self, client: httpx2.Client, url: str, headers: dict[str, str]) -> None:
        self._client, self._url, self._headers = client, url, headers
        self._until = time.monotonic() + SECONDS

    def read(self) -> Batch:
        wanted = sorted(self._listed(), key=lambda one: one[2])
        rows: list[dict[str, Any]] = []
        for name, number, _ in wanted[:MAX_VERSIONS]:
            if time.monotonic() > self._until:
                break
            found = self._get(f"{self._url}/{quote(name, safe='')}?version={number}&resolve=false")
            if isinstance(found, dict) and "prompt" in found:
                rows.append({**found, "name": name, "version": number})
        batch = langfuse.read(rows)
        if len(rows) < len(wanted):
            batch.problems.append(
                f"{len(wanted) - len(rows)} of {len(wanted)} versions were left out: older ones, or what took too long. "
                "They stay behind, however often it is imported: versions are numbered as they come."
            )
        return batch.check()

    def _listed(self) -> list[tuple[str, int, int]]:
        """Return (name, version, how many newer ones there are) of everything that the server lists."""
        found: list[tuple[str, int, int]] = []
        page, pages = 1, 1
        while page <= pages and time.monotonic() < self._until:
            answer = self._get(f"{self._url}?page={page}&limit={PAGE_SIZE}")
            if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
                raise Unreadable("The server does not answer as Langfuse does.")
            for row in answer["data"][:PAGE_SIZE]:
                found += _versions(row)
            if len(found) > MOST_LISTED:
                break
            meta = answer.get("meta")
            total = meta.get("totalPages") if isinstance(meta, dict) else None
            pages = min(total, 100) if isinstance(total, int) else page
            page += 1
        return found

    def _get(self, url: str) -> Any:
        try:
            answer = self._client.get(url, headers=self._headers, timeout=transport.TimeLimits(WAIT_SECONDS))
        except (httpx2.HTTPError, transport.AnswerTooLarge) as error:
            raise DomainError(f"The server could not be read: {type(error).__name__}. Check the address.") from None
        if answer.status_code in (401, 403):
            raise DomainError("The server refuses these keys.")
        if answer.status_code != 200:
            raise DomainError(f"The server answered {answer.status_code}. Is it a Langfuse of version 3 or later?")
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError):
            raise Unreadable("The server does not answer as Langfuse does.") from None


def _versions(row: Any) -> list[tuple[str, int, int]]:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not isinstance(row.get("versions"), list):
        return []
    numbers = sorted((one for one in row["versions"] if isinstance(one, int)), reverse=True)[:MAX_VERSIONS]
    return [(row["name"], number, age) for age, number in enumerate(numbers)]
