"""Who a reported charge is for: teams, people and prompts of the workspace, by the names or ids that were sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from apps.accounts.models import Membership, Team
from apps.costs.ingest.items import Event, is_plain_name
from apps.costs.models import AxisName, SpendAxis
from apps.costs.models.rollups import Dimension
from apps.costs.signals import prompts_named

Values = dict[str, Any]


@dataclass(frozen=True)
class KnownPrompt:
    """A prompt of the workspace: its id, and the ids of its versions by their numbers."""

    id: int
    name: str
    versions: Mapping[int, int] = field(default_factory=dict)


class Names:
    """What the workspace calls its teams, people and prompts, looked up once for many events.

    A text of digits that nobody is called is an id: sheets and spans can send nothing but texts. A name that nobody
    knows stays on the charge as it was sent: it must not hold up the money.
    """

    def __init__(self, workspace_id: int, events: Sequence[Event]) -> None:
        self.workspace_id = workspace_id
        self.teams = _teams(workspace_id) if any(event.team for event in events) else {}
        self.users = _users(workspace_id, {event.user.lower() for event in events if event.user})
        wanted = {event.prompt for event in events if event.prompt}
        self.prompts = _prompts(workspace_id, wanted | {number for prompt in wanted if (number := _id_of(prompt))})

    def values(self, event: Event) -> Values:
        """Return the values of the charge that say who it is for; a team of "" is left to the caller."""
        return {**self._team(event), **self._user(event), **self._prompt(event)}

    def _team(self, event: Event) -> Values:
        if not event.team:
            return {}
        name = event.team if isinstance(event.team, int) else event.team.lower()
        team = self.teams.get(name) or self.teams.get(_id_of(name) or 0)
        if team is None:
            return {"team_id": None, "team_name": str(event.team)}
        return {"team_id": team.pk, "team_name": team.name}

    def _user(self, event: Event) -> Values:
        if not event.user:
            return {}
        user_id, name = self.users.get(event.user.lower(), (None, event.user))
        return {"user_id": user_id, "user_name": name}

    def _prompt(self, event: Event) -> Values:
        if not event.prompt:
            return {}
        known = self.prompts.get(event.prompt) or self.prompts.get(_id_of(event.prompt) or 0)
        number = {"version_number": event.version}
        if known is None:
            # Nobody's name with spaces may be the prompt itself, sent by mistake: that must not stay.
            return {"prompt_name": str(event.prompt), **number} if is_plain_name(str(event.prompt)) else {}
        version_id = known.versions.get(event.version) if event.version is not None else None
        return {"prompt_id": known.id, "prompt_name": known.name, "version_id": version_id, **number}


def _id_of(name: str | int) -> int | None:
    """Return the id that a text of digits may be."""
    return int(name) if isinstance(name, str) and name.isascii() and name.isdigit() and len(name) < 19 else None


def _teams(workspace_id: int) -> dict[str | int, Team]:
    found: dict[str | int, Team] = {}
    for team in Team.objects.filter(workspace_id=workspace_id):
        found[team.pk] = found[team.name.lower()] = team
    return found


def _users(workspace_id: int, wanted: set[str]) -> dict[str, tuple[int, str]]:
    if not wanted:
        return {}
    members = Membership.objects.filter(workspace_id=workspace_id, user__email__in=wanted).select_related("user")
    return {member.user.email.lower(): (member.user.pk, member.user.name) for member in members}


def _prompts(workspace_id: int, wanted: set[str | int]) -> dict[str | int, KnownPrompt]:
    """Return the prompts as their owner knows them, else as charges named them before."""
    if not wanted:
        return {}
    found: dict[str | int, KnownPrompt] = {}
    for _, answer in prompts_named.send(sender=Names, workspace_id=workspace_id, wanted=wanted):
        found.update(cast(dict[str | int, KnownPrompt], answer))
    return {**_named_before(workspace_id, wanted - found.keys()), **found}


def _named_before(workspace_id: int, wanted: set[str | int]) -> dict[str | int, KnownPrompt]:
    if not wanted:
        return {}
    rows = Dimension.objects.filter(workspace_id=workspace_id, kind=Dimension.Kind.PROMPT)
    names = [name for name in wanted if isinstance(name, str)]
    ids = [number for number in wanted if isinstance(number, int)]
    prompts = list(rows.filter(name__in=names)) + list(rows.filter(value_id__in=ids))
    if not prompts:
        return {}
    versions = _versions_before(workspace_id, [row.value_id for row in prompts])
    found: dict[str | int, KnownPrompt] = {}
    for row in prompts:
        known = KnownPrompt(row.value_id, row.name, versions.get(row.value_id, {}))
        found[row.name] = found[row.value_id] = known
    return found


def _versions_before(workspace_id: int, prompt_ids: Iterable[int]) -> dict[int, dict[int, int]]:
    """Return the versions that charges of the prompts named, by number."""
    axis = SpendAxis.objects.of(workspace_id, AxisName.VERSION).filter(parent__in=[str(pk) for pk in prompt_ids])
    pairs = {(int(parent), int(value)) for parent, value in axis.values_list("parent", "value").distinct()}
    rows = Dimension.objects.filter(
        workspace_id=workspace_id, kind=Dimension.Kind.VERSION, value_id__in=[value for _, value in pairs]
    )
    numbers = {row.value_id: row.name.removeprefix("v") for row in rows}
    found: dict[int, dict[int, int]] = {}
    for parent, value in pairs:
        if numbers.get(value, "").isdigit():
            found.setdefault(parent, {})[int(numbers[value])] = value
    return found
