"""Circles that could come about: judged by every version that a label may still be led to, not only by where it leads now.

So a promotion or an undo of what was live before never meets one.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, Max, Q

from apps.prompts.models import Prompt, Version, VersionReference
from apps.prompts.models.references import VersionReferenceQuerySet
from apps.prompts.references import BadReference, Reference


@dataclass(frozen=True)
class _Step:
    """A prompt on the way down: one version of it, or with None any that could be reached; and the names so far."""

    prompt_id: int
    number: int | None
    path: tuple[str, ...]


def require_none(prompt: Prompt, wanted: Iterable[Reference]) -> None:
    """Refuse what a new version of `prompt` wants to take in when a way could lead back to the prompt.

    Raises BadReference with the prompts in order. Call it under the workspace's lock.
    """
    names = {reference.name for reference in wanted}
    ids = dict(Prompt.objects.filter(workspace=prompt.workspace_id, name__in=names).values_list("name", "pk"))
    level = {
        _Step(ids[reference.name], reference.version, (prompt.name, reference.name))
        for reference in wanted
        if reference.name in ids
    }
    seen: set[tuple[int, int | None]] = set()
    while level := {step for step in level if (step.prompt_id, step.number) not in seen}:
        seen |= {(step.prompt_id, step.number) for step in level}
        if back := next((step for step in level if step.prompt_id == prompt.pk), None):
            raise BadReference(_sentence(back.path))
        level = _below(level)


def _sentence(path: tuple[str, ...]) -> str:
    if len(path) == 2:
        return f"{path[0]} cannot take itself in."
    return (
        f"These prompts would take each other in, in a circle: {' → '.join(path)}. "
        "A version that is or was live counts, for it can be put back."
    )


def _below(level: set[_Step]) -> set[_Step]:
    edges: dict[int, list[VersionReference]] = defaultdict(list)
    for edge in _reachable(level).select_related("child", "version"):
        edges[edge.version.prompt_id].append(edge)
    return {
        _Step(edge.child_id, edge.number, (*step.path, edge.child.name))
        for step in level
        for edge in edges[step.prompt_id]
        if step.number is None or step.number == edge.version.number
    }


def _reachable(level: set[_Step]) -> VersionReferenceQuerySet:
    """Return what versions take in that are asked for by number, or could be led to: newest, labelled, ever live."""
    newest = Version.objects.filter(prompt__in={step.prompt_id for step in level}).annotate(
        top=Max("prompt__versions__number")
    )
    possible = Q(number=F("top")) | Q(labels__isnull=False) | Q(arms__isnull=False)
    pinned = Q(number__in={step.number for step in level if step.number is not None})
    return VersionReference.objects.filter(version__in=newest.filter(possible | pinned).values("pk"))
