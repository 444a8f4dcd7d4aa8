"""May this go live? What an environment asks for, held against what a change request has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

from apps.accounts.models import Workspace
from apps.core import canonical
from apps.prompts import evidence, freezes, rules
from apps.prompts.evidence import CheckStanding
from apps.prompts.models import Approval, ChangeRequest, ChangeRequestItem, Deployment, Environment, Version
from apps.prompts.roster import Roster
from apps.prompts.stays import Stays


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
    # What passes by itself or elsewhere: a freeze, the time in the environment before. The door asks for it anew.
    holds: list[str] = field(default_factory=list)

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


@dataclass(frozen=True)
class Grounds:
    """What requests are judged by beside themselves: who may decide what, and what was live in the environments before."""

    roster: Roster
    before: dict[int, Environment | None]
    stays: Stays


def grounds_of(workspace: Workspace, requests: Iterable[ChangeRequest]) -> Grounds:
    """Read what judging these requests, loaded, takes; as few queries as for one."""
    asking = [one for one in requests if one.is_waiting and one.environment.rules.previous_hours is not None]
    return _grounds(
        workspace, [one.environment for one in asking], [i.prompt_id for r in asking for i in r.items.all()]
    )


def _grounds(workspace: Workspace, environments: list[Environment], prompt_ids: Iterable[int]) -> Grounds:
    ranked = list(workspace.environments.ranked()) if environments else []
    before = {
        environment.pk: next((one for one in reversed(ranked) if one.rank < environment.rank), None)
        for environment in environments
    }
    return Grounds(Roster(workspace.pk), before, Stays([one.pk for one in before.values() if one], prompt_ids))


def standing(
    change_request: ChangeRequest,
    live: dict[int, Deployment],
    grounds: Grounds,
    *,
    now: datetime | None = None,
) -> Standing:
    """Judge a request against its environment as both are now.

    `live` maps prompt ids to what is live there. What somebody decided who may not any more, or whom the policy no
    longer lets decide, does not count.
    Prefetch items__version, approvals__reviewer, checks, and the accepted failures and spend approvals with their people.
    """
    now = now or timezone.now()
    identity = content_hash(change_request)
    barred = set() if change_request.environment.allows_self_approval else change_request.author_ids
    latest = {approval.reviewer_id: approval for approval in sorted(change_request.approvals.all(), key=lambda a: a.pk)}
    current = [
        approval
        for reviewer, approval in latest.items()
        if approval.content_hash == identity and reviewer in grounds.roster.reviewers and reviewer not in barred
    ]
    approvals = [a for a in current if a.decision == Approval.Decision.APPROVE]
    result = Standing(
        content_hash=identity,
        checks=_checks(change_request, identity, now, grounds.roster),
        approvals=approvals,
        approvals_needed=change_request.environment.approvals_needed,
        conflicts=[text for item in change_request.items.all() if (text := _conflict(item, live.get(item.prompt_id)))],
        objections=[a for a in current if a.decision != Approval.Decision.APPROVE],
        holds=_holds(change_request, now, grounds) if change_request.is_waiting else [],
    )
    result.blockers.extend(_blockers(change_request, result))
    return result


def _checks(change_request: ChangeRequest, identity: str, now: datetime, roster: Roster) -> list[CheckStanding]:
    """Judge the reports by decisions that still stand: of those who may still decide so, and did not write it."""
    environment = change_request.environment
    authors = change_request.author_ids
    accepted = evidence.still_standing(
        change_request.accepted_failures.all(), "accepted_by", lambda: roster.promoters(environment) - authors
    )
    spend = evidence.still_standing(change_request.spend_approvals.all(), "decided_by", lambda: roster.budget_holders)
    judge = evidence.Judge(environment.rules, identity, now, accepted, spend)
    return evidence.standings({check.name: check for check in change_request.checks.all()}, judge)


def missing(change_request: ChangeRequest, now: datetime) -> list[str]:
    """Return what a request lacks, whatever is live by now: in sentences. The door asks this once more."""
    items = change_request.items.select_related("version", "base")
    bases = {item.prompt_id: item.base for item in items if item.base}
    grounds = grounds_of(change_request.workspace, [change_request])
    return standing(change_request, bases, grounds, now=now).blockers


@dataclass(frozen=True)
class Freeze:
    """A freeze that holds now, and the sentence that says so."""

    end: datetime
    sentence: str


def freeze_of(environment: Environment, now: datetime) -> Freeze | None:
    """Return the freeze that holds in an environment at a moment, in the workspace's own time."""
    asked = environment.rules
    if not asked.weekly and not asked.dated:
        return None
    zone = environment.workspace.zone
    hold = freezes.holding(asked.weekly, asked.dated, now, zone)
    if hold is None:
        return None
    until = date_format(hold.end.astimezone(zone), "l H:i, j F")
    why = hold.reason.rstrip(".")
    return Freeze(hold.end, f"Nothing goes live in {environment.name} until {until}: {why}.")


def not_live_before(
    environment: Environment, versions: Sequence[Version], now: datetime, grounds: Grounds | None = None
) -> list[str]:
    """Say of each version whether the environment before has not had the same text live for long enough."""
    hours = environment.rules.previous_hours
    if hours is None:
        return []
    if grounds is None:
        grounds = _grounds(environment.workspace, [environment], [version.prompt_id for version in versions])
    before = grounds.before[environment.pk]
    if before is None:
        return [f"{environment.name} asks that a text was live in the environment before, and none comes before it."]
    return [
        text for version in versions if (text := _lacks(version, before, hours, grounds.stays.of(version, before, now)))
    ]


def _lacks(version: Version, before: Environment, hours: int, seen: timedelta | None) -> str:
    if seen is not None and seen >= timedelta(hours=hours):
        return ""
    what = f"Version {version.number} of {version.prompt.name}"
    if seen is None:
        return f"{what} has not been live in {before.name} with this text."
    left = timedelta(hours=hours) - seen
    minutes = -(-left // timedelta(minutes=1))
    rest = f"{minutes} more minute{'s' if minutes > 1 else ''}" if minutes < 120 else f"{-(-minutes // 60)} more hours"
    return f"{what} must be live in {before.name} for {rules.hours(hours)}: {rest}."


def _holds(change_request: ChangeRequest, now: datetime, grounds: Grounds) -> list[str]:
    environment = change_request.environment
    freeze = freeze_of(environment, now)
    versions = [item.version for item in change_request.items.all()]
    return [*([freeze.sentence] if freeze else []), *not_live_before(environment, versions, now, grounds)]


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
