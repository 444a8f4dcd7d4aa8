"""What an event of the audit log says was done, in words: the verb, and what came of it."""

from typing import Any

from apps.accounts.models import AuditEvent

# The words of rooms above this one, as their actions write them down.
OUTCOMES = {
    "approve": "approved",
    "request_changes": "asked for changes",
    "reject": "rejected",
    "pending": "running",
    "errored": "could not finish",
}
VERSIONS = {
    "promoted": "version",
    "promoted in an emergency": "version",
    "rolled back": "to version",
    "proposed": "version",
    "moved label": "to version",
    "updated": "to version",
}


def told(event: AuditEvent) -> str:
    """Return the deed as a phrase: "Reviewed: asked for changes", "Promoted version 4"."""
    after = event.after or {}
    deed = " ".join([event.verb, *_named(event.verb, after)])
    outcome = after.get("decision") or (after.get("status") if "check" in after else None)
    if outcome:
        deed = f"{deed}: {OUTCOMES.get(str(outcome), str(outcome).replace('_', ' '))}"
    return deed[:1].upper() + deed[1:]


def _named(verb: str, after: dict[str, Any]) -> list[str]:
    """Return which check was reported, or which version it was about."""
    if "check" in after:
        return [str(after["check"])]
    return [VERSIONS[verb], str(after["version"])] if verb in VERSIONS and "version" in after else []
