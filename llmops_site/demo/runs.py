"""Test runs of the past: claimed and stored by the rooms' own code, answered in this process or from kept answers."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse

from apps.costs.models import Purpose
from apps.experiments import asking, assertions, leases, results, runner
from apps.experiments.leases import Claim
from apps.experiments.models import Case, Output, Run, RunArm
from apps.experiments.results import Result
from apps.llm.attribution import Attribution
from apps.llm.completion import CompletionRequest
from llmops_site.demo import troubles, voice
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
    requests: list[CompletionRequest] = []
    for claim, at in zip(claims, _moments(began), strict=False):
        request = _request(run, arms[claim.arm_id], cases[claim.case_id], claim, cast)
        heard = (voice.reuse(request, at) if run.reuse else None) or voice.ask(
            request, at, draw, troubles=troubles.at_a_run(draw)
        )
        found.append(_judged(run, heard, Result(claim, Output.State.DONE), cases[claim.case_id]))
        requests.append(request)
        said.append(heard)
    voice.store(said)
    if run.reuse:
        for request, heard in zip(requests, said, strict=True):
            voice.keep(request, heard)
    results.store(run, found)
    clock.move_to(max(heard.ended_at for heard in said) + timedelta(seconds=2))
    # The statements that claim and store ask the database for the time, and it only knows the present.
    Output.objects.filter(run=run).update(sent_from=began, finished_at=clock.moment)
    runner.finish(run.pk)


def _moments(began: datetime) -> Iterator[datetime]:
    """Yield when each question leaves: so many at once, again and again."""
    place = 0
    while True:
        yield began + timedelta(seconds=1 + place // ASKED_AT_ONCE)
        place += 1


def _request(run: Run, arm: RunArm, case: Case, claim: Claim, cast: Cast) -> CompletionRequest:
    starter = run.started_by
    team = cast.team_of(starter) if starter else None
    address = reverse("output_detail", kwargs={"workspace": cast.workspace.slug, "output_id": claim.output_id})
    return CompletionRequest(
        model=arm.model,
        messages=asking.messages(arm.version, case.inputs, arm.taken_in),
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
        party=run.party,
        reuse=run.reuse,
        repeat=claim.repeat,
    )


def _judged(run: Run, heard: voice.Said, result: Result, case: Case) -> Result:
    assert heard.answer is not None  # noqa: S101  what a run meets is never for good
    threshold = float(run.case_threshold) if run.case_threshold is not None else None
    subject = assertions.Subject(heard.answer.text, case.inputs, case.expected)
    result.call_id, result.text, result.cost = heard.call.pk, heard.answer.text, heard.cost
    result.finish_reason = heard.answer.finish_reason
    result.reused, result.saved = heard.reused, heard.saved
    if not heard.reused:
        result.latency_ms = heard.call.latency_ms
        result.input_tokens, result.output_tokens = heard.usage.input, heard.usage.output
    result.outcome = assertions.judge(run.assertions, subject, case_threshold=threshold)
    return result
