"""May this go live? What an environment asks for, held against what a change request has."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

from apps.accounts.models import Membership, Workspace
from apps.accounts.rights import Right
from apps.core import canonical
from apps.prompts import evidence, freezes, rules
from apps.prompts.evidence import CheckStanding
from apps.prompts.models import Approval, ChangeRequest, ChangeRequestItem, Deployment, Environment, Version


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


def reviewers_of(workspace: Workspace) -> set[int]:
    """Return the ids of all who may review in the workspace today."""
    members = Membership.objects.filter(workspace=workspace, user__is_active=True).with_right(Right.REVIEW)
    return set(members.values_list("user_id", flat=True))


def budget_holders(workspace: Workspace) -> set[int]:
    """Return the ids of all who may approve what is spent."""
    members = Membership.objects.filter(workspace=workspace, user__is_active=True).with_right(Right.MANAGE_BUDGETS)
    return set(members.values_list("user_id", flat=True))


def promoters_of(environment: Environment) -> set[int]:
    """Return the ids of all who may change what is live in the environment: by their rights and by its policy."""
    members = Membership.objects.filter(workspace=environment.workspace_id, user__is_active=True)
    asked = environment.rules
    return {
        member.user_id
        for member in members.with_right(Right.PROMOTE)
        if member.may_promote(environment.name) and asked.admits(member.user_id, member.team_id)
    }


def standing(
    change_request: ChangeRequest,
    live: dict[int, Deployment],
    reviewers: Collection[int],
    *,
    now: datetime | None = None,
) -> Standing:
    """Judge a request against its environment as both are now.

    `live` maps prompt ids to what is live there; `reviewers` are the ids of all who may review in the workspace today:
    what somebody decided who may not any more, or whom the policy no longer lets decide, does not count.
    Prefetch items__version, approvals__reviewer, checks, and the accepted failures and spend approvals with their people.
    """
    now = now or timezone.now()
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
        checks=_checks(change_request, identity, now),
        approvals=approvals,
        approvals_needed=change_request.environment.approvals_needed,
        conflicts=[text for item in change_request.items.all() if (text := _conflict(item, live.get(item.prompt_id)))],
        objections=[a for a in current if a.decision != Approval.Decision.APPROVE],
        holds=_holds(change_request, now) if change_request.is_waiting else [],
    )
    result.blockers.extend(_blockers(change_request, result))
    return result


def _checks(change_request: ChangeRequest, identity: str, now: datetime) -> list[CheckStanding]:
    """Judge the reports by decisions that still stand: of those who may still decide so, and did not write it."""
    environment = change_request.environment
    authors = change_request.author_ids
    accepted = evidence.still_standing(
        change_request.accepted_failures.all(), "accepted_by", lambda: promoters_of(environment) - authors
    )
    spend = evidence.still_standing(
        change_request.spend_approvals.all(), "decided_by", lambda: budget_holders(change_request.workspace)
    )
    judge = evidence.Judge(environment.rules, identity, now, accepted, spend)
    return evidence.standings({check.name: check for check in change_request.checks.all()}, judge)


def missing(change_request: ChangeRequest, now: datetime) -> list[str]:
    """Return what a request lacks, whatever is live by now: in sentences. The door asks this once more."""
    items = change_request.items.select_related("version", "base")
    bases = {item.prompt_id: item.base for item in items if item.base}
    return standing(change_request, bases, reviewers_of(change_request.workspace), now=now).blockers


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


def not_live_before(environment: Environment, versions: Iterable[Version], now: datetime) -> list[str]:
    """Say of each version whether the environment before has not had the same text live for long enough."""
    hours = environment.rules.previous_hours
    if hours is None:
        return []
    before = environment.workspace.environments.before(environment)
    if before is None:
        return [f"{environment.name} asks that a text was live in the environment before, and none comes before it."]
    return [text for version in versions if (text := _lacks(version, before, hours, now))]


def _lacks(version: Version, before: Environment, hours: int, now: datetime) -> str:
    seen = time_live(version, before, now)
    if seen is not None and seen >= timedelta(hours=hours):
        return ""
    what = f"Version {version.number} of {version.prompt.name}"
    if seen is None:
        return f"{what} has not been live in {before.name} with this text."
    left = timedelta(hours=hours) - seen
    minutes = -(-left // timedelta(minutes=1))
    rest = f"{minutes} more minute{'s' if minutes > 1 else ''}" if minutes < 120 else f"{-(-minutes // 60)} more hours"
    return f"{what} must be live in {before.name} for {rules.hours(hours)}: {rest}."


def time_live(version: Version, environment: Environment, now: datetime) -> timedelta | None:
    """Return how long the text of a version has been live in an environment in all; None when it never was."""
    rows = Deployment.objects.filter(prompt=version.prompt_id, environment=environment).order_by("id")
    history = list(rows.prefetch_related("arms__version"))
    ends = [*(row.at for row in history[1:]), now][: len(history)]
    stays = [
        end - row.at
        for row, end in zip(history, ends, strict=True)
        if not row.is_take_down
        and any(arm.weight and arm.version.content_hash == version.content_hash for arm in row.arms.all())
    ]
    return sum(stays, timedelta()) if stays else None


def _holds(change_request: ChangeRequest, now: datetime) -> list[str]:
    environment = change_request.environment
    freeze = freeze_of(environment, now)
    versions = [item.version for item in change_request.items.all()]
    return [*([freeze.sentence] if freeze else []), *not_live_before(environment, versions, now)]


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
