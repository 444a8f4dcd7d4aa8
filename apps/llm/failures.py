"""What an SDK's exception means: which kind of failure, whether trying again can help, and what to tell people."""

import math
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import anthropic
import httpx2
import openai
from django.utils import timezone

from apps.core.errors import DomainError
from apps.llm.dialects import reading
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.transport import AnswerTooLarge

STATUS_ERRORS = (openai.APIStatusError, anthropic.APIStatusError)
NEVER_LEFT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
KINDS = {
    400: ErrorKind.BAD_REQUEST,
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.PERMISSION,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    409: ErrorKind.OVERLOADED,
    425: ErrorKind.OVERLOADED,
    429: ErrorKind.RATE_LIMITED,
    503: ErrorKind.OVERLOADED,
    529: ErrorKind.OVERLOADED,
}
WORDS = {
    ErrorKind.RATE_LIMITED: "{name} is getting too many requests from this key",
    ErrorKind.OVERLOADED: "{name} is overloaded",
    ErrorKind.SERVER_ERROR: "{name} failed on its side",
    ErrorKind.TIMEOUT: "{name} did not answer in time",
    ErrorKind.BAD_REQUEST: "{name} did not accept the request",
    ErrorKind.AUTHENTICATION: "{name} does not accept the key",
    ErrorKind.PERMISSION: "{name} does not allow this key to do that",
    ErrorKind.NOT_FOUND: "{name} does not know this model or address",
}
# Asking again will not fill an empty account.
HOPELESS_CODES = {"insufficient_quota", "billing_hard_limit_reached"}


def of(error: Exception, name: str) -> ProviderError:
    """Return the failure behind an exception of an SDK or of the transport, for the connection of that name."""
    if isinstance(error, STATUS_ERRORS):
        return _answered(error.response, error.body, name)
    causes = list(_chain(error))
    if large := next((cause for cause in causes if isinstance(cause, AnswerTooLarge)), None):
        return ProviderError(ErrorKind.MALFORMED, f"{name}: {large}", permanent=True)
    if refused := next((cause for cause in causes if isinstance(cause, DomainError)), None):
        return _unsent(ProviderError(ErrorKind.CONNECTION, refused.message, permanent=True))
    return _unanswered(causes, name)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unanswered(causes: list[BaseException], name: str) -> ProviderError:
    if any(isinstance(cause, NEVER_LEFT) for cause in causes):
        return _unsent(ProviderError(ErrorKind.CONNECTION, f"{name} cannot be reached at its address."))
    if any(isinstance(cause, httpx2.TimeoutException) for cause in causes):
        return ProviderError(ErrorKind.TIMEOUT, WORDS[ErrorKind.TIMEOUT].format(name=name) + ".")
    return ProviderError(ErrorKind.CONNECTION, f"The connection to {name} broke before the answer was complete.")


def _unsent(error: ProviderError) -> ProviderError:
    error.reached = False
    return error


def _answered(response: httpx2.Response, body: object, name: str) -> ProviderError:
    status = response.status_code
    said = _said(body)
    error = ProviderError(
        _kind(status),
        _sentence(status, said.get("message"), name),
        permanent=_is_hopeless(status, response.headers, said),
        retry_after=retry_after(response.headers),
        http_status=status,
    )
    error.request_id = reading.text(response.headers.get("x-request-id") or response.headers.get("request-id"))[:120]
    return error


def _kind(status: int) -> ErrorKind:
    if status in KINDS:
        return KINDS[status]
    return ErrorKind.SERVER_ERROR if status >= 500 else ErrorKind.BAD_REQUEST


def _said(body: object) -> dict[str, Any]:
    """Return the error object: the SDKs hand over OpenAI's without its envelope, Anthropic's with it."""
    envelope = reading.mapping(body)
    return reading.mapping(envelope.get("error")) or envelope


def _sentence(status: int, detail: object, name: str) -> str:
    if 300 <= status < 400:
        return f"{name} sends us to another address ({status}). Enter the address it moved to."
    words = WORDS[_kind(status)].format(name=name)
    told = reading.text(detail).strip()[:300]
    return f"{words} ({status}): {told}" if told else f"{words} ({status})."


def _is_hopeless(status: int, headers: httpx2.Headers, said: dict[str, Any]) -> bool | None:
    """Return whether trying again is pointless, or None to let the kind decide."""
    if said.get("code") in HOPELESS_CODES or said.get("type") in HOPELESS_CODES:
        return True
    advice = headers.get("x-should-retry")
    if advice in {"true", "false"} and status >= 400:
        return advice == "false"
    return None


def retry_after(headers: httpx2.Headers) -> float | None:
    """Return the seconds that the provider asks us to wait: retry-after-ms, else Retry-After as seconds or date."""
    for header, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(header, "")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, (moment - timezone.now()).total_seconds())
    except (TypeError, ValueError):
        return None
