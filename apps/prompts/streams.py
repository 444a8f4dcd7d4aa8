"""Who may read a stream from another origin: the pages of this desk, with the cookie of whoever is signed in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

View = Callable[..., HttpResponseBase]


def from_the_page(view: View) -> View:
    """Let the desk's own pages read the answer, whose origin differs in the port when streams have a process of their own.

    A page of any other origin cannot read it, and cannot ask either: the token and the origin are checked as ever.
    """

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if request.headers.get("Origin") == settings.PUBLIC_URL:
            response["Access-Control-Allow-Origin"] = settings.PUBLIC_URL
            response["Access-Control-Allow-Credentials"] = "true"
        patch_vary_headers(response, ["Origin"])
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        return response

    return answered
