"""What a dossier keeps of the ways round: failures let pass, money let go, an emergency."""

from typing import Any

from apps.prompts.models import ChangeRequest, FollowUp
from apps.prompts.policy import Standing


def of(request: ChangeRequest, standing: Standing) -> dict[str, Any]:
    """Collect accepted failures, spend approvals and the emergency, if it was one (JSON values only).

    `counted` says which of them it was let in by; the others were about another difference, or about an older report.
    """
    counted = {one.accepted.pk for one in standing.checks if one.accepted}
    money = {one.spend_approval.pk for one in standing.checks if one.spend_approval}
    return {
        "accepted_failures": [
            {
                "check": one.check_name,
                "summary": one.summary,
                "accepted_by": str(one.accepted_by),
                "reason": one.reason,
                "content_hash": one.content_hash,
                "counted": one.pk in counted,
                "at": one.at.isoformat(),
            }
            for one in request.accepted_failures.select_related("accepted_by").order_by("id")
        ],
        "spend_approvals": [
            {
                "decision": one.decision,
                "increase": f"{one.increase:f}",
                "currency": one.currency,
                "decided_by": str(one.decided_by),
                "reason": one.reason,
                "content_hash": one.content_hash,
                "counted": one.pk in money,
                "at": one.at.isoformat(),
            }
            for one in request.spend_approvals.select_related("decided_by").order_by("id")
        ],
        "emergency": _emergency(FollowUp.objects.loaded().filter(change_request=request).first()),
    }


def _emergency(follow_up: FollowUp | None) -> dict[str, Any] | None:
    if follow_up is None:
        return None
    return {
        "by": str(follow_up.opened_by),
        "reason": follow_up.reason,
        "skipped": follow_up.skipped,
        "look_back_until": follow_up.due_at.isoformat(),
    }
