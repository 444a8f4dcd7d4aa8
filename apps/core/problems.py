"""Errors of the API as problem details (RFC 9457)."""

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core.errors import DomainError, Unavailable

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"


def problem(status_code: int, title: str, detail: Any = None, **more: Any) -> Response:
    """Build a problem response: `title` names the kind, `detail` says what to do."""
    return Response(body_of(status_code, title, detail, **more), status=status_code, content_type=CONTENT_TYPE)


def body_of(status_code: int, title: str, detail: Any = None, **more: Any) -> dict[str, Any]:
    body = {"type": "about:blank", "title": title, "status": status_code, **more}
    return body if detail is None else {**body, "detail": detail}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn refusals into problem details; anything else is a bug and stays one."""
    if isinstance(error, OperationalError | InterfaceError):
        # Nothing to roll back on a connection that is gone. Programs keep what they have when told that it is us.
        log.error("database away", error=str(error).partition("\n")[0])
        return _refusal(Unavailable())
    set_rollback()
    if isinstance(error, DomainError):
        return _refusal(error)
    if isinstance(error, Http404):
        return problem(status.HTTP_404_NOT_FOUND, "not-found", "There is nothing here for this key.")
    if isinstance(error, PermissionDenied):
        return problem(status.HTTP_403_FORBIDDEN, "not-allowed", "This key may not do that.")
    if isinstance(error, exceptions.ValidationError):
        return problem(error.status_code, "invalid", "The request is not well formed.", errors=error.detail)
    return _framework_refusal(error) if isinstance(error, exceptions.APIException) else None


def _framework_refusal(error: exceptions.APIException) -> Response:
    response = problem(error.status_code, error.default_code.replace("_", "-"), str(error.detail))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait))
    return response


def _refusal(error: DomainError) -> Response:
    refused = problem(error.status, error.code, error.message, **error.details)
    for name, value in error.headers.items():
        refused[name] = value
    return refused
