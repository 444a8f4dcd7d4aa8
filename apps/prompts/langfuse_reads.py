"""Prompts as Langfuse's API shows them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Max, Q

from apps.accounts.models import Workspace
from apps.prompts import composition, delivery, langfuse, serving
from apps.prompts.delivery import LATEST, Asked, Row
from apps.prompts.models import Deployment, Environment, Label, Prompt, Version
from apps.prompts.models.prompts import PromptQuerySet


def place_of(workspace_id: int, label: str, *, resolve: bool) -> Asked:
    """Return what a label asks for: an environment of that name, else the label."""
    if label != LATEST and Environment.objects.filter(workspace=workspace_id, name=label).exists():
        return Asked(environment=label, resolve=resolve)
    return Asked(label=label, resolve=resolve)


def shown(row: Row, workspace_id: int, asked: Asked) -> dict[str, Any]:
    """Return a version as the API's answer: references spliced in unless `resolve` is off."""
    version = Version.objects.select_related("prompt__workspace", "author").get(pk=row["version_id"])
    messages, examples, graph = row["messages"], row["examples"], None
    if asked.resolve:
        resolved = serving.resolved_of(row, workspace_id)
        messages, examples, graph = resolved.messages, resolved.examples, _graph(version, resolved.used)
    labels = labels_of([version.prompt_id])[version.prompt_id].get(version.number, [])
    at = _time(version.created_at)
    return {
        "id": str(version.pk),
        "name": version.prompt.name,
        "version": version.number,
        "type": version.prompt.kind,
        "prompt": langfuse.prompt_to(version.prompt.kind, messages, examples),
        "config": langfuse.joined_config(row["model_config"], row["tools"], row["output_schema"]),
        "labels": labels,
        "tags": version.prompt.tags,
        "commitMessage": version.message or None,
        "resolutionGraph": graph,
        "isActive": delivery.DEFAULT_ENVIRONMENT in labels,
        "createdAt": at,
        "updatedAt": at,
        "createdBy": "API" if version.author_key_id or version.author is None else str(version.author),
        "projectId": version.prompt.workspace.slug,
    }


def version_shown(version: Version) -> dict[str, Any]:
    """Return a version that was just written, as it was written."""
    workspace_id = version.prompt.workspace_id
    asked = Asked(version=version.number, resolve=False)
    row = delivery.row_of(workspace_id, version.prompt.name, asked)
    assert row is not None  # noqa: S101  it was just read or written
    return shown(row, workspace_id, asked)


def _graph(version: Version, used: list[composition.Used]) -> dict[str, Any] | None:
    """Return which versions were taken in; null without any."""
    if not used:
        return None
    root, *children = (
        {"name": one.prompt.name, "version": one.number, "id": str(one.pk)}
        for one in (version, *(one.version for one in used))
    )
    return {"root": root, "dependencies": {root["id"]: children}}


def labels_of(prompts: Iterable[int]) -> dict[int, dict[int, list[str]]]:
    """Return the labels of each version, by prompt and number: environments, plain labels, and latest."""
    prompts = list(prompts)
    found: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    live = Deployment.objects.current().filter(prompt__in=prompts).order_by("environment__rank")
    for deployment in live.select_related("environment").prefetch_related("arms__version"):
        found[deployment.prompt_id][deployment.version.number].append(deployment.environment.name)
    labels = Label.objects.filter(prompt__in=prompts).order_by("name").values_list("prompt", "version__number", "name")
    for prompt, number, name in labels:
        found[prompt][number].append(name)
    newest = Version.objects.filter(prompt__in=prompts).values("prompt").annotate(newest=Max("number"))
    for row in newest:
        found[row["prompt"]][row["newest"]].append(LATEST)
    return found


def listed(
    workspace: Workspace,
    *,
    name: str = "",
    label: str = "",
    tag: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> PromptQuerySet:
    """Return the prompts that have a version, narrowed; a change of a version is what counts as an update."""
    prompts = workspace.prompts.active().annotate(updated_at=Max("versions__created_at")).exclude(updated_at=None)
    if name:
        prompts = prompts.filter(name=name)
    if tag:
        prompts = prompts.filter(tags__contains=[tag])
    if label and label != LATEST:
        here = Deployment.objects.current().filter(environment__name=label, environment__workspace=workspace)
        labelled = Label.objects.filter(prompt__workspace=workspace, name=label)
        prompts = prompts.filter(Q(pk__in=here.values("prompt")) | Q(pk__in=labelled.values("prompt")))
    if since:
        prompts = prompts.filter(updated_at__gte=since)
    if until:
        prompts = prompts.filter(updated_at__lt=until)
    return prompts.order_by("name", "id")


def rows(prompts: list[Prompt]) -> list[dict[str, Any]]:
    """Return the rows of the list."""
    labels = labels_of([prompt.pk for prompt in prompts])
    numbers: dict[int, list[int]] = defaultdict(list)
    last: dict[int, Any] = {}
    versions = Version.objects.filter(prompt__in=prompts).order_by("prompt", "number")
    for prompt, number in versions.values_list("prompt", "number"):
        numbers[prompt].append(number)
    newest = versions.order_by("prompt", "-number").distinct("prompt")
    for row in newest.values("prompt", "model_config", "tools", "output_schema"):
        last[row["prompt"]] = langfuse.joined_config(row["model_config"], row["tools"], row["output_schema"])
    return [
        {
            "name": prompt.name,
            "type": prompt.kind,
            "versions": numbers[prompt.pk],
            "labels": sorted({one for labels in labels[prompt.pk].values() for one in labels}),
            "tags": prompt.tags,
            "lastUpdatedAt": _time(prompt.updated_at),  # type: ignore[attr-defined]
            "lastConfig": last.get(prompt.pk, {}),
        }
        for prompt in prompts
    ]


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
