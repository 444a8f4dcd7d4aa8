"""Test runs of the past: claimed and stored by the rooms' own code, answered in this process."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse

from apps.costs import ledger
from apps.costs.models import Purpose
from apps.experiments import asking, assertions, leases, results, runner
from apps.experiments.models import Case, Output, Run, RunArm
from apps.experiments.results import Result
from apps.llm.attribution import Attribution
from apps.llm.completion import CompletionRequest
from apps.llm.models import Call
from llmops_site.demo import voice
from llmops_site.demo.clock import Clock
from llmops_site.demo.people import Cast

ASKED_AT_ONCE = 8
EVERYTHING = 100_000


def work_off(run: Run, cast: Cast, clock: Clock) -> None:
    """Answer every output of a queued run, hold the answers to its assertions, and end it."""
    began = clock.moment
    Run.objects.filter(pk=run.pk, state=Run.State.QUEUED).update(state=Run.State.RUNNING, started_at=began)
    claims = leases.claim(run.pk, wanted=EVERYTHING, cap=EVERYTHING)
    cases = Case.objects.in_bulk({claim.case_id for claim in claims})
    arms = {arm.pk: arm for arm in run.arms.select_related("version__prompt", "model__connection")}
    draw = random.Random(f"{run.suite.name} {[arm.version.number for arm in arms.values()]}")  # noqa: S311  repeatable
    found: list[Result] = []
    said: list[voice.Said] = []
    for claim, at in zip(claims, _moments(began), strict=False):
        heard = voice.ask(_request(run, arms[claim.arm_id], cases[claim.case_id], claim.output_id, cast), at, draw)
        found.append(_judged(run, heard, Result(claim, Output.State.DONE), cases[claim.case_id]))
        said.append(heard)
    Call.objects.bulk_create(heard.call for heard in said)
    ledger.record([heard.charge for heard in said])
    results.store(run, found)
    clock.move_to(said[-1].call.sent_at + timedelta(seconds=2))
    # The statements that claim and store ask the database for the time, and it only knows the present.
    Output.objects.filter(run=run).update(sent_from=began, finished_at=clock.moment)
    runner.finish(run.pk)


def _moments(began: datetime) -> Iterator[datetime]:
    """Yield when each question leaves: so many at once, again and again."""
    place = 0
    while True:
        yield began + timedelta(seconds=1 + place // ASKED_AT_ONCE)
        place += 1


def _request(run: Run, arm: RunArm, case: Case, output_id: int, cast: Cast) -> CompletionRequest:
    starter = run.started_by
    team = cast.team_of(starter) if starter else None
    address = reverse("output_detail", kwargs={"workspace": cast.workspace.slug, "output_id": output_id})
    return CompletionRequest(
        model=arm.model,
        messages=asking.messages(arm.version, case.inputs),
        attribution=Attribution(
            purpose=Purpose.EVALUATION,
            team_id=team.pk if team else None,
            team_name=team.name if team else "",
            user_id=starter.pk if starter else None,
            user_name=str(starter or ""),
            prompt_id=arm.version.prompt_id,
            prompt_name=arm.version.prompt.name,
            version_id=arm.version_id,
            version_number=arm.version.number,
            origin=address,
        ),
        parameters=arm.version.model_config.get("parameters") or {},
        output_schema=arm.version.output_schema,
    )


def _judged(run: Run, heard: voice.Said, result: Result, case: Case) -> Result:
    threshold = float(run.case_threshold) if run.case_threshold is not None else None
    subject = assertions.Subject(heard.answer.text, case.inputs, case.expected)
    result.call_id, result.text = heard.call.pk, heard.answer.text
    result.finish_reason, result.latency_ms = heard.answer.finish_reason, heard.latency_ms
    result.input_tokens, result.output_tokens = heard.usage.input, heard.usage.output
    result.cost = heard.cost
    result.outcome = assertions.judge(run.assertions, subject, case_threshold=threshold)
    return result
