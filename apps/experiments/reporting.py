"""What the tests say of a change request: the check `tests`, made of the newest run of every suite of its prompts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.urls import reverse

from apps.core import formats
from apps.experiments import attempts, relatives, statistics
from apps.experiments.attempts import Attempt
from apps.experiments.models import Run, RunArm, Suite
from apps.experiments.relatives import Relative
from apps.experiments.statistics import Finding
from apps.prompts import actions as prompts
from apps.prompts.models import ChangeRequest, Check

CHECK = "tests"
ALLOWED_WITHOUT_ANSWER = 0.05
ORDER = (Check.Status.PENDING, Check.Status.ERRORED, Check.Status.FAILED, Check.Status.PASSED)


@dataclass(frozen=True)
class Standing:
    """Where one suite, or all of them, stand on a change request."""

    status: Check.Status
    summary: str
    url: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def suite_url(suite: Suite) -> str:
    return reverse("suite_detail", kwargs={"workspace": suite.workspace.slug, "suite_id": suite.pk})


def run_url(run: Run) -> str:
    return reverse("run_detail", kwargs={"workspace": run.workspace.slug, "run_id": run.pk})


def locked(change_request: ChangeRequest) -> ChangeRequest:
    """Take the request's row until the transaction ends, so that what it asks for stays what is reported on."""
    rows = ChangeRequest.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("workspace", "environment", "author").get(pk=change_request.pk)


def report_run(run: Run) -> None:
    """Report the check again, if the run belongs to a change request that still waits."""
    if run.change_request:
        report(run.change_request)


def report(change_request: ChangeRequest, problems: Mapping[int, str] | None = None) -> None:
    """Report the check `tests`. `problems` says, by suite id, why a run could not be started."""
    change_request = locked(change_request)
    if not change_request.is_waiting:
        return
    standing = standing_of(change_request, problems or {})
    prompts.report_check(
        change_request=change_request,
        name=CHECK,
        status=standing.status,
        summary=standing.summary,
        evidence=standing.evidence,
        url=standing.url,
    )


def suites_of(change_request: ChangeRequest) -> list[Suite]:
    """Return the suites that hold the prompts of a request."""
    prompt_ids = change_request.items.values_list("prompt", flat=True)
    return list(
        Suite.objects.active().filter(prompt__in=prompt_ids).select_related("workspace", "prompt").order_by("id")
    )


def newest_run(change_request: ChangeRequest, suite: Suite) -> Run | None:
    """Return the newest run of the suite for the version and the base that the request names now."""
    return next(iter(attempts.present(change_request, suite)), None)


def standing_of(change_request: ChangeRequest, problems: Mapping[int, str]) -> Standing:
    """Return where the tests of a request stand: the worst of its suites."""
    suites, related = suites_of(change_request), relatives.of(change_request)
    if not suites and not related:
        return Standing(
            Check.Status.ERRORED,
            "This prompt has no test suite yet. Make one, then start the tests here again.",
            reverse("suite_create", kwargs={"workspace": change_request.workspace.slug}),
            {"suites": []},
        )
    standings = [_of_suite(change_request, suite, problems.get(suite.pk, "")) for suite in suites]
    standings += [_of_relative(change_request, one, problems.get(one.suite.pk, "")) for one in related]
    # What only lives inside others is proved by their tests.
    held = {suite.prompt_id for suite in suites}.union(*(one.inside for one in related))
    standings += _untested(change_request, held)
    # Of those that stand alike, the one that took most tries speaks.
    worst = min(standings, key=lambda each: (ORDER.index(each.status), -each.evidence.get("attempt", 0)))
    summary, evidence = worst.summary, worst.evidence
    if len(standings) > 1:
        passed = sum(standing.status == Check.Status.PASSED for standing in standings)
        summary = f"{passed} of {len(standings)} suites passed. {summary}"
        evidence = {**evidence, "suites": [standing.evidence for standing in standings]}
    if archived := [_attempt(run) for run in attempts.of_archived_suites(change_request)]:
        evidence = {**evidence, "archived_suites": [_archived(attempt) for attempt in archived]}
        names = sorted({attempt.run.suite.name for attempt in archived if attempt.status == Check.Status.FAILED})
        summary += f" Failed, and archived since: {', '.join(names)}." if names else ""
    return Standing(worst.status, summary, worst.url, evidence)


def _untested(change_request: ChangeRequest, held: set[int]) -> list[Standing]:
    """Return what stands for the prompts of a request that no suite holds: the tests of the others prove nothing."""
    bare = change_request.items.exclude(prompt__in=held).order_by("prompt__name").values_list("prompt__name", flat=True)
    url = reverse("suite_create", kwargs={"workspace": change_request.workspace.slug})
    words = "has no test suite yet. Make one, then start the tests here again."
    return [Standing(Check.Status.ERRORED, f"{name} {words}", url, {"suite": None, "prompt": name}) for name in bare]


def _of_relative(change_request: ChangeRequest, relative: Relative, problem: str) -> Standing:
    """Return where the suite of a prompt stands that takes in what the request moves."""
    standing = _of_tries(relative.suite, relatives.tries(change_request, relative), problem)
    summary = f"{relative.version.prompt.name}, which takes it in: {standing.summary}"
    return replace(standing, summary=summary, evidence={**standing.evidence, "parent": str(relative.version)})


def _attempt(run: Run) -> Attempt:
    standing = of_run(run)
    return Attempt(run, standing.status, standing.summary)


def _archived(attempt: Attempt) -> dict[str, Any]:
    run = attempt.run
    return {"suite": run.suite.name, "run": run.pk, "status": attempt.status.value, "summary": attempt.summary}


def _of_suite(change_request: ChangeRequest, suite: Suite, problem: str) -> Standing:
    return _of_tries(suite, attempts.present(change_request, suite), problem)


def _of_tries(suite: Suite, runs: list[Run], problem: str) -> Standing:
    tries = [_attempt(run) for run in runs]
    evidence = attempts.evidence(tries) if tries else {}
    if not tries or problem:
        words = problem or "Its tests have not been run for this version. Start them here."
        found = {"suite": suite.name, **evidence}
        return Standing(Check.Status.ERRORED, f"{suite.name}: {words}", suite_url(suite), found)
    newest = of_run(tries[0].run)
    return Standing(newest.status, newest.summary + attempts.note(tries), newest.url, {**newest.evidence, **evidence})


def of_run(run: Run) -> Standing:
    """Return what one run says."""
    url = run_url(run)
    base = {"suite": run.suite.name, "run": run.pk, "url": url}
    if run.is_active:
        return Standing(Check.Status.PENDING, f"{run.suite.name} is running.", url, base)
    evidence = {**base, **(run.summary or {}), "pass_threshold": str(run.pass_threshold)}
    if run.state != Run.State.DONE:
        words = run.reason or "It was cancelled. Resume it or start it again."
        return Standing(Check.Status.ERRORED, f"{run.suite.name}: {words}", url, evidence)
    status, summary = judge(run)
    return Standing(status, summary, url, {**evidence, "sentence": summary})


def judge(run: Run) -> tuple[Check.Status, str]:
    """Say whether a run that is done lets its candidate pass, and why.

    It does not without cases, with too many answers missing, under the suite's threshold, or when it is worse than
    what is live by more than chance.
    """
    figures = run.summary or {}
    candidate = next((arm for arm in figures.get("arms", []) if arm["role"] == RunArm.Role.CANDIDATE), None)
    if candidate is None or not candidate["rate"]["n"]:
        return Check.Status.FAILED, "No case was answered, so nothing is proved."
    if missing := _missing(figures):
        return Check.Status.ERRORED, missing
    rate, wanted = candidate["rate"], float(run.pass_threshold)
    passes = f"{_count(rate['passed'])} of {rate['n']} cases pass ({formats.percent(rate['share'])})"
    if rate["share"] < wanted - 1e-9:
        return Check.Status.FAILED, f"{passes}; the suite asks for {formats.percent(wanted)}."
    comparison = next((item for item in figures["comparisons"] if item["arm"] == candidate["arm"]), None)
    if comparison is None:
        span = f"{formats.percent(rate['low'])} to {formats.percent(rate['high'])}"
        return Check.Status.PASSED, f"{passes}, 95 % interval {span}. Nothing is live yet to compare it with."
    if comparison["finding"] == Finding.WORSE:
        return Check.Status.FAILED, comparison["sentence"]
    return Check.Status.PASSED, f"{comparison['sentence']} {passes[0].upper()}{passes[1:]}."


def _missing(figures: dict[str, Any]) -> str:
    for arm in figures["arms"]:
        asked = arm["answered"] + arm["failed"]
        if arm["failed"] > ALLOWED_WITHOUT_ANSWER * asked:
            return f"{arm['failed']} of {asked} answers of version {arm['version']} are missing. Resume the run to get them."
    return ""


def _count(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def verdict(run: Run) -> str:
    """Return the one sentence that a finished run's page opens with."""
    figures = run.summary or {}
    if figures.get("comparisons"):
        return str(figures["comparisons"][0]["sentence"])
    if not figures.get("arms"):
        return "No answer has come in."
    rate = figures["arms"][0]["rate"]
    if not rate["n"]:
        return "No case was answered, so nothing is proved."
    span = f"{formats.percent(rate['low'])} to {formats.percent(rate['high'])}"
    few = " That is too few to lean on." if rate["n"] < statistics.MIN_CASES else ""
    return (
        f"{_count(rate['passed'])} of {rate['n']} cases pass "
        f"({formats.percent(rate['share'])}, 95 % interval {span}).{few}"
    )


@dataclass(frozen=True)
class Card:
    """A suite on a change request, as its page shows it."""

    suite: Suite
    run: Run | None
    standing: Standing


def cards(change_request: ChangeRequest) -> list[Card]:
    """Return a card for every suite that holds a prompt of the request."""
    return [
        Card(suite, newest_run(change_request, suite), _of_suite(change_request, suite, ""))
        for suite in suites_of(change_request)
    ] + [
        Card(one.suite, next(iter(relatives.tries(change_request, one)), None), _of_relative(change_request, one, ""))
        for one in relatives.of(change_request)
    ]
