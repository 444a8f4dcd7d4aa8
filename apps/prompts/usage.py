"""What holds on to an environment: the reasons, in sentences, why it cannot be deleted or renamed."""

from apps.accounts.rights import PROMOTE_PREFIX
from apps.prompts import rules
from apps.prompts.models import ChangeRequest, Deployment, Draft, Environment, Version


def uses_of(environment: Environment) -> list[str]:
    """Return every reason; an empty list means that nothing and nobody knows the environment yet."""
    return [*_requests(environment), *_live(environment), *_names(environment), *_references(environment)]


def _requests(environment: Environment) -> list[str]:
    asked = ChangeRequest.objects.filter(environment=environment)
    waiting = list(asked.filter(closed_at=None).order_by("number").values_list("number", flat=True)[:10])
    found = []
    if waiting:
        found.append(f"Requests wait to change it: {', '.join(f'#{number}' for number in waiting)}.")
    elif asked.exists():
        found.append("The record of closed requests names it, and a record never changes.")
    return found


def _live(environment: Environment) -> list[str]:
    live = Deployment.objects.current().filter(environment=environment)
    names = list(live.order_by("prompt__name").values_list("prompt__name", flat=True)[:4])
    if not names:
        # What was taken down still stands in the history of its prompt.
        was_live = Deployment.objects.filter(environment=environment).exists()
        return ["Prompts were live there, and their history names it."] if was_live else []
    more = live.count() - 3
    shown = ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
    return [f"Live there: {shown}. Programs may fetch them by its name."]


def _names(environment: Environment) -> list[str]:
    scope = PROMOTE_PREFIX + environment.name
    keys = environment.workspace.api_keys.filter(revoked_at=None, scopes__contains=[scope])
    members = environment.workspace.memberships.filter(environments__contains=[environment.name])
    invited = environment.workspace.invitations.waiting().filter(environments__contains=[environment.name])
    found = []
    if named := list(keys.order_by("name").values_list("name", flat=True)[:5]):
        found.append(f"API keys may put versions live there: {', '.join(named)}.")
    if people := [str(member.user) for member in members.by_name()[:5]]:
        found.append(f"These publishers may publish there by name: {', '.join(people)}.")
    if count := invited.count():
        found.append(f"Open invitations that would let somebody publish there: {count}.")
    return found


def _references(environment: Environment) -> list[str]:
    """Find texts that splice in what is live there."""
    tail = f"|label={environment.name}@@@"
    mine = {"prompt__workspace": environment.workspace_id, "messages__icontains": tail}
    found: set[str] = set()
    for rows in (Version.objects.filter(**mine), Draft.objects.filter(**mine)):
        found.update(rows.values_list("prompt__name", flat=True).distinct()[:5])
    return [f"Texts refer to what is live there: {rules.all_of(sorted(found)[:5])}."] if found else []
