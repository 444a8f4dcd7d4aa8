"""What every reader returns."""

from dataclasses import dataclass, field
from typing import Any

from apps.core import text
from apps.core.errors import DomainError

MAX_BYTES = 8 * text.MEGABYTE
MAX_PROMPTS = 2_000
MAX_VERSIONS = 5_000


class Unreadable(DomainError):
    """What was given is not what any reader knows, or only a part of it."""

    code = "unreadable"


@dataclass
class IncomingVersion:
    """One text as it will be checked: `content` has the fields of a draft, those that are missing stay empty."""

    content: dict[str, Any]
    message: str = ""


@dataclass
class Incoming:
    """A prompt from elsewhere, its versions oldest first, and what could not be taken along."""

    name: str
    kind: str
    versions: list[IncomingVersion]
    description: str = ""
    tags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Batch:
    """All that one source held, what it is, and what in it could not be read."""

    source: str
    prompts: list[Incoming] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def check(self) -> "Batch":
        """Return the batch. Raises Unreadable when it is empty or too much at once."""
        if not self.prompts and not self.problems:
            raise Unreadable("No prompt was found in it.")
        if len(self.prompts) > MAX_PROMPTS or sum(len(one.versions) for one in self.prompts) > MAX_VERSIONS:
            raise Unreadable(f"At most {MAX_PROMPTS:,} prompts with {MAX_VERSIONS:,} versions come in at once.")
        return self
