"""May this go live? What an environment asks for, held against what a change request has."""

from collections.abc import Collection
from dataclasses import dataclass, field

from apps.accounts.models import Membership, Workspace
from apps.accounts.rights import Right
from apps.core import canonical
from apps.prompts.models import Approval, ChangeRequest, ChangeRequestItem, Check, Deployment

SPOKEN = {"tests": "Tests", "people": "People"}


@dataclass(frozen=True)
class CheckStanding:
    """A required or reported check: `check` is None when nobody has reported it."""

    name: str
    required: bool
    check: Check | None
    problem: str = ""


@dataclass(frozen=True)
class Standing:
    """Where a change request stands: what blocks it, in sentences, and the evidence behind."""

    content_hash: str
    checks: list[CheckStanding]
    approvals: list[Approval]
    approvals_needed: int
    conflicts: list[str]
    objections: list[Approval]
    blockers: list[str] = field(default_factory=list)

    @property
    def may_apply(self) -> bool:
        return not self.blockers

    @property
    def evidence_is_in(self) -> bool:
        """Tell whether only people are missing, not checks."""
        return not any(check.problem for check in self.checks if check.required) and not self.conflicts


def content_hash(change_request: ChangeRequest) -> str:
    """Return the identity of what is asked for: which content of which prompts, in place of what, to which environment."""
    items = sorted(
        [item.prompt_id, item.version.content_hash, item.base_id or 0] for item in change_request.items.all()
    )
    return canonical.sha256({"environment": change_request.environment_id, "items": items})


def reviewers_of(workspace: Workspace) -> set[int]:
    """Return the ids of all who may review in the workspace today."""
    members = Membership.objects.filter(workspace=workspace, user__is_active=True).with_right(Right.REVIEW)
    return set(members.values_list("user_id", flat=True))


def standing(change_request: ChangeRequest, live: dict[int, Deployment], reviewers: Collection[int]) -> Standing:
    """Judge a request against its environment as both are now.

    `live` maps prompt ids to what is live there; `reviewers` are the ids of all who may review in the workspace today:
    what somebody decided who may not any more, or whom the policy no longer lets decide, does not count.
    Prefetch items__version, approvals__reviewer and checks.
    """
    identity = content_hash(change_request)
    barred = set() if change_request.environment.allows_self_approval else change_request.author_ids
    latest = {approval.reviewer_id: approval for approval in sorted(change_request.approvals.all(), key=lambda a: a.pk)}
    current = [
        approval
        for reviewer, approval in latest.items()
        if approval.content_hash == identity and reviewer in reviewers and reviewer not in barred
    ]
    approvals = [a for a in current if a.decision == Approval.Decision.APPROVE]
    result = Standing(
        content_hash=identity,
        checks=_checks(change_request, identity),
        approvals=approvals,
        approvals_needed=change_request.environment.approvals_needed,
        conflicts=[text for item in change_request.items.all() if (text := _conflict(item, live.get(item.prompt_id)))],
        objections=[a for a in current if a.decision != Approval.Decision.APPROVE],
    )
    result.blockers.extend(_blockers(change_request, result))
    return result


def _checks(change_request: ChangeRequest, identity: str) -> list[CheckStanding]:
    reported = {check.name: check for check in change_request.checks.all()}
    required = change_request.environment.required_checks
    names = [*required, *sorted(reported.keys() - set(required))]
    return [
        CheckStanding(name, name in required, reported.get(name), _problem(name, reported.get(name), identity))
        for name in names
    ]


def _problem(name: str, check: Check | None, identity: str) -> str:
    who = SPOKEN.get(name, f"The check {name}")
    if check is None:
        return f"{who}: not reported yet."
    if check.content_hash != identity:
        return f"{who}: what was found is about an earlier difference. Start it again."
    if check.status == Check.Status.PASSED:
        return ""
    words = {"pending": "still running", "failed": "failed", "errored": "could not finish"}[check.status]
    return f"{who}: {words}. {check.summary}"


def _conflict(item: ChangeRequestItem, live: Deployment | None) -> str:
    if (live.pk if live else None) == item.base_id:
        return ""
    now = f"version {live.version.number}" if live else "nothing"
    return f"{item.prompt.name} moved since this was asked for: {now} is live now. Look at the difference again."


def _blockers(change_request: ChangeRequest, standing: Standing) -> list[str]:
    found = list(standing.conflicts)
    found += [check.problem for check in standing.checks if check.required and check.problem]
    found += [f"{objection.reviewer} asked for changes." for objection in standing.objections]
    missing = standing.approvals_needed - len(standing.approvals)
    if missing > 0:
        found.append(f"{missing} more approval{'s' if missing > 1 else ''} needed.")
    if change_request.is_draft:
        found.append("It is a draft: nobody has been asked yet.")
    elif not change_request.is_waiting:
        found.append(f"It is already {change_request.get_state_display().lower()}.")
    return found
