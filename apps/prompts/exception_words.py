"""What the page of a request shows of the ways round, and which of them this member may take."""

from typing import Any

from django.utils import timezone

from apps.accounts.models import Membership
from apps.accounts.rights import Right
from apps.prompts import boards
from apps.prompts.models import ChangeRequest, FollowUp


def of(request: ChangeRequest, membership: Membership) -> dict[str, Any]:
    """Collect the failures that can be let pass, those that were, money that was let go, and the emergency."""
    loaded = boards.loaded(ChangeRequest.objects.all()).get(pk=request.pk)
    standing = boards.standing_of(loaded)
    place, user = loaded.environment, membership.user
    follow_up = FollowUp.objects.loaded().filter(change_request=request).first()
    may_promote = membership.may_promote(place.name)
    skippable = [text for text in standing.blockers if text not in standing.conflicts] + standing.holds
    return {
        "standing": standing,
        "accepted": [one for one in standing.checks if one.accepted],
        "money": next((one.spend_approval for one in standing.checks if one.spend_approval), None),
        "failed": [one for one in standing.checks if one.may_be_accepted and one.required],
        "may_accept": loaded.is_waiting and place.may_be_changed_by(membership) and user.pk not in loaded.author_ids,
        "may_bypass": loaded.is_waiting and may_promote and membership.may(Right.BYPASS) and bool(skippable),
        "conflicted": bool(standing.conflicts),
        "skippable": skippable,
        "may_refresh": loaded.is_waiting and membership.may(Right.EDIT, Right.MANAGE_BUDGETS),
        "spend": next((one for one in standing.checks if one.name == "spend"), None),
        "follow_up": follow_up,
        "is_overdue": follow_up is not None and follow_up.is_overdue(timezone.now()),
        "may_look_back": follow_up is not None
        and follow_up.closed_at is None
        and membership.may(Right.REVIEW)
        and follow_up.opened_by_id != user.pk,
        "verdicts": FollowUp.Verdict.choices,
    }
