"""Prompts as files: one YAML each, which reads back the same."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator

from apps.core import text
from apps.core.errors import DomainError
from apps.prompts.importing import galley
from apps.prompts.models import Prompt, Version
from apps.prompts.models.prompts import PromptQuerySet

MAX_PROMPTS = 2_000
MAX_SIZE = 256 * text.MEGABYTE
CHUNK = 5
# A dot at an edge (a hidden file, the folder above), what systems refuse in names, and the sign that spells them.
ODD = re.compile(r'^\.|[. ]$|^(?=__MACOSX)_|[%<>:"\\|?*\x00-\x1f\x7f]')


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
    target, size = io.BytesIO(), 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for prompt, versions in _in_chunks(ids):
            content = galley.dump(prompt, versions)
            size += len(content)
            if size > MAX_SIZE:
                raise TooManyPrompts("These prompts are over 256 MB together. Export folder by folder.")
            archive.writestr(f"{path_of(prompt.name)}.yaml", content)
    return target.getvalue()


def path_of(name: str) -> str:
    """Return where a prompt's file stands: its name, with what no folder may be called spelled as %2E and the like.

    The name itself stands in the file.
    """
    return "/".join(
        ODD.sub(lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), part)
        for part in name.split("/")
    )


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
