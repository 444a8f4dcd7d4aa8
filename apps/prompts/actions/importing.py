"""Prompts from elsewhere come in: only what is new, and nothing that is live moves."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import canonical, text
from apps.core.errors import DomainError
from apps.prompts import composition, contents, references, shelf
from apps.prompts.actions.prompts import new_prompt
from apps.prompts.importing import Batch, Incoming, IncomingVersion
from apps.prompts.models import Draft, Prompt, Version

LOCK_SPACE = 0x6A11E9


@dataclass
class Line:
    """What came of one prompt: new, more (versions), same or refused."""

    name: str
    status: str = "same"
    added: int = 0
    known: int = 0
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    prompt_id: int | None = None


@dataclass
class Report:
    """What came, or would come, of an import."""

    source: str
    lines: list[Line]
    problems: list[str]

    def count(self, status: str) -> int:
        return sum(line.status == status for line in self.lines)

    @property
    def added(self) -> int:
        return sum(line.added for line in self.lines)

    @property
    def sentence(self) -> str:
        parts = [
            f"{self.count('new')} new prompt{'' if self.count('new') == 1 else 's'}",
            f"{self.count('more')} with new versions",
            f"{self.count('same')} already here",
        ]
        refused = self.count("refused") + len(self.problems)
        return f"{', '.join(parts)}{f', {refused} refused' if refused else ''}: {self.added} versions in all."


@transaction.atomic
def import_prompts(*, workspace: Workspace, batch: Batch, acting_user: User, dry_run: bool) -> Report:
    """Take in every prompt and version that is not here yet, by content, and say what came of each.

    A dry run is the same, taken back at its end. One that is refused leaves the others alone. Nothing goes live and
    no label moves.
    """
    if not dry_run:
        _lock(workspace, batch)  # what is taken back at the end holds nobody up
    lines = [_take_in(workspace, incoming, acting_user) for incoming in _children_first(batch.prompts)]
    report = Report(batch.source, lines, list(batch.problems))
    if dry_run:
        transaction.set_rollback(True)
    elif report.added:
        after = {"source": batch.source, "prompts": report.count("new"), "versions": report.added}
        audit.record(workspace=workspace, actor=acting_user, verb="imported", target=workspace, after=after)
    return report


def _lock(workspace: Workspace, batch: Batch) -> None:
    """Let one import at a time in, and hold the prompts that it may add to; the order is that of `steps`.

    Who takes in whom is locked for an import with references alone: whatever goes live waits for that.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, workspace.pk])
    names = {one.name.strip() for one in batch.prompts if "\x00" not in one.name}
    held = Prompt.objects.filter(workspace=workspace, name__in=names).order_by("pk").select_for_update(no_key=True)
    list(held.values_list("pk", flat=True))
    if any(map(_taken_in, batch.prompts)):
        composition.lock(workspace.pk)


def _children_first(prompts: list[Incoming]) -> Iterator[Incoming]:
    """Yield prompts behind those that they take in, as far as these come in with them."""
    by_name: dict[str, list[Incoming]] = {}
    for one in prompts:
        by_name.setdefault(one.name, []).append(one)
    done: set[int] = set()

    def visit(one: Incoming, depth: int) -> Iterator[Incoming]:
        if id(one) in done or depth > shelf.MAX_DEPTH + 1:
            return
        done.add(id(one))
        for name in _taken_in(one):
            for child in by_name.get(name, []):
                yield from visit(child, depth + 1)
        yield one

    for one in prompts:
        yield from visit(one, 0)


def _taken_in(one: Incoming) -> list[str]:
    """Return the names that the tags in its texts speak of; a broken tag is refused later, with its version."""
    found: list[str] = []
    for version in one.versions:
        for words in _texts(version.content):
            for tag in references.TAG.finditer(words) if references.MARK in words else ():
                with contextlib.suppress(DomainError):
                    found += [reference.name for reference in references.in_text(tag.group())]
    return found


def _texts(content: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of messages and examples, whatever else came in their place."""
    for name in ("messages", "examples"):
        rows = content.get(name)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                yield from (words for words in row.values() if isinstance(words, str))


def _take_in(workspace: Workspace, incoming: Incoming, acting_user: User) -> Line:
    line = Line(incoming.name[:255], notes=list(incoming.notes))
    try:
        with transaction.atomic():
            prompt, is_new = _prompt(workspace, incoming, acting_user)
            known = set(prompt.versions.values_list("content_hash", flat=True))
            for version in incoming.versions:
                if _add(prompt, version, known, acting_user):
                    line.added += 1
                else:
                    line.known += 1
    except DomainError as error:
        return Line(line.name, "refused", problem=error.message, notes=line.notes)
    line.prompt_id = prompt.pk
    if line.added:
        line.status = "new" if is_new else "more"
    if prompt.archived_at:
        line.notes.append("It is archived here, and stays so.")
    return line


def _prompt(workspace: Workspace, incoming: Incoming, acting_user: User) -> tuple[Prompt, bool]:
    name = contents.clean_name(incoming.name)
    prompt = Prompt.objects.select_for_update(no_key=True).filter(workspace=workspace, name=name).first()
    if prompt and prompt.kind != incoming.kind:
        raise DomainError(f"There is a {prompt.kind} prompt of this name; this one is {incoming.kind}.")
    if not incoming.versions:
        raise DomainError("It has no version.")
    if prompt:
        return prompt, False
    created = new_prompt(
        workspace=workspace,
        name=name,
        kind=incoming.kind,
        description=incoming.description,
        tags=incoming.tags,
        owner=acting_user,
    )
    return created, True


def _add(prompt: Prompt, incoming: IncomingVersion, known: set[str], acting_user: User) -> bool:
    """Add one version unless a version says the same. Raises DomainError for what could not be saved by hand."""
    draft = draft_of(prompt, incoming.content, acting_user)
    if contents.content_hash(draft.content()) in known:
        # As it went out once: what it takes in may ask for other variables by now, which makes no new version of it.
        return False
    content = contents.finished(draft)
    identity = contents.content_hash(content)
    if identity in known:
        return False
    known.add(identity)
    message = text.clean(incoming.message or "Imported", field="The message", max_bytes=4_000).strip()[:500]
    newest = prompt.versions.order_by("-number").values_list("number", flat=True).first()
    version = Version(
        prompt=prompt,
        number=(newest or 0) + 1,
        content_hash=identity,
        message=message,
        author=acting_user,
        **content,
    )
    version.save(force_insert=True)
    composition.record(version)
    return True


def draft_of(prompt: Prompt, content: dict[str, Any], acting_user: User) -> Draft:
    """Return the content as a draft nobody keeps. Raises DomainError for shapes that no editor could have made."""
    cleaned = text.clean_tree(content, field="A text")
    try:
        canonical.dumps(cleaned)
    except (TypeError, ValueError):
        raise DomainError("It holds a date or a number that JSON does not have.") from None
    draft = Draft(prompt=prompt, author=acting_user, **cleaned)
    if not isinstance(draft.format, str) or not isinstance(draft.model_config, dict):
        raise DomainError("Its format or its model has the wrong shape.")
    if not isinstance(draft.model_config.get("parameters") or {}, dict):
        raise DomainError("Its parameters have the wrong shape.")
    contents.check_format(draft.format)
    draft.variables = _contract(draft.variables)
    return draft


def _contract(given: Any) -> list[dict[str, Any]]:
    """Return what is known of variables, each with a name and words only where words belong."""
    if not isinstance(given, list) or any(not isinstance(one, dict) for one in given):
        raise DomainError("Its variables have the wrong shape.")
    for one in given:
        words = [one.get(key) or "" for key in ("type", "example", "description")]
        if not isinstance(one.get("name"), str) or any(not isinstance(word, str) for word in words):
            raise DomainError("One of its variables has the wrong shape.")
    return given
