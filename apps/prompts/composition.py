"""Stand-in until references are resolved."""

from dataclasses import dataclass, field
from typing import Any

from apps.prompts.models.prompts import Content


@dataclass(frozen=True)
class Resolved:
    messages: list[dict[str, Any]]
    variables: list[dict[str, Any]]
    references: list[dict[str, Any]] = field(default_factory=list)


def resolve(content: Content, *, workspace_id: int, environment: str | None = None) -> Resolved:
    return Resolved(content.messages, content.variables)
