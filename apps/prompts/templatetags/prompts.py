"""How rows of prompts read."""

from collections.abc import Iterable
from dataclasses import dataclass

from django import template

from apps.prompts.models import Deployment, Environment

register = template.Library()


@dataclass(frozen=True)
class Place:
    """What is live somewhere, and whether that differs from the place before it."""

    environment: Environment
    version: int
    differs: bool


@register.filter
def with_differences(live: Iterable[Deployment]) -> list[Place]:
    """Return the places, lowest first; one that serves another version than the one before it is marked."""
    found: list[Place] = []
    for deployment in live:
        number = deployment.version.number
        found.append(Place(deployment.environment, number, bool(found) and found[-1].version != number))
    return found
