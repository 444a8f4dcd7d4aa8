"""Where references lead: read for any number of texts at once, level by level."""

from collections.abc import Iterable, Mapping

from django.db.models import F, Max

from apps.core.errors import DomainError
from apps.prompts import items, references
from apps.prompts.models import Deployment, Label, Prompt, Version
from apps.prompts.models.prompts import VersionQuerySet
from apps.prompts.references import BadReference, Reference

MAX_DEPTH = 5
LATEST = "latest"

# By prompt id and label: stands in for what that label of that prompt leads to.
Overrides = Mapping[tuple[int, str], Version]


class Shelf:
    """The versions that references lead to, read level by level."""

    def __init__(self, workspace_id: int, overrides: Overrides) -> None:
        self._workspace_id = workspace_id
        self._overrides = overrides
        self._found: dict[Reference, Version | None] = {}

    def load(self, texts: Iterable[str]) -> None:
        """Read what these texts refer to, and what that refers to, one level deeper than is allowed."""
        for _ in range(MAX_DEPTH + 1):
            wanted = {reference for text in texts for reference in _readable(text)} - self._found.keys()
            if not wanted:
                return
            self._found.update(dict.fromkeys(wanted))
            self._found.update(self._read(wanted))
            texts = [
                text
                for reference in wanted
                if (version := self._found[reference])
                for text in items.texts(version.messages)
            ]

    def version(self, reference: Reference) -> Version:
        """Return where a reference leads. Raises BadReference when that is nowhere."""
        found = self._found.get(reference)
        if found is None:
            raise self._lost([reference])
        return found

    def require(self, wanted: Iterable[Reference]) -> None:
        """Raise BadReference, listing them, when some of these lead nowhere."""
        if lost := [reference for reference in wanted if self._found.get(reference) is None]:
            raise self._lost(lost)

    def _lost(self, lost: list[Reference]) -> BadReference:
        prompts = Prompt.objects.filter(workspace=self._workspace_id, name__in={reference.name for reference in lost})
        known = set(prompts.values_list("name", flat=True))
        reasons = [_why_not(reference, reference.name in known) for reference in lost]
        return BadReference(f"This cannot be taken in: {'; '.join(reasons[:10])}.", missing=[str(one) for one in lost])

    def _read(self, wanted: set[Reference]) -> dict[Reference, Version]:
        found = {**self._pinned(wanted), **self._labelled(wanted)}
        for (_, label), version in self._overrides.items():
            if (reference := Reference(version.prompt.name, label=label)) in wanted:
                found[reference] = version
        return found

    def _pinned(self, wanted: set[Reference]) -> dict[Reference, Version]:
        pinned = [reference for reference in wanted if reference.version is not None]
        if not pinned:
            return {}
        rows = self._versions().filter(
            prompt__name__in={reference.name for reference in pinned}, number__in={r.version for r in pinned}
        )
        by_place = {(row.prompt.name, row.number): row for row in rows}
        found = {reference: by_place.get((reference.name, reference.version or 0)) for reference in pinned}
        return {reference: version for reference, version in found.items() if version}

    def _labelled(self, wanted: set[Reference]) -> dict[Reference, Version]:
        labelled = [reference for reference in wanted if reference.label]
        if not labelled:
            return {}
        names, labels = {reference.name for reference in labelled}, {str(reference.label) for reference in labelled}
        by_place = self._pointed(names, labels) | self._live(names, labels)
        if LATEST in labels:
            by_place |= {(row.prompt.name, LATEST): row for row in self._newest(names)}
        found = {reference: by_place.get((reference.name, str(reference.label))) for reference in labelled}
        return {reference: version for reference, version in found.items() if version}

    def _live(self, names: set[str], labels: set[str]) -> dict[tuple[str, str], Version]:
        rows = Deployment.objects.current().filter(
            prompt__workspace=self._workspace_id, prompt__name__in=names, environment__name__in=labels
        )
        loaded = rows.select_related("prompt", "environment").prefetch_related("arms__version__prompt")
        return {(row.prompt.name, row.environment.name): row.version for row in loaded}

    def _pointed(self, names: set[str], labels: set[str]) -> dict[tuple[str, str], Version]:
        rows = Label.objects.filter(prompt__workspace=self._workspace_id, prompt__name__in=names, name__in=labels)
        return {(row.prompt.name, row.name): row.version for row in rows.select_related("prompt", "version__prompt")}

    def _newest(self, names: set[str]) -> Iterable[Version]:
        newest = self._versions().filter(prompt__name__in=names).annotate(top=Max("prompt__versions__number"))
        return newest.filter(number=F("top"))

    def _versions(self) -> VersionQuerySet:
        return Version.objects.filter(prompt__workspace=self._workspace_id).select_related("prompt")


def _readable(text: str) -> list[Reference]:
    """Return a text's references; who takes it in is told of a broken one."""
    try:
        return references.in_text(text)
    except DomainError:
        return []


def _why_not(reference: Reference, is_known: bool) -> str:
    name = reference.name[:120]
    if not is_known:
        return f"there is no prompt {name}"
    if reference.version is not None:
        return f"{name} has no version {reference.version}"
    return f"nothing of {name} is live in “{reference.label}”, and it has no label of that name"
