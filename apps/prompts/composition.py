"""Prompts inside prompts: where references lead now, the text that comes of it, and what may not be.

Nothing here is asked of a text without a reference: it costs no query.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from apps.core.errors import DomainError
from apps.prompts import circles, items, parents, references, variables
from apps.prompts.models import Environment, Prompt, Version, VersionReference
from apps.prompts.models.prompts import Content
from apps.prompts.references import BadReference, Reference
from apps.prompts.shelf import MAX_DEPTH, Overrides, Shelf

MAX_SIZE = 2 * 1024 * 1024
MAX_TAGS = 1_000
LOCK_SPACE = 0x6A11E8
BRACE = re.compile(r"[{}]")


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


def references_of(content: Content) -> list[Reference]:
    """Return what a content takes in directly, in order, each once. Raises BadReference for a broken tag."""
    texts = items.texts(content.messages, content.examples)
    return list(dict.fromkeys(reference for text in texts for reference in references.in_text(text)))


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
    for outcome in try_many(contents, workspace_id=workspace_id, overrides=overrides):
        if isinstance(outcome, DomainError):
            raise outcome
        yield outcome


def try_many(
    contents: Iterable[Content], *, workspace_id: int, overrides: Overrides | None = None
) -> Iterator[Resolved | DomainError]:
    """Do as `resolve_many`, with the refusal in place of what cannot be resolved."""
    wanted = list(contents)
    composed = {id(content) for content in wanted if has_references(content)}
    shelf = Shelf(workspace_id, overrides or {})
    inside = (content for content in wanted if id(content) in composed)
    shelf.load(text for content in inside for text in items.texts(content.messages, content.examples))
    for content in wanted:
        if id(content) not in composed:
            yield Resolved(content.messages, content.variables, content.examples)
            continue
        try:
            yield _Expansion(shelf, content).result()
        except DomainError as error:
            yield error


class _Expansion:
    """One content on its way to being resolved: what was taken in so far, and how long it has become."""

    def __init__(self, shelf: Shelf, content: Content) -> None:
        self._shelf = shelf
        self._content = content
        self._used: dict[Reference, Used] = {}
        self._tags = 0
        self._left = MAX_SIZE

    def result(self) -> Resolved:
        content = self._content
        prompt: Prompt = content.prompt  # type: ignore[attr-defined]
        path = (prompt,)
        self._shelf.require(references_of(content))
        messages = items.mapped(content.messages, lambda text: self._expand(text, path))
        examples = content.examples
        if any(map(items.is_examples, content.messages)):
            examples = [{side: self._expand(text, path) for side, text in row.items()} for row in examples]
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
        if len(path) == 1:  # of what is inside, the text that it stands in speaks
            self._left -= len(expanded)
        if len(expanded) > MAX_SIZE or self._left < 0:
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
        if len(path) == 1 and path[0].pk == version.prompt_id:
            raise BadReference(f"{path[0].name} cannot take itself in.")
        if any(prompt.pk == version.prompt_id for prompt in path):
            raise BadReference(f"These prompts take each other in, in a circle: {names}.")
        if len(path) > MAX_DEPTH:
            raise BadReference(f"Prompts may be taken in {MAX_DEPTH} levels deep: {names} is deeper.")
        if version.prompt.kind != Prompt.Kind.TEXT:
            raise BadReference(f"{version.prompt.name} is a chat prompt. Only text prompts can be taken in.")
        if version.format != self._content.format and BRACE.search(version.messages[0]["content"]):
            raise BadReference(
                f"{version} is written in {version.format} and this prompt in {self._content.format}: "
                "both must be written in the same."
            )

    def _contract(
        self, messages: list[items.Item], examples: list[dict[str, str]], used: list[Used]
    ) -> list[variables.Variable]:
        """Return the own contract, completed by what the prompts inside say of their variables."""
        own = {variable["name"]: variable for variable in self._content.variables}
        # Of a name that nobody said a word about here, the prompt inside knows better.
        open_names = {name for name, variable in own.items() if not variables.is_told(variable)}
        known = dict(own)
        said_by: dict[str, str] = dict.fromkeys(own, "this prompt")
        for version in {one.version.pk: one.version for one in used}.values():
            for variable in version.variables:
                name = variable["name"]
                if name in known and known[name]["type"] != variable["type"]:
                    raise variables.ContractError(
                        f"{name} is a {known[name]['type']} in {said_by[name]} and a {variable['type']} in {version}."
                    )
                if name in open_names:
                    open_names.remove(name)
                    known[name] = variable
                known.setdefault(name, variable)
                said_by.setdefault(name, str(version))
        return variables.declared(messages, self._content.format, list(known.values()), examples=examples)


def lock(workspace_id: int) -> None:
    """Let one transaction at a time change who takes in whom, so that two halves of a circle do not meet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, workspace_id])


def record(version: Version) -> list[VersionReference]:
    """Keep what a new version takes in, already resolved. Raises BadReference for a circle that could come about."""
    wanted = references_of(version)
    names = {reference.name for reference in wanted}
    prompts = Prompt.objects.filter(workspace=version.prompt.workspace_id, name__in=names)
    children = {prompt.name: prompt for prompt in prompts}
    if archived := sorted(name for name, prompt in children.items() if prompt.archived_at):
        raise BadReference(f"Archived, so nothing new may take it in: {', '.join(archived)}. Bring it back first.")
    circles.require_none(version.prompt, wanted)
    return VersionReference.objects.bulk_create(
        VersionReference(
            version=version, child=children[reference.name], number=reference.version, label=reference.label or ""
        )
        for reference in wanted
    )


def check_move(version: Version, label: str, release: Overrides | None = None) -> None:
    """Refuse to let a label or environment lead to a version when something that is served could not be resolved then.

    `release` says what else moves with it, all as one. Takes the workspace's lock, which comes before the audit
    chain's. Raises BadReference naming the prompt that would break, and the error of the version itself.
    """
    prompt = version.prompt
    lock(prompt.workspace_id)
    then_live = {**(release or {}), (prompt.pk, label): version}
    check_front_doors(version, label, then_live)
    served = [one.version.pk for one in parents.of(prompt, label) if _stays(one, label, then_live)]
    if not served:
        return
    versions = list(Version.objects.filter(pk__in=served).select_related("prompt").order_by("prompt__name", "number"))
    now = try_many(versions, workspace_id=prompt.workspace_id)
    then = try_many(versions, workspace_id=prompt.workspace_id, overrides=then_live)
    for parent, before, after in zip(versions, now, then, strict=True):
        if isinstance(after, DomainError) and isinstance(before, Resolved):
            raise BadReference(f"{parent} takes {prompt.name} in and would break: {after.message}")


def _stays(parent: parents.Parent, label: str, then_live: Overrides) -> bool:
    """Tell whether somebody is still served this version when everything has moved."""
    if (parent.version.prompt_id, label) not in then_live:
        return parent.pointers.is_pinned_down
    return bool(parent.pointers.labels or set(parent.pointers.environments) - {label})


def check_take_down(prompt: Prompt, label: str, release: Overrides | None = None) -> None:
    """Refuse to let a label or environment lead nowhere when something that is served follows it.

    Takes the workspace's lock. Raises BadReference with the list.
    """
    lock(prompt.workspace_id)
    if served := [one.version for one in parents.of(prompt, label) if _stays(one, label, release or {})]:
        raise BadReference(
            f"Taken in as it is live in {label} by {', '.join(map(str, served[:10]))}. Change them first."
        )


def check_front_doors(version: Version, label: str, then_live: Overrides | None = None) -> None:
    """Refuse to let an environment that asks for anything follow what changes without being asked for there.

    A version never changes, the environment's own name is its own door, and a place behind it in the order is stricter.
    Raises BadReference.
    """
    if not has_references(version):
        return
    resolved = resolve(version, workspace_id=version.prompt.workspace_id, overrides=then_live)
    places = {place.name: place for place in Environment.objects.filter(workspace=version.prompt.workspace_id)}
    here = places.get(label)
    if here is None or here.rules.is_open:
        return
    safe = {name for name, place in places.items() if place.rank >= here.rank and not place.rules.is_open}
    for reference in (used.reference for used in resolved.used):
        if reference.label and reference.label not in safe:
            raise BadReference(
                f"{version} follows {reference}, which changes without what {label} asks for. "
                f"Refer to a version of {reference.name}, or to what is live in {label}."
            )


def parents_of(prompt: Prompt, *, label: str | None = None) -> list[Version]:
    """Return the versions that take a prompt in at any depth and matter: live somewhere, labelled, or the newest.

    With `label` only those whose way to the prompt begins with this label.
    """
    return [parent.version for parent in parents.of(prompt, label)]
