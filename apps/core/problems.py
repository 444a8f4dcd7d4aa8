"""Errors of the API as problem details (RFC 9457)."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core.errors import DomainError

CONTENT_TYPE = "application/problem+json"


def problem(status_code: int, title: str, detail: Any = None, **more: Any) -> Response:
    """Build a problem response: `title` names the kind, `detail` says what to do."""
    body = {"type": "about:blank", "title": title, "status": status_code, **more}
    if detail is not None:
        body["detail"] = detail
    return Response(body, status=status_code, content_type=CONTENT_TYPE)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn refusals into problem details; anything else is a bug and stays one."""
    set_rollback()
    if isinstance(error, DomainError):
        return _refusal(error)
    if isinstance(error, Http404):
        return problem(status.HTTP_404_NOT_FOUND, "not-found", "There is nothing here for this key.")
    if isinstance(error, PermissionDenied):
        return problem(status.HTTP_403_FORBIDDEN, "not-allowed", "This key may not do that.")
    if isinstance(error, exceptions.ValidationError):
        return problem(error.status_code, "invalid", "The request is not well formed.", errors=error.detail)
    if isinstance(error, exceptions.APIException):
        response = problem(error.status_code, error.default_code.replace("_", "-"), str(error.detail))
        if header := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = header
        if wait := getattr(error, "wait", None):
            response["Retry-After"] = str(int(wait))
        return response
    return None


def _refusal(error: DomainError) -> Response:
    refused = problem(error.status, error.code, error.message, **error.details)
    for name, value in error.headers.items():
        refused[name] = value
    return refused
