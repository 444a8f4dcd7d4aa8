"""The call that an id belongs to, whichever of its ids somebody has at hand."""

from uuid import UUID

from apps.llm.models import Call

LONGEST = 120


def call_of(workspace_id: int, text: str) -> Call | None:
    """Return the call with that id, charge id or provider's request id; None when the workspace has none."""
    calls = Call.objects.filter(workspace=workspace_id)
    found = None
    if (number := _uuid(text)) is not None:
        found = calls.filter(pk=number).first() or calls.filter(charge_id=number).first()
    if found is None and text and len(text) <= LONGEST and "\x00" not in text:
        found = calls.filter(provider_request_id=text).newest_first().first()
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
