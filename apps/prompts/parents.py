"""Who takes a prompt in: upwards from a child to every version whose text would be another if the child's moved."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Max

from apps.prompts.models import DeploymentArm, Label, Prompt, Version, VersionReference

LATEST = "latest"


@dataclass
class Pointers:
    """What leads to a version now: environments it is live in, labels, and being the newest of its prompt."""

    environments: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    is_newest: bool = False

    @property
    def is_pinned_down(self) -> bool:
        """Tell whether somebody may be served this version by name."""
        return bool(self.environments or self.labels)

    @property
    def matters(self) -> bool:
        return self.is_pinned_down or self.is_newest

    @property
    def names(self) -> set[str]:
        """Return the labels under which other prompts reach the version."""
        return {*self.environments, *self.labels, *([LATEST] if self.is_newest else [])}


@dataclass(frozen=True)
class Parent:
    """A version that takes the prompt in, what leads to it, and the versions between, the child's side first."""

    version: Version
    pointers: Pointers
    through: tuple[Version, ...] = ()


def of(prompt: Prompt, label: str | None = None) -> list[Parent]:
    """Return every version that takes the prompt in at any depth, and to which something leads.

    With `label` only those whose way to the prompt begins with this label: what changes when it is moved.
    """
    edges = VersionReference.objects.to(prompt)
    first = (edges.filter(label=label) if label else edges).values_list("version", flat=True)
    found: dict[int, Parent] = {}
    level: dict[int, tuple[Version, ...]] = dict.fromkeys(first, ())
    while level := {pk: through for pk, through in level.items() if pk not in found}:
        versions = Version.objects.filter(pk__in=level).select_related("prompt").defer("messages", "examples")
        rows = {version.pk: version for version in versions if version.prompt_id != prompt.pk}
        pointers = pointers_of(rows.values())
        found |= {pk: Parent(version, pointers[pk], level[pk]) for pk, version in rows.items()}
        level = _above(found, list(rows))
    parents = [parent for parent in found.values() if parent.pointers.matters and not parent.version.prompt.archived_at]
    return sorted(parents, key=lambda parent: (parent.version.prompt.name, parent.version.number))


def _above(found: dict[int, Parent], level: list[int]) -> dict[int, tuple[Version, ...]]:
    """Return the versions that take in exactly these, by number or by a label that leads to one of them now."""
    children: dict[int, list[Parent]] = defaultdict(list)
    for pk in level:
        children[found[pk].version.prompt_id].append(found[pk])
    above: dict[int, tuple[Version, ...]] = {}
    for edge in VersionReference.objects.filter(child__in=children):
        for child in children[edge.child_id]:
            if edge.number == child.version.number or edge.label in child.pointers.names:
                above.setdefault(edge.version_id, (*child.through, child.version))
    return above


def pointers_of(versions: Iterable[Version]) -> dict[int, Pointers]:
    """Return what leads to each version, in three queries for any number of them."""
    rows = list(versions)
    found = {version.pk: Pointers() for version in rows}
    live = DeploymentArm.objects.live().filter(version__in=found, weight__gt=0)
    places = live.order_by("deployment__environment__rank").values_list("version", "deployment__environment__name")
    for pk, name in places:
        found[pk].environments.append(name)
    for pk, name in Label.objects.filter(version__in=found).order_by("name").values_list("version", "name"):
        found[pk].labels.append(name)
    prompts = Prompt.objects.filter(pk__in={version.prompt_id for version in rows})
    newest = dict(prompts.annotate(top=Max("versions__number")).values_list("pk", "top"))
    for version in rows:
        found[version.pk].is_newest = newest[version.prompt_id] == version.number
    return found
