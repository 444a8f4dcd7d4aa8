"""Tests of the prompts that take in what a change request moves: each live parent with the candidate inside."""

from collections import defaultdict
from dataclasses import dataclass

from apps.experiments.models import Run, RunArm, Suite
from apps.prompts import parents
from apps.prompts.models import ChangeRequest, Version
from apps.prompts.parents import Parent


@dataclass(frozen=True)
class Relative:
    """A suite of a parent, the version of it that is live, and what the request puts inside: as `RunArm.taken_in`.

    `inside` are the prompts of the request that the parent takes in, at any depth.
    """

    suite: Suite
    version: Version
    moved: dict[str, int]
    inside: frozenset[int]


def of(change_request: ChangeRequest) -> list[Relative]:
    """Return the suites of every prompt that is live and would change with the request, without its own prompts'."""
    place = change_request.environment.name
    items = list(change_request.items.select_related("prompt"))
    mine = {item.prompt_id for item in items}
    live: dict[int, list[Parent]] = defaultdict(list)
    inside: dict[int, set[int]] = defaultdict(set)
    for item in items:
        for parent in parents.of(item.prompt, place):
            if parent.pointers.environments and parent.version.prompt_id not in mine:
                inside[parent.version.prompt_id].add(item.prompt_id)
                live[parent.version.prompt_id].append(parent)
    versions = {prompt_id: _foremost(found, place) for prompt_id, found in live.items()}
    suites = Suite.objects.active().filter(prompt__in=versions).select_related("workspace", "prompt").order_by("id")
    moved = moved_by(change_request)
    return [
        Relative(
            suite,
            versions[suite.prompt_id],
            {RunArm.place(child, place): moved[RunArm.place(child, place)] for child in inside[suite.prompt_id]},
            frozenset(inside[suite.prompt_id]),
        )
        for suite in suites
    ]


def _foremost(found: list[Parent], environment: str) -> Version:
    """Return the version that is live where the request goes, else the newest that is live."""
    return max(found, key=lambda one: (environment in one.pointers.environments, one.version.number)).version


def moved_by(change_request: ChangeRequest) -> dict[str, int]:
    """Return what would be live when the request is promoted: by prompt and environment, as `RunArm.taken_in` has it."""
    rows = change_request.items.values_list("prompt", "version")
    return {RunArm.place(prompt, change_request.environment.name): version for prompt, version in rows}


def tries(change_request: ChangeRequest, relative: Relative) -> list[Run]:
    """Return the runs of a relative's suite with what the request asks for now inside, newest first."""
    arms = RunArm.objects.filter(
        role=RunArm.Role.CANDIDATE, version=relative.version, taken_in__contains=relative.moved
    )
    runs = Run.objects.filter(change_request=change_request, suite=relative.suite, arms__in=arms)
    return list(runs.with_names().select_related("workspace").newest_first())
