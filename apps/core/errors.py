"""Refusals we expect. Each carries a sentence fit for the person who asked."""

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """Refuse a request for a reason its sender can understand and mend. The API sends `headers` along."""

    status = 422
    code = "refused"
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class NotAllowed(DomainError):
    """The person may see this, but not do that."""

    status = 403
    code = "not-allowed"


class Unavailable(DomainError):
    """Something that we stand on is away for a moment: ask again, and keep what you have until then."""

    status = 503
    code = "unavailable"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}

    def __init__(self, message: str = "The database does not answer. Try again in a moment.", **details: Any) -> None:
        super().__init__(message, **details)


class Conflict(DomainError):
    """Somebody else changed it first."""

    status = 409
    code = "conflict"
