"""What a request asks for, read from its address."""

from rest_framework.request import Request

from apps.accounts.api_access import key_of
from apps.accounts.models import ApiKey
from apps.core import text
from apps.core.errors import DomainError, NotAllowed
from apps.prompts import delivery
from apps.prompts.delivery import Asked

WAYS = ("environment", "version", "label")
NO = ("false", "0", "no")


def asked_of(request: Request) -> Asked:
    """Return which version is asked for: production's when nothing is said.

    Raises DomainError for an unclear question and NotAllowed for a place that the key may not fetch from.
    """
    given = {way: request.query_params[way] for way in WAYS if way in request.query_params}
    if len(given) > 1:
        raise DomainError("Name an environment, a version or a label: one of the three.")
    number = text.whole_number(given["version"]) if "version" in given else None
    if "version" in given and number is None:
        raise DomainError("The version must be a whole number.")
    asked = Asked(
        environment=given.get("environment") or (None if given.keys() & {"version", "label"} else _default()),
        version=number,
        label=given.get("label"),
        sticky=request.query_params.get("key", "")[:200],
        resolve=request.query_params.get("resolve", "true").lower() not in NO,
    )
    require_fetch(key_of(request), asked.environment)
    return asked


def _default() -> str:
    return delivery.DEFAULT_ENVIRONMENT


def require_fetch(key: ApiKey, environment: str | None) -> None:
    """Raise NotAllowed unless the key may fetch there; without an environment, anything."""
    if not key.may_fetch(environment):
        what = f"what is live in {environment}" if environment else "by version or label"
        raise NotAllowed(f"This key may not fetch {what}. It may {', '.join(key.scope_words)}.")
