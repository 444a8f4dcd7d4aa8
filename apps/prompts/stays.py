"""How long texts have been live where: read at once for all prompts and environments that somebody asks about."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from apps.prompts.models import Deployment, DeploymentArm, Environment, Version


class Stay(NamedTuple):
    """What was live of a prompt in an environment from a moment on: the hashes of its texts, none after a take-down."""

    since: datetime
    hashes: frozenset[str]


class Stays:
    """The histories of some prompts in some environments, without their texts."""

    def __init__(self, environment_ids: Iterable[int], prompt_ids: Iterable[int]) -> None:
        self._wanted = {"environment__in": set(environment_ids), "prompt__in": set(prompt_ids)}

    def of(self, version: Version, environment: Environment, now: datetime) -> timedelta | None:
        """Return how long the text of a version has been live in an environment in all; None when it never was."""
        history = self._histories.get((environment.pk, version.prompt_id), [])
        ends = [*(stay.since for stay in history[1:]), now][: len(history)]
        found = [
            end - stay.since for end, stay in zip(ends, history, strict=True) if version.content_hash in stay.hashes
        ]
        return sum(found, timedelta()) if found else None

    @cached_property
    def _histories(self) -> dict[tuple[int, int], list[Stay]]:
        arms = DeploymentArm.objects.filter(
            weight__gt=0, **{f"deployment__{name}": value for name, value in self._wanted.items()}
        )
        hashes: dict[int, set[str]] = {}
        for deployment_id, content_hash in arms.values_list("deployment", "version__content_hash"):
            hashes.setdefault(deployment_id, set()).add(content_hash)
        found: dict[tuple[int, int], list[Stay]] = {}
        for row in Deployment.objects.filter(**self._wanted).order_by("id").only("environment", "prompt", "at", "kind"):
            live = frozenset() if row.is_take_down else frozenset(hashes.get(row.pk, set()))
            found.setdefault((row.environment_id, row.prompt_id), []).append(Stay(row.at, live))
        return found
