"""Prompts inside prompts: where references lead now, the text that comes of it, and what may not be.

Nothing here is asked of a text without a reference: it costs no query.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import F, Max, Q

from apps.prompts import items, references, variables
from apps.prompts.models import Deployment, Label, Prompt, Version, VersionReference
from apps.prompts.models.prompts import Content, VersionQuerySet
from apps.prompts.references import BadReference, Reference

MAX_DEPTH = 5
MAX_SIZE = 2 * 1024 * 1024
MAX_TAGS = 1_000
LATEST = "latest"
LOCK_SPACE = 0x6A11E8

Overrides = Mapping[int, Version]  # by prompt id: stands in for whatever a label of that prompt points to


@dataclass(frozen=True)
class Used:
    """A prompt that was taken in: the reference as it is written, and the version that it led to."""

    reference: Reference
    version: Version

    def told(self) -> dict[str, Any]:
        return {"name": self.reference.name, "version": self.version.number, "label": self.reference.label}


@dataclass(frozen=True)
class Resolved:
    """A content without references: its items, examples, the contract of all its variables, and what was taken in."""

    messages: list[items.Item]
    variables: list[variables.Variable]
    examples: list[dict[str, str]] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)

    @property
    def references(self) -> list[dict[str, Any]]:
        """Name each prompt that was taken in with its exact version, in order of first appearance."""
        return [used.told() for used in self.used]

    @property
    def mark(self) -> str:
        """Return what changes whenever a reference leads to another version; empty without references."""
        return ".".join(f"{used.version.prompt_id}v{used.version.number}" for used in self.used)


def has_references(content: Content) -> bool:
    return any(references.MARK in text for text in items.texts(content.messages, content.examples))


def resolve(content: Content, *, workspace_id: int, overrides: Overrides | None = None) -> Resolved:
    """Return a draft or version, its `prompt` loaded, with every reference replaced by the text that it leads to now.

    Raises BadReference for what is not there, is no text prompt, goes round in a circle, goes over five levels deep or
    over 2 MB, and ContractError when two prompts want one variable of different types.
    """
    return next(resolve_many([content], workspace_id=workspace_id, overrides=overrides))


def resolve_many(
    contents: Iterable[Content], *, workspace_id: int, overrides: Overrides | None = None
) -> Iterator[Resolved]:
    """Resolve several contents of one workspace with as many queries as the deepest of them needs."""
    wanted = list(contents)
    composed = {id(content): content for content in wanted if has_references(content)}
    shelf = Shelf(workspace_id, overrides or {})
    shelf.load(text for content in composed.values() for text in items.texts(content.messages, content.examples))
    for content in wanted:
        if id(content) in composed:
            yield _Expansion(shelf, content).result()
        else:
            yield Resolved(content.messages, content.variables, content.examples)


class Shelf:
    """The versions that references lead to, read level by level."""

    def __init__(self, workspace_id: int, overrides: Overrides) -> None:
        self._workspace_id = workspace_id
        self._overrides = overrides
        self._found: dict[Reference, Version | None] = {}

    def load(self, texts: Iterable[str]) -> None:
        """Read what these texts refer to, and what that refers to, one level deeper than is allowed."""
        for _ in range(MAX_DEPTH + 1):
            wanted = {reference for text in texts for reference in references.in_text(text)} - self._found.keys()
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
            where = f"version {reference.version}" if reference.version is not None else f"“{reference.label}”"
            raise BadReference(f"There is no prompt {reference.name[:120]} with {where}, so it cannot be taken in.")
        return found

    def _read(self, wanted: set[Reference]) -> dict[Reference, Version]:
        found = {**self._pinned(wanted), **self._labelled(wanted)}
        for prompt_id, version in self._overrides.items():
            for reference in wanted:
                if reference.label and reference.name == version.prompt.name:
                    assert version.prompt_id == prompt_id  # noqa: S101
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


class _Expansion:
    """One content on its way to being resolved: what was taken in so far, and how long it has become."""

    def __init__(self, shelf: Shelf, content: Content) -> None:
        self._shelf = shelf
        self._content = content
        self._used: dict[Reference, Used] = {}
        self._tags = 0

    def result(self) -> Resolved:
        content = self._content
        prompt: Prompt = content.prompt  # type: ignore[attr-defined]
        path = (prompt,)
        messages = items.mapped(content.messages, lambda text: self._expand(text, path))
        examples = [{side: self._expand(text, path) for side, text in row.items()} for row in content.examples]
        used = list(self._used.values())
        return Resolved(messages, self._contract(messages, examples, used), examples, used)

    def _expand(self, text: str, path: tuple[Prompt, ...]) -> str:
        room = MAX_SIZE

        def taken_in(reference: Reference) -> str:
            nonlocal room
            part = self._text_of(reference, path)
            room -= len(part)
            if room < 0:
                raise BadReference("With all that it takes in, the prompt is over 2 MB.")
            return part

        expanded = references.replace(text, taken_in)
        if len(expanded) > MAX_SIZE:
            raise BadReference("With all that it takes in, the prompt is over 2 MB.")
        return expanded

    def _text_of(self, reference: Reference, path: tuple[Prompt, ...]) -> str:
        version = self._shelf.version(reference)
        self._refuse(version, path)
        self._used.setdefault(reference, Used(reference, version))
        self._tags += 1
        if self._tags > MAX_TAGS:
            raise BadReference(f"The prompt takes others in over {MAX_TAGS:,} times.")
        return self._expand(version.messages[0]["content"], (*path, version.prompt))

    def _refuse(self, version: Version, path: tuple[Prompt, ...]) -> None:
        names = " → ".join(prompt.name for prompt in (*path, version.prompt))
        if any(prompt.pk == version.prompt_id for prompt in path):
            raise BadReference(f"These prompts take each other in, in a circle: {names}.")
        if len(path) > MAX_DEPTH:
            raise BadReference(f"Prompts may be taken in {MAX_DEPTH} levels deep: {names} is deeper.")
        if version.prompt.kind != Prompt.Kind.TEXT:
            raise BadReference(f"{version.prompt.name} is a chat prompt. Only text prompts can be taken in.")
        if version.format != self._content.format:
            raise BadReference(
                f"{version} is written in {version.format} and this prompt in {self._content.format}: "
                "both must be written in the same."
            )

    def _contract(
        self, messages: list[items.Item], examples: list[dict[str, str]], used: list[Used]
    ) -> list[variables.Variable]:
        """Return the own contract, completed by what the prompts inside say of their variables."""
        own = {variable["name"]: variable for variable in self._content.variables}
        known = dict(own)
        said_by: dict[str, str] = dict.fromkeys(own, "this prompt")
        for version in {one.version.pk: one.version for one in used}.values():
            for variable in version.variables:
                name = variable["name"]
                if name in known and known[name]["type"] != variable["type"]:
                    raise variables.ContractError(
                        f"{name} is a {known[name]['type']} in {said_by[name]} and a {variable['type']} in {version}."
                    )
                known.setdefault(name, variable)
                said_by.setdefault(name, str(version))
        return variables.declared(messages, self._content.format, list(known.values()), examples=examples)


def lock(workspace_id: int) -> None:
    """Let one transaction at a time change who takes in whom, so that two halves of a circle do not meet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, workspace_id])


def record(version: Version) -> list[VersionReference]:
    """Keep what a new version takes in. The caller has resolved it, so every name is there."""
    wanted = {
        reference for text in items.texts(version.messages, version.examples) for reference in references.in_text(text)
    }
    names = {reference.name for reference in wanted}
    children = dict(
        Prompt.objects.filter(workspace=version.prompt.workspace_id, name__in=names).values_list("name", "pk")
    )
    return VersionReference.objects.bulk_create(
        VersionReference(
            version=version,
            child_id=children[reference.name],
            number=reference.version,
            label=reference.label or "",
        )
        for reference in sorted(wanted, key=str)
    )


def check_move(version: Version, label: str) -> None:
    """Refuse to let a label lead to a version when that, or a prompt which takes it in, could not be resolved then.

    Takes the workspace's lock where references are involved. Raises BadReference and ContractError, naming the prompt.
    """
    prompt = version.prompt
    if not has_references(version) and not prompt.used_in.exists():
        return
    lock(prompt.workspace_id)
    resolve(version, workspace_id=prompt.workspace_id)
    for parent in parents_of(prompt, label=label):
        try:
            resolve(parent, workspace_id=prompt.workspace_id, overrides={prompt.pk: version})
        except (BadReference, variables.ContractError) as error:
            raise BadReference(f"{parent} takes {prompt.name} in and would break: {error.message}") from None


def parents_of(prompt: Prompt, *, label: str | None = None) -> list[Version]:
    """Return the versions that take a prompt in at any depth and matter: live somewhere, labelled, or the newest.

    With `label` only those that follow this label on the first step.
    """
    found: dict[int, Version] = {}
    edges = VersionReference.objects.to(prompt)
    frontier = edges.filter(label=label) if label else edges
    while versions := [row for row in _that_matter(frontier) if row.pk not in found]:
        found |= {row.pk: row for row in versions}
        frontier = VersionReference.objects.filter(child__in={row.prompt_id for row in versions})
    return sorted(found.values(), key=lambda row: (row.prompt.name, row.number))


def _that_matter(edges: Any) -> list[Version]:
    live = Q(arms__deployment__next=None, arms__isnull=False)
    labelled = Q(labels__isnull=False)
    newest = Q(number=F("top"))
    versions = Version.objects.filter(pk__in=edges.values("version"), prompt__archived_at=None)
    rows = versions.annotate(top=Max("prompt__versions__number")).filter(live | labelled | newest)
    return list(rows.select_related("prompt").distinct())
