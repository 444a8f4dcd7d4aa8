"""Turn an expected refusal into an answer a person can use."""

import json
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from apps.core.errors import DomainError


class DomainErrorMiddleware:
    """Show a DomainError: as a toast to htmx, as a message on the page they came from, or as a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, DomainError):
            return None
        if request.htmx:  # type: ignore[attr-defined]
            return _toast(error)
        if request.method == "POST" and error.status == DomainError.status and (back := _same_site_referer(request)):
            messages.error(request, error.message)
            return redirect(back)
        template = "403.html" if error.status == 403 else "errors/refused.html"
        return render(request, template, {"exception": error.message}, status=error.status)


def _toast(error: DomainError) -> HttpResponse:
    """Answer without content: the page stays as it is and the toast says why."""
    response = HttpResponse(status=error.status)
    response["HX-Reswap"] = "none"
    response["HX-Trigger"] = json.dumps({"galley:toast": {"level": "error", "text": error.message}})
    return response


def _same_site_referer(request: HttpRequest) -> str | None:
    referer = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure())
    return referer if safe and referer else None


def refuse_null_bytes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer 400 to an address with a null byte: nothing here has such a name, and the database cannot ask for it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return HttpResponseBadRequest("The address holds a null byte.", content_type="text/plain")
        return get_response(request)

    return middleware
