"""What holds on to an environment: the reasons, in sentences, why it cannot be deleted or renamed."""

from django.db.models import Q

from apps.accounts.rights import PROMOTE_PREFIX, READ_PREFIX
from apps.core.errors import DomainError
from apps.prompts import composition, rules
from apps.prompts.models import ChangeRequest, Deployment, Draft, Environment, VersionReference


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
    scopes = [PROMOTE_PREFIX + environment.name, READ_PREFIX + environment.name]
    keys = environment.workspace.api_keys.filter(revoked_at=None, scopes__overlap=scopes)
    webhooks = environment.workspace.webhooks.live().filter(environments__contains=[environment.name])
    members = environment.workspace.memberships.filter(environments__contains=[environment.name])
    invited = environment.workspace.invitations.waiting().filter(environments__contains=[environment.name])
    found = []
    if named := list(keys.order_by("name").values_list("name", flat=True)[:5]):
        found.append(f"API keys are let in by its name: {', '.join(named)}.")
    if count := webhooks.count():
        found.append(f"Webhooks that hear of this environment: {count}.")
    if people := [str(member.user) for member in members.by_name()[:5]]:
        found.append(f"These publishers may publish there by name: {', '.join(people)}.")
    if count := invited.count():
        found.append(f"Open invitations that would let somebody publish there: {count}.")
    return found


def _references(environment: Environment) -> list[str]:
    """Find texts that splice in what is live there."""
    kept = VersionReference.objects.filter(version__prompt__workspace=environment.workspace_id, label=environment.name)
    found = set(kept.values_list("version__prompt__name", flat=True).distinct()[:5])
    mark = f"label={environment.name}"
    drafts = Draft.objects.filter(prompt__workspace=environment.workspace_id)
    maybe = drafts.filter(Q(messages__icontains=mark) | Q(examples__icontains=mark)).select_related("prompt")
    found |= {draft.prompt.name for draft in maybe[:50] if _refers(draft, environment.name)}
    return [f"Texts refer to what is live there: {rules.all_of(sorted(found)[:5])}."] if found else []


def _refers(draft: Draft, label: str) -> bool:
    try:
        return any(reference.label == label for reference in composition.references_of(draft))
    except DomainError:
        return False
