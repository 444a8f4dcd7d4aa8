"""Tries at one proof: the runs of a suite for the version and the base that a change request names now.

Whoever may start tests may start them until one passes. So the check says which try it rests on, how the others ended,
and whether the suite or its cases were changed on the way.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from apps.experiments.models import Run, Suite
from apps.experiments.models.runs import RunQuerySet
from apps.prompts.models import ChangeRequest, ChangeRequestItem, Check

LISTED = 20


@dataclass(frozen=True)
class Sides:
    """What a proof is about: the version asked for, and the one it is measured against if another one is live."""

    candidate: int
    live: int | None

    @classmethod
    def of(cls, item: ChangeRequestItem) -> Self:
        live = item.base.version.pk if item.base else None
        return cls(item.version_id, None if live == item.version_id else live)


def runs_about(item: ChangeRequestItem) -> RunQuerySet:
    """Return the runs of a request that tried what its item asks for now, against what it names as live."""
    sides = Sides.of(item)
    return Run.objects.filter(change_request=item.change_request_id, suite__prompt=item.prompt_id).about(
        sides.candidate, sides.live
    )


def present(change_request: ChangeRequest, suite: Suite) -> list[Run]:
    """Return the suite's tries at what the request asks for now, newest first."""
    item = change_request.items.filter(prompt=suite.prompt_id).select_related("base").first()
    if item is None:
        return []
    return list(runs_about(item).filter(suite=suite).with_names().select_related("workspace").newest_first())


def of_archived_suites(change_request: ChangeRequest) -> list[Run]:
    """Return tries at what the request asks for now by suites that were archived since, newest first."""
    found: list[Run] = []
    for item in change_request.items.select_related("base"):
        runs = runs_about(item).filter(suite__archived_at__isnull=False)
        found += runs.with_names().select_related("workspace").newest_first()
    return found


@dataclass(frozen=True)
class Attempt:
    """One try: its run, how it ended and in which words."""

    run: Run
    status: Check.Status
    summary: str

    @property
    def label(self) -> str:
        return str(self.status.label).lower()


def changes(attempts: Sequence[Attempt]) -> list[str]:
    """Say what is no longer as it was in the first of these tries, newest first: the suite, its cases."""
    newest, first = attempts[0].run, attempts[-1].run
    cases = [(run.dataset_id, run.dataset_version) for run in (newest, first)]
    found = ["the suite"] if newest.suite_version != first.suite_version else []
    return found + (["its cases"] if cases[0] != cases[1] else [])


def evidence(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return what goes on record about these tries, newest first: the number of the newest and how the others ended."""
    earlier = [
        {
            "attempt": len(attempts) - place,
            "run": attempt.run.pk,
            "status": str(attempt.status.value),
            "label": attempt.label,
            "summary": attempt.summary,
            "suite_version": attempt.run.suite_version,
            "dataset": attempt.run.dataset.name,
            "dataset_version": attempt.run.dataset_version,
        }
        for place, attempt in enumerate(attempts[1:], start=1)
    ]
    return {
        "attempt": len(attempts),
        "earlier_attempts": earlier[:LISTED],
        "suite_version": attempts[0].run.suite_version,
        "changed_since_first": changes(attempts),
    }


def note(attempts: Sequence[Attempt]) -> str:
    """Return the words that a check adds when its run is not the first try."""
    if len(attempts) < 2:
        return ""
    ends = Counter(attempt.label for attempt in attempts[1:])
    before = ", ".join(f"{count} {label}" for label, count in ends.most_common())
    changed = " and ".join(changes(attempts))
    return f" Attempt {len(attempts)} (before: {before}{f'; {changed} changed since the first' if changed else ''})."
