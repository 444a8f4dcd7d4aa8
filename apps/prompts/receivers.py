"""What this room does when others announce something."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.dispatch import receiver

from apps.accounts.models import User, Workspace
from apps.accounts.signals import workspace_created
from apps.costs.ingest.names import KnownPrompt
from apps.costs.signals import limitable, prompts_named
from apps.prompts import actions, announcing, signals
from apps.prompts.models import ChangeRequest, Deployment, Environment, Prompt, Version
from apps.prompts.signals import change_request_closed, change_request_opened, version_deployed

MOST_LIMITABLE = 500


@receiver(workspace_created)
def give_environments(workspace: Workspace, acting_user: User | None, **_: Any) -> None:
    """A new workspace has places for prompts to be live in."""
    actions.create_environments(workspace=workspace, acting_user=acting_user)


@receiver(signals.change_request_opened)
def forecast_spend(change_request: ChangeRequest, **_: Any) -> None:
    """What a request costs is forecast as soon as it asks for something, and again when it asks for something else."""
    actions.refresh_spend_check(change_request=change_request)


@receiver(prompts_named)
def name_prompts(workspace_id: int, wanted: set[str | int], **_: Any) -> dict[str | int, KnownPrompt]:
    """Tell the books which prompts and versions reported charges speak of, by name or by id."""
    names = [name for name in wanted if isinstance(name, str)]
    ids = [number for number in wanted if isinstance(number, int)]
    mine = Prompt.objects.filter(workspace_id=workspace_id)
    prompts = dict((mine.filter(name__in=names) | mine.filter(pk__in=ids)).values_list("pk", "name"))
    versions: dict[int, dict[int, int]] = {pk: {} for pk in prompts}
    for prompt_id, number, pk in Version.objects.filter(prompt__in=prompts).values_list("prompt", "number", "pk"):
        versions[prompt_id][number] = pk
    found: dict[str | int, KnownPrompt] = {}
    for pk, name in prompts.items():
        found[pk] = found[name] = KnownPrompt(pk, name, versions[pk])
    return found


@receiver(limitable)
def list_what_can_be_limited(workspace_id: int, **_: Any) -> dict[str, list[Any]]:
    """Tell the books of prompts, their newest versions and environments, before their first call."""
    prompts = Prompt.objects.active().filter(workspace=workspace_id).order_by("name", "pk")[:MOST_LIMITABLE]
    newest = Version.objects.filter(prompt=OuterRef("pk")).order_by("-number")
    rows = list(
        prompts.annotate(
            newest=Subquery(newest.values("pk")[:1]), number=Subquery(newest.values("number")[:1])
        ).values_list("pk", "name", "newest", "number")
    )
    return {
        "prompt_id": [(pk, name) for pk, name, _, _ in rows],
        "version_id": [(version, f"{name} v{number}") for _, name, version, number in rows if version],
        "environment": list(Environment.objects.filter(workspace=workspace_id).ranked().values_list("name", flat=True)),
    }


@receiver(version_deployed)
def announce_deployment(deployment: Deployment, **_: Any) -> None:
    """Tell systems and people that what is live has changed."""
    announcing.deployed(deployment)


@receiver(change_request_opened)
def announce_opened_request(change_request: ChangeRequest, **_: Any) -> None:
    announcing.request_opened(change_request)


@receiver(change_request_closed)
def announce_closed_request(change_request: ChangeRequest, **_: Any) -> None:
    announcing.request_closed(change_request)
