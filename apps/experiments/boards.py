"""What the lists of this room show, read in few queries."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Q

from apps.accounts.models import Workspace
from apps.core import formats
from apps.experiments import figures, reporting
from apps.experiments.breaker import REFUSED_KEY
from apps.experiments.models import Case, Dataset, Output, Run, RunArm, Suite
from apps.llm.models import Connection
from apps.prompts.models import Deployment, Prompt, Version

LISTED_RUNS = 50
LISTED_CASES = 100


@dataclass(frozen=True)
class RunLine:
    """A run as lists show it."""

    run: Run
    done: int
    failed: int
    total: int
    sentence: str

    @property
    def candidate(self) -> RunArm | None:
        return next((arm for arm in self.run.arms.all() if arm.role == RunArm.Role.CANDIDATE), None)

    @property
    def baseline(self) -> RunArm | None:
        return next((arm for arm in self.run.arms.all() if arm.role == RunArm.Role.BASELINE), None)

    @property
    def rate(self) -> dict[str, Any] | None:
        arms = (self.run.summary or {}).get("arms") or [{}]
        rate: dict[str, Any] | None = arms[0].get("rate")
        return rate


def run_lines(runs: list[Run]) -> list[RunLine]:
    """Return the lines of some runs; only those that are active are counted, the others have their summary."""
    active = [run.pk for run in runs if run.is_active]
    counted = (
        Output.objects.filter(run__in=active)
        .values("run")
        .annotate(
            total=Count("pk"),
            done=Count("pk", filter=Q(state=Output.State.DONE)),
            failed=Count("pk", filter=Q(state=Output.State.FAILED)),
        )
    )
    by_run = {row["run"]: dict(row) for row in counted} if active else {}
    return [_line(run, by_run.get(run.pk)) for run in runs]


def _line(run: Run, counts: dict[str, Any] | None) -> RunLine:
    if counts is None:
        arms = (run.summary or {}).get("arms", [])
        done, failed = sum(arm["answered"] for arm in arms), sum(arm["failed"] for arm in arms)
        counts = {"done": done, "failed": failed, "total": done + failed}
    sentence = run.reason or (reporting.verdict(run) if run.summary else "")
    return RunLine(run, counts["done"], counts["failed"], counts["total"], sentence)


def active_runs(workspace: Workspace) -> list[RunLine]:
    return run_lines(list(workspace.runs.active().with_names().newest_first()[:20]))


def runs_before(
    workspace: Workspace, before: int | None, suite: Suite | None = None
) -> tuple[list[RunLine], int | None]:
    """Return a page of runs older than `before`, and where the next page begins."""
    runs = workspace.runs.with_names().newest_first()
    if before:
        runs = runs.filter(pk__lt=before)
    if suite:
        runs = runs.filter(suite=suite)
    found = list(runs[: LISTED_RUNS + 1])
    more = found[LISTED_RUNS - 1].pk if len(found) > LISTED_RUNS else None
    return run_lines(found[:LISTED_RUNS]), more


def suites(workspace: Workspace) -> list[tuple[Suite, RunLine | None]]:
    """Return the suites in use, each with its newest run."""
    rows = list(
        Suite.objects.active()
        .filter(workspace=workspace)
        .select_related("prompt", "dataset")
        .order_by("prompt__name", "name")[:500]
    )
    newest = Run.objects.filter(suite__in=rows).order_by().values("suite").annotate(newest=Max("pk"))
    runs = Run.objects.with_names().filter(pk__in=[row["newest"] for row in newest])
    lines = {line.run.suite_id: line for line in run_lines(list(runs))}
    return [(suite, lines.get(suite.pk)) for suite in rows]


def cases_after(dataset: Dataset, after: int) -> tuple[list[Case], int | None]:
    """Return a page of the dataset's present cases, and where the next one begins."""
    found = list(dataset.cases.current().filter(position__gt=after).in_order()[: LISTED_CASES + 1])
    more = found[LISTED_CASES - 1].position if len(found) > LISTED_CASES else None
    return found[:LISTED_CASES], more


def input_names(dataset: Dataset) -> list[str]:
    """Return the names of inputs that the dataset's newest cases have."""
    names: dict[str, None] = {}
    for inputs in dataset.cases.current().order_by("-id").values_list("inputs", flat=True)[:20]:
        names.update(dict.fromkeys(inputs))
    return list(names)


def proposed_arms(suite: Suite) -> dict[str, int]:
    """Return what a run would usually compare: the newest version against what is live in the strictest environment."""
    newest = Version.objects.filter(prompt=suite.prompt_id).newest_first().first()
    live = _live_version(suite.prompt)
    found = {"candidate": newest.pk} if newest else {}
    if live and newest and live.pk != newest.pk:
        found["baseline"] = live.pk
    return found


def _live_version(prompt: Prompt) -> Version | None:
    current = Deployment.objects.current().filter(prompt=prompt).select_related("environment")
    newest = current.prefetch_related("arms__version").order_by("-environment__rank").first()
    return newest.version if newest else None


def ensure_figures(run: Run) -> None:
    """Give a run that ended without figures (it was cancelled) those of what had come in; nothing is stored."""
    if run.summary is None:
        run.summary = figures.summary(run)


def part_sentence(run: Run) -> str:
    """Return how far a run came that ended before its last answer; nothing for one that is done."""
    if run.state not in (Run.State.CANCELLED, Run.State.FAILED):
        return ""
    counts = figures.progress(run)
    ending = "Cancelled" if run.state == Run.State.CANCELLED else "Stopped"
    return f"{ending} after {formats.number(counts['done'])} of {formats.number(counts['total'])} answers."


def refused_connections(run: Run) -> list[Connection]:
    """Return the connections whose key was refused, so that a run had to stop; they are named until it is resumed."""
    if run.state != Run.State.FAILED:
        return []
    waiting = Output.objects.filter(run=run, state=Output.State.WAITING, error_kind__in=REFUSED_KEY)
    models = waiting.values("arm__model")
    return list(Connection.objects.filter(models__in=models).distinct().order_by("name"))


@dataclass(frozen=True)
class Reuse:
    """What kept answers did for a run, in its figures."""

    answers: int
    saved: Decimal


def reuse(run: Run) -> Reuse:
    arms = (run.summary or {}).get("arms", [])
    return Reuse(sum(arm["reused"] for arm in arms), sum((Decimal(arm["saved"] or 0) for arm in arms), Decimal(0)))


@dataclass(frozen=True)
class Progress:
    """How far a run is: counts, pace, time left, money and errors."""

    counts: dict[str, Any]
    rate: float | None
    left_ms: float | None


def progress(run: Run, now: datetime) -> Progress:
    counts = figures.progress(run)
    if not run.started_at or not counts["ended"]:
        return Progress(counts, None, None)
    seconds = max((now - run.started_at).total_seconds(), 0.001)
    pace = counts["ended"] / seconds
    return Progress(counts, pace, 1000.0 * round((counts["total"] - counts["ended"]) / pace))
