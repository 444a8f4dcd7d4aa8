"""What can go wrong between us and a provider, in words for the person who asked."""

from enum import StrEnum
from uuid import UUID

from apps.core.errors import DomainError


class ErrorKind(StrEnum):
    """Why an attempt failed. `connection`, `timeout` and `interrupted` are ours to tell; the rest the provider said."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    BAD_REQUEST = "bad_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"
    INTERRUPTED = "interrupted"


PERMANENT = frozenset({ErrorKind.BAD_REQUEST, ErrorKind.AUTHENTICATION, ErrorKind.PERMISSION, ErrorKind.NOT_FOUND})


class ProviderError(DomainError):
    """An attempt at a provider failed; `permanent` says that the same request would fail again.

    `reached` tells whether the request may have left us, and so may be billed; `received` is what came of an answer
    that could not be read to its end, `detail` what the provider said in its own words, without the key.
    `call_id` and `attempts` are set by `inference`.
    """

    status = 502
    code = "provider-error"

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        permanent: bool | None = None,
        retry_after: float | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.permanent = kind in PERMANENT if permanent is None else permanent
        self.retry_after = retry_after
        self.http_status = http_status
        self.reached = True
        self.received = ""
        self.detail = ""
        self.request_id = ""
        self.call_id: UUID | None = None
        self.attempts = 0

    @property
    def is_refusal(self) -> bool:
        """Tell whether the provider answered that it would not do it, which is free of charge."""
        return self.http_status is not None and self.http_status >= 400 and not self.received


class NotUsable(DomainError):
    """The model or its connection is archived."""


class NotWanted(DomainError):
    """Whoever asked took the request back before it left."""

    status = 409
    code = "not-wanted"


class Busy(DomainError):
    """Nobody let us through to the model for as long as we were willing to wait."""

    status = 503
    code = "model-busy"
