"""Who works at Papermoon, in which teams, and the programs that come in with a key."""

from dataclasses import dataclass, field

from django.contrib.auth.hashers import make_password

from apps.accounts import actions
from apps.accounts.models import ApiKey, Membership, Team, User, Workspace
from apps.accounts.rights import Role, Scope
from llmops_site.demo.clock import Clock

SLUG = "papermoon"
PASSWORD = "paper-moon-rising"  # noqa: S105  printed on purpose: nothing behind it is real
TEAMS = {"Support": "CC-410", "Growth": "CC-220", "Platform": "CC-900"}


@dataclass(frozen=True)
class Person:
    """Somebody who signs in."""

    name: str
    roles: tuple[Role, ...]
    team: str = "Support"
    environments: tuple[str, ...] = ()

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@papermoon.example"


PEOPLE = {
    "paula": Person("Paula Figueira", (Role.EDITOR, Role.PUBLISHER), environments=(Membership.ANYWHERE,)),
    "ana": Person("Ana Sousa", (Role.ANNOTATOR,)),
    "amir": Person("Amir Kazemi", (Role.ANNOTATOR,)),
    "ravi": Person("Ravi Iyer", (Role.VIEWER, Role.REVIEWER)),
    "fay": Person("Fay Donnelly", (Role.FINANCE,), team="Platform"),
    "olga": Person("Olga Petrova", (Role.ADMIN,), team="Platform"),
}


@dataclass(frozen=True)
class Program:
    """Something that comes in with an API key."""

    name: str
    scopes: tuple[str, ...]
    team: str = "Platform"


# The first four are handed out in demo.json; the others have been at work for ninety days.
PROGRAMS = {
    "app": Program("Demo app", (Scope.PROMPTS_READ, Scope.CHARGES_WRITE, Scope.EVALS_RUN), "Support"),
    "admin": Program("Operator", (Scope.ADMIN,)),
    "spend": Program("Spend export", (Scope.SPEND_READ,)),
    "langfuse": Program("Langfuse SDK", (Scope.PROMPTS_READ, Scope.PROMPTS_DRAFT, Scope.PROMPTS_PROPOSE)),
    "shop": Program("Shop backend", (Scope.PROMPTS_READ, Scope.CHARGES_WRITE), "Support"),
    "newsletter": Program("Newsletter tool", (Scope.PROMPTS_READ, Scope.CHARGES_WRITE), "Growth"),
    "nightly": Program("Nightly jobs", (Scope.PROMPTS_READ, Scope.CHARGES_WRITE)),
}
HANDED_OUT = ("app", "admin", "spend", "langfuse")


@dataclass
class Cast:
    """The workspace with everybody in it, by their short names."""

    workspace: Workspace
    users: dict[str, User]
    teams: dict[str, Team]
    keys: dict[str, ApiKey] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def team_of(self, user: User) -> Team:
        short = next(short for short, known in self.users.items() if known.pk == user.pk)
        return self.teams[PEOPLE[short].team]


def hire(clock: Clock) -> Cast:
    """Open the workspace, found its teams, invite everybody and let them join, and make the keys."""
    users = _users()
    olga = users["olga"]
    workspace = actions.create_workspace(name="Papermoon", slug=SLUG, time_zone="Europe/Lisbon", acting_user=olga)
    teams = {
        name: actions.create_team(workspace=workspace, name=name, cost_centre=centre, acting_user=olga)
        for name, centre in TEAMS.items()
    }
    for short, person in PEOPLE.items():
        clock.wait(minutes=3)
        _join(workspace, users[short], person, teams[person.team], olga)
    cast = Cast(workspace, users, teams)
    for short in PROGRAMS:
        clock.wait(minutes=1)
        make_key(cast, short)
    return cast


def _users() -> dict[str, User]:
    """Make the accounts. The slow hash of the one password is computed once."""
    hashed = make_password(PASSWORD)
    found: dict[str, User] = {}
    for short, person in PEOPLE.items():
        values = {"name": person.name, "password": hashed}
        found[short], _ = User.objects.get_or_create(email=person.email, defaults=values)
    return found


def _join(workspace: Workspace, user: User, person: Person, team: Team, olga: User) -> None:
    if user == olga:
        mine = workspace.memberships.get(user=olga)
        actions.update_membership(membership=mine, roles=person.roles, environments=(), team=team, acting_user=olga)
        return
    invitation, _ = actions.invite_member(
        workspace=workspace,
        email=user.email,
        roles=person.roles,
        environments=person.environments,
        team=team,
        acting_user=olga,
    )
    actions.accept_invitation(invitation=invitation, acting_user=user)


def make_key(cast: Cast, short: str) -> None:
    """Make a program's key and remember its secret as long as this process lives."""
    program = PROGRAMS[short]
    cast.keys[short], cast.secrets[short] = actions.create_api_key(
        workspace=cast.workspace,
        name=program.name,
        scopes=program.scopes,
        team=cast.teams.get(program.team),
        acting_user=cast.users["olga"],
    )


def gather() -> Cast | None:
    """Return the cast of the workspace that is there; None when there is none."""
    workspace = Workspace.objects.filter(slug=SLUG).first()
    if workspace is None:
        return None
    members = {member.user.email: member.user for member in workspace.memberships.select_related("user")}
    users = {short: members[person.email] for short, person in PEOPLE.items() if person.email in members}
    if "olga" not in users:  # a visitor took her out: another admin does what she would
        users["olga"] = workspace.memberships.admins().select_related("user").order_by("id")[0].user
    return Cast(workspace, users, {team.name: team for team in workspace.teams.all()})
