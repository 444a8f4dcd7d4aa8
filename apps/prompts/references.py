"""The tag by which a prompt takes in another: spelled as the Langfuse SDKs spell it, so that their prompts move over."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from apps.core.errors import DomainError

MARK = "@@@"
TAG = re.compile(r"@@@langfusePrompt:(?P<inside>[^\n]*?)@@@")


class BadReference(DomainError):
    """A tag that names no prompt, or a prompt that cannot be taken in."""

    code = "reference"


@dataclass(frozen=True, order=True)
class Reference:
    """Another prompt by name, pinned to a version or following a label (an environment's name or a plain label)."""

    name: str
    version: int | None = None
    label: str | None = None

    @property
    def tag(self) -> str:
        which = f"version={self.version}" if self.version is not None else f"label={self.label}"
        return f"@@@langfusePrompt:name={self.name}|{which}@@@"

    def __str__(self) -> str:
        return f"{self.name} v{self.version}" if self.version is not None else f"{self.name} ({self.label})"


def in_text(text: str) -> list[Reference]:
    """Return the references of a text in order of appearance, each once. Raises BadReference for a broken tag."""
    if MARK not in text:
        return []
    return list(dict.fromkeys(_read(match["inside"]) for match in TAG.finditer(text)))


def replace(text: str, with_text: Callable[[Reference], str]) -> str:
    """Return the text with each tag replaced. Raises BadReference for a broken tag."""
    if MARK not in text:
        return text
    return TAG.sub(lambda match: with_text(_read(match["inside"])), text)


def _read(inside: str) -> Reference:
    fields = dict(part.partition("=")[::2] for part in inside.split("|"))
    name, version, label = fields.pop("name", ""), fields.pop("version", ""), fields.pop("label", "")
    if not name or fields or bool(version) == bool(label):
        raise BadReference(f"The reference “{inside[:80]}” must name a prompt, and a version or a label.")
    if version and not (version.isascii() and version.isdigit() and 0 < len(version) < 10):
        raise BadReference(f"The version in the reference to {name[:80]} must be a whole number.")
    return Reference(name, int(version) if version else None, label or None)
