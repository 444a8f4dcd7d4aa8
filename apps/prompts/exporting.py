"""Prompts as files: one YAML each, which reads back the same."""

import io
import zipfile
from collections.abc import Iterable, Iterator

from apps.core.errors import DomainError
from apps.prompts.importing import galley
from apps.prompts.models import Prompt, Version
from apps.prompts.models.prompts import PromptQuerySet

MAX_PROMPTS = 2_000
CHUNK = 50


class TooManyPrompts(DomainError):
    """More than one file should hold."""

    code = "too-many"


def file_of(prompt: Prompt, *, number: int | None = None) -> str:
    """Return the file of a prompt with all its versions, or with one."""
    versions = prompt.versions.order_by("number")
    return galley.dump(prompt, versions.filter(number=number) if number else versions)


def archive_of(prompts: PromptQuerySet) -> bytes:
    """Return a zip with a file for each prompt in the folders of their names. Raises TooManyPrompts."""
    ids = list(prompts.order_by("name", "id").values_list("pk", flat=True)[: MAX_PROMPTS + 1])
    if len(ids) > MAX_PROMPTS:
        raise TooManyPrompts(f"That is over {MAX_PROMPTS:,} prompts. Export folder by folder.")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for prompt, versions in _in_chunks(ids):
            archive.writestr(f"{prompt.name}.yaml", galley.dump(prompt, versions))
    return target.getvalue()


def _in_chunks(ids: list[int]) -> Iterator[tuple[Prompt, Iterable[Version]]]:
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        versions: dict[int, list[Version]] = {}
        for version in Version.objects.filter(prompt__in=chunk).order_by("prompt", "number"):
            versions.setdefault(version.prompt_id, []).append(version)
        by_id = Prompt.objects.in_bulk(chunk)
        for pk in chunk:
            if pk in by_id and versions.get(pk):
                yield by_id[pk], versions[pk]
