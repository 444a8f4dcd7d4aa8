"""Policies in sentences with the names filled in, and what nobody could meet."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format

from apps.accounts.models import Membership, Workspace
from apps.accounts.rights import Right
from apps.prompts import announcing, freezes, policy, rules
from apps.prompts.models import Environment
from apps.prompts.rules import Rules


@dataclass(frozen=True)
class Place:
    """An environment as the settings show it."""

    environment: Environment
    sentence: str
    notes: list[str]
    frozen: str
    is_first: bool
    is_last: bool
    mails: bool


def places_of(workspace: Workspace) -> list[Place]:
    """Return the environments in their order, each with its policy in a sentence."""
    now = timezone.now()
    environments = list(workspace.environments.ranked())
    for environment in environments:
        environment.workspace = workspace
    names = _names(workspace) if any(one.rules.names_promoters for one in environments) else {}
    before = [None, *environments[:-1]] if environments else []
    found = []
    for number, (environment, previous) in enumerate(zip(environments, before, strict=True)):
        freeze = policy.freeze_of(environment, now)
        found.append(
            Place(
                environment,
                _sentence(environment, environment.rules, previous.name if previous else None, names),
                [],
                freeze.sentence if freeze else _upcoming(environment),
                number == 0,
                number == len(environments) - 1,
                announcing.mails(environment, environments),
            )
        )
    return found


def sentence_of(environment: Environment, wanted: Rules | None = None) -> str:
    """Say a policy, the present one or one that is wanted, with every name in it."""
    asked = wanted or environment.rules
    workspace = environment.workspace
    before = workspace.environments.before(environment) if asked.previous_hours is not None else None
    names = _names(workspace) if asked.names_promoters else {}
    return _sentence(environment, asked, before.name if before else None, names)


def _sentence(environment: Environment, asked: Rules, previous: str | None, names: dict[tuple[str, int], str]) -> str:
    who = [
        names[kind, pk]
        for kind, pks in (("user", asked.members), ("team", asked.teams))
        for pk in pks
        if (kind, pk) in names
    ]
    return rules.sentence(asked, environment.name, previous=previous, who=who, money=environment.workspace.currency)


def _names(workspace: Workspace) -> dict[tuple[str, int], str]:
    """Return people and teams by kind and id."""
    found = {("user", member.user_id): str(member.user) for member in workspace.memberships.by_name()}
    found |= {("team", team.pk): f"the team {team.name}" for team in workspace.teams.all()}
    return found


def _upcoming(environment: Environment) -> str:
    asked = environment.rules
    if not asked.weekly and not asked.dated:
        return ""
    zone = environment.workspace.zone
    hold = freezes.upcoming(asked.weekly, asked.dated, timezone.now(), zone)
    if hold is None:
        return ""
    return f"The next freeze begins {date_format(hold.start.astimezone(zone), 'l H:i, j F')}."


def notes_of(environment: Environment, wanted: Rules | None = None) -> list[str]:
    """Say what in a policy nobody could meet with the people there are."""
    asked = wanted or environment.rules
    members = list(Membership.objects.filter(workspace=environment.workspace_id, user__is_active=True))
    reviewers = sum(member.may(Right.REVIEW) for member in members)
    able = [one for one in members if one.may_promote(environment.name) and asked.admits(one.user_id, one.team_id)]
    notes = []
    if asked.approvals > reviewers:
        notes.append(
            f"{reviewers or 'Nobody'} of the members may review: {asked.approvals} approvals cannot come together."
        )
    elif asked.approvals == reviewers and not asked.self_approval and reviewers:
        notes.append("When a reviewer asks for something, one approval will be missing: there is nobody else.")
    if not able:
        notes.append("Nobody who is named may publish here, so nothing can go live.")
    if "spend" in asked.checks and not any(member.may(Right.MANAGE_BUDGETS) for member in members):
        notes.append("Nobody manages budgets, so a forecast over the limit cannot be approved.")
    return notes
