"""What people found of each prompt of a change request, put together to the one check it knows."""

from dataclasses import dataclass, field
from typing import Any

from apps.prompts.models import ChangeRequest, Check

# The worst speaks for all; what nobody has judged yet is still to come.
WORST_FIRST = (Check.Status.FAILED, Check.Status.ERRORED, Check.Status.PENDING, Check.Status.PASSED)


@dataclass(frozen=True)
class Part:
    """What people found of one prompt."""

    status: str
    summary: str
    evidence: dict[str, Any] = field(default_factory=dict)
    url: str = ""


def together(request: ChangeRequest, name: str, prompt_id: int, part: Part, content_hash: str) -> Part:
    """Return what the check says of the whole request, now that this was found of one of its prompts.

    With one prompt that is what was found. With several, each counts: a check passes when all of them did.
    """
    names = dict(request.items.order_by("prompt__name").values_list("prompt_id", "prompt__name"))
    if len(names) < 2:
        return part
    known = _known(request, name, content_hash)
    known[str(prompt_id)] = {
        "status": part.status,
        "summary": part.summary,
        "evidence": part.evidence,
        "url": part.url,
    }
    waiting = {"status": Check.Status.PENDING, "summary": "waits for its test run", "evidence": {}, "url": ""}
    parts = {str(pk): known.get(str(pk), waiting) for pk in names}
    worst = min(parts.values(), key=lambda found: WORST_FIRST.index(Check.Status(found["status"])))
    passed = sum(found["status"] == Check.Status.PASSED for found in parts.values())
    words = next(f"{names[int(pk)]}: {found['summary']}" for pk, found in parts.items() if found is worst)
    if passed == len(parts):
        words = "; ".join(f"{names[int(pk)]}: {found['summary']}" for pk, found in parts.items())
    summary = f"{passed} of {len(parts)} prompts. {words}"
    return Part(worst["status"], summary, {"prompts": parts}, worst["url"])


def _known(request: ChangeRequest, name: str, content_hash: str) -> dict[str, dict[str, Any]]:
    """Return what was found of each prompt so far, if it is about what is asked for now."""
    check = request.checks.filter(name=name, content_hash=content_hash).first()
    return dict(check.evidence.get("prompts", {})) if check else {}
