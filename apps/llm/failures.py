"""What an SDK's exception means: which kind of failure, whether trying again can help, and what to tell people."""

import math
import socket
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import anthropic
import httpx2
import openai
from django.utils import timezone

from apps.core import outgoing
from apps.core.errors import DomainError
from apps.core.transport import AnswerTooLarge
from apps.llm.dialects import reading
from apps.llm.errors import ErrorKind, ProviderError

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
LONGEST_DETAIL = 300
# What an error says of itself where no status does: in the middle of a stream, or in an answer that claims success.
NAMED = {
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
    "insufficient_quota": ErrorKind.RATE_LIMITED,
    "billing_hard_limit_reached": ErrorKind.RATE_LIMITED,
    "requests": ErrorKind.RATE_LIMITED,
    "tokens": ErrorKind.RATE_LIMITED,
    "overloaded_error": ErrorKind.OVERLOADED,
    "overloaded": ErrorKind.OVERLOADED,
    "timeout_error": ErrorKind.TIMEOUT,
    "timeout": ErrorKind.TIMEOUT,
    "request_too_large": ErrorKind.BAD_REQUEST,
    "context_length_exceeded": ErrorKind.BAD_REQUEST,
    "invalid_request_error": ErrorKind.BAD_REQUEST,
    "invalid_api_key": ErrorKind.AUTHENTICATION,
    "authentication_error": ErrorKind.AUTHENTICATION,
    "permission_error": ErrorKind.PERMISSION,
    "billing_error": ErrorKind.PERMISSION,
    "model_not_found": ErrorKind.NOT_FOUND,
    "not_found_error": ErrorKind.NOT_FOUND,
}
# Asking again will not fill an empty account.
HOPELESS_CODES = {"insufficient_quota", "billing_hard_limit_reached"}


def of(error: Exception, name: str, key: str = "") -> ProviderError:
    """Return the failure behind an exception of an SDK or of the transport, for the connection of that name.

    What the provider says of it is told without the key: it may repeat it, and messages are shown and stored.
    """
    if isinstance(error, STATUS_ERRORS):
        return _answered(error.response, error.body, name, key)
    causes = list(_chain(error))
    if large := next((cause for cause in causes if isinstance(cause, AnswerTooLarge)), None):
        return ProviderError(ErrorKind.MALFORMED, f"{name}: {large}", permanent=True)
    if any(isinstance(cause, outgoing.NotFound | socket.gaierror) for cause in causes):
        return _unsent(
            ProviderError(ErrorKind.CONNECTION, f"{name} cannot be found: no name server knows its address.")
        )
    if refused := next((cause for cause in causes if isinstance(cause, DomainError)), None):
        return _unsent(ProviderError(ErrorKind.CONNECTION, refused.message, permanent=True))
    return _unanswered(causes, name)


def told(given: object, name: str, headers: httpx2.Headers, key: str = "") -> ProviderError:
    """Return the failure that a provider tells of after it began to answer with success: never known to be free."""
    said = {"message": given} if isinstance(given, str) else reading.mapping(given)
    words = [word for word in (said.get("code"), said.get("type")) if isinstance(word, str)]
    statuses = [word for word in (said.get("code"), said.get("status")) if isinstance(word, int) and word >= 400]
    known = [NAMED[word] for word in words if word in NAMED] + [_kind(status) for status in statuses]
    kind = known[0] if known else ErrorKind.SERVER_ERROR
    detail = _detail(said, key)
    sentence = WORDS[kind].format(name=name)
    error = ProviderError(
        kind,
        f"{sentence}: {detail}" if detail else f"{sentence}.",
        permanent=True if HOPELESS_CODES & set(words) else None,
        retry_after=retry_after(headers),
        http_status=200,
    )
    error.detail = detail
    error.request_id = request_id(headers, key)
    return error


def cut(name: str) -> ProviderError:
    """Return the failure of a stream that ended before the answer was whole."""
    return ProviderError(ErrorKind.CONNECTION, f"{name} ended the stream before the answer was complete.")


def stopped(name: str) -> ProviderError:
    """Return the failure of a stream whose reader was stopped in the middle of it."""
    return ProviderError(ErrorKind.INTERRUPTED, f"The answer of {name} was not read to its end.")


def request_id(headers: httpx2.Headers, key: str = "") -> str:
    """Return the provider's name for the request."""
    return without(key, reading.text(headers.get("x-request-id") or headers.get("request-id")))[:120]


def without(key: str, text: str) -> str:
    """Return the text without the key. Cut it afterwards: nobody would know the rest of a key that was cut."""
    return text.replace(key, "•••") if key else text


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


def _answered(response: httpx2.Response, body: object, name: str, key: str) -> ProviderError:
    status = response.status_code
    said = _said(body)
    detail = _detail(said, key)
    error = ProviderError(
        _kind(status),
        _sentence(status, detail, name),
        permanent=_is_hopeless(status, response.headers, said),
        retry_after=retry_after(response.headers),
        http_status=status,
    )
    error.detail = detail
    error.request_id = request_id(response.headers, key)
    return error


def _kind(status: int) -> ErrorKind:
    if status in KINDS:
        return KINDS[status]
    return ErrorKind.SERVER_ERROR if status >= 500 else ErrorKind.BAD_REQUEST


def _said(body: object) -> dict[str, Any]:
    """Return the error object: the SDKs hand over OpenAI's without its envelope, Anthropic's with it."""
    envelope = reading.mapping(body)
    return reading.mapping(envelope.get("error")) or envelope


def _detail(said: dict[str, Any], key: str) -> str:
    return without(key, reading.text(said.get("message"))).strip()[:LONGEST_DETAIL]


def _sentence(status: int, detail: str, name: str) -> str:
    if 300 <= status < 400:
        return f"{name} sends us to another address ({status}). Enter the address it moved to."
    words = WORDS[_kind(status)].format(name=name)
    return f"{words} ({status}): {detail}" if detail else f"{words} ({status})."


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
