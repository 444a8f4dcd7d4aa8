"""The threads that ask: each takes a job, asks the model, holds the answer to the assertions, and hands the result on."""

import logging
import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from django.db import connection, connections
from django.urls import reverse

from apps.accounts.models import Membership
from apps.core.errors import DomainError
from apps.costs import budgets
from apps.costs.models import Purpose
from apps.experiments import asking, assertions, faults, results
from apps.experiments.breaker import OVER_BUDGET, REFUSED_KEY
from apps.experiments.leases import MAX_ATTEMPTS, Claim
from apps.experiments.models import Case, Output, Run, RunArm
from apps.experiments.results import Result
from apps.llm import inference
from apps.llm.attribution import Attribution
from apps.llm.completion import Completion, CompletionRequest
from apps.llm.errors import Busy, NotWanted, ProviderError
from apps.llm.models import Call

logger = logging.getLogger(__name__)

TIMEOUT = 120.0
ABANDONED = "abandoned"
REFUSED = "refused"
UNJUDGED = "unjudged"


@dataclass(frozen=True)
class Job:
    """An output to ask for, or with a `paid` call only to judge: somebody bought its answer and lost it."""

    claim: Claim
    case: Case
    origin: str
    paid: Call | None = None


class Asker:
    """Threads over one run. Jobs go in, results come out of `answers`, in the order in which they are there.

    Once it is told to halt, a key was refused or a budget is full, nothing more is sent: what waits, for a thread or
    for a place in the model's lane, comes back unasked.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.arms = {arm.pk: arm for arm in run.arms.select_related("version__prompt", "model__connection")}
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.answers: SimpleQueue[Result] = SimpleQueue()
        self.threads: list[threading.Thread] = []
        self.halted = threading.Event()
        self.texts = {arm.pk: asking.composed(arm.version, arm.taken_in) for arm in self.arms.values()}
        self.attributions = {arm.pk: _attribution(run, arm) for arm in self.arms.values()}
        self.case_threshold = float(run.case_threshold) if run.case_threshold is not None else None
        self.address = reverse("output_detail", kwargs={"workspace": run.workspace.slug, "output_id": 0})

    def origin(self, output_id: int) -> str:
        """Return the output's address, by which its calls are found."""
        return self.address.replace("/0/", f"/{output_id}/")

    def grow(self, count: int) -> None:
        """See to it that there are `count` threads."""
        for number in range(len(self.threads), count):
            thread = threading.Thread(target=self._work, name=f"run-{self.run.pk}-{number}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def ask(self, job: Job) -> None:
        self.jobs.put(job)

    def take_back(self) -> list[Job]:
        """Return the jobs that no thread has begun."""
        found: list[Job] = []
        try:
            while True:
                job = self.jobs.get_nowait()
                if job is not None:
                    found.append(job)
        except Empty:
            return found

    def halt(self) -> None:
        """Send nothing more."""
        self.halted.set()

    def _may_send(self) -> bool:
        return not self.halted.is_set()

    def stop(self) -> None:
        """Let every thread end after the call it has made, and wait for them."""
        self.halt()
        self.take_back()
        for _ in self.threads:
            self.jobs.put(None)
        for thread in self.threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (job := self.jobs.get()) is not None:
                self.answers.put(self._result(job))
                if connection.settings_dict.get("OPTIONS", {}).get("pool"):
                    connection.close()  # give it back: other threads borrow from the same pool
        finally:
            connections.close_all()

    def _result(self, job: Job) -> Result:
        try:
            answer = self._answer(job)
        except (NotWanted, Busy):
            return Result(job.claim, Output.State.WAITING, asked=False)
        except budgets.OverBudget as error:
            self.halt()
            return Result(job.claim, Output.State.WAITING, error_kind=OVER_BUDGET, error_message=error.message)
        except ProviderError as error:
            if error.kind in REFUSED_KEY:
                self.halt()  # here, for the thread that reads the answers may be busy storing some
            return _failure(job.claim, error)
        except DomainError as error:
            return _refusal(job.claim, REFUSED, error.message)
        except Exception:
            # The worker's edge: one broken output must not hold its thread, and the log has the trace.
            reference = faults.new_id()
            logger.exception("fault %s: output %s could not be asked for", reference, job.claim.output_id)
            return _again(job.claim, faults.OURS, faults.words(reference))
        return self._judged(answer, job.case)

    def _answer(self, job: Job) -> Result:
        if job.paid:
            return results.from_call(job.claim, job.paid)
        if self.halted.is_set():
            raise NotWanted("The run asks for nothing more.")
        arm = self.arms[job.claim.arm_id]
        attribution = self.attributions[arm.pk]
        completion = inference.complete(
            CompletionRequest(
                model=arm.model,
                messages=asking.filled(self.texts[arm.pk], arm.version.format, job.case.inputs),
                attribution=Attribution(**{**attribution.__dict__, "origin": job.origin}),
                parameters=arm.version.model_config.get("parameters") or {},
                tools=arm.version.tools or [],
                output_schema=arm.version.output_schema,
                timeout=TIMEOUT,
                party=self.run.party,
                reuse=self.run.reuse,
                repeat=job.claim.repeat,
                wanted=self._may_send,
            )
        )
        return _success(job.claim, completion)

    def _judged(self, result: Result, case: Case) -> Result:
        """Hold an answer to the run's assertions."""
        subject = assertions.Subject(result.text, case.inputs, case.expected)
        try:
            result.outcome = assertions.judge(self.run.assertions, subject, case_threshold=self.case_threshold)
        except Exception:
            # The worker's edge: the answer is kept with its call, so a resumed run judges it again and buys nothing.
            reference = faults.new_id()
            logger.exception("fault %s: output %s could not be judged", reference, result.claim.output_id)
            words = f"The answer came in, but its assertions could not be checked. {faults.words(reference)}"
            return Result(
                result.claim, Output.State.FAILED, call_id=result.call_id, error_kind=UNJUDGED, error_message=words
            )
        return result


def _attribution(run: Run, arm: RunArm) -> Attribution:
    member = (
        Membership.objects.filter(workspace=run.workspace_id, user=run.started_by_id).select_related("team").first()
    )
    team = member.team if member else None
    return Attribution(
        purpose=Purpose.EVALUATION,
        team_id=team.pk if team else None,
        team_name=team.name if team else "",
        user_id=run.started_by_id,
        user_name=str(run.started_by) if run.started_by else "",
        prompt_id=arm.version.prompt_id,
        prompt_name=arm.version.prompt.name,
        version_id=arm.version_id,
        version_number=arm.version.number,
    )


def _success(claim: Claim, completion: Completion) -> Result:
    result = Result(
        claim=claim,
        state=Output.State.DONE,
        call_id=completion.call_id,
        text=completion.text,
        finish_reason=completion.finish_reason,
        cost=completion.cost,
    )
    if completion.reused:  # no time and no tokens of this run's: averages are of what was asked
        result.reused, result.saved = True, completion.saved
        return result
    usage = completion.usage
    result.latency_ms = completion.latency_ms
    result.input_tokens, result.output_tokens = usage.total - usage.output - usage.audio_output, usage.output
    return result


def _failure(claim: Claim, error: ProviderError) -> Result:
    if error.kind in REFUSED_KEY:
        # Not this output's fault: it waits until the key is mended.
        return Result(claim, Output.State.WAITING, error_kind=error.kind, error_message=error.message)
    if error.permanent:
        return _refusal(claim, error.kind, error.message, call=error)
    return _again(claim, error.kind, error.message)


def _again(claim: Claim, kind: str, message: str) -> Result:
    if claim.attempts >= MAX_ATTEMPTS:
        return _refusal(claim, kind, message)
    return Result(claim, Output.State.WAITING, error_kind=kind, error_message=message)


def _refusal(claim: Claim, kind: str, message: str, call: ProviderError | None = None) -> Result:
    call_id = call.call_id if call else None
    return Result(claim, Output.State.FAILED, call_id=call_id, error_kind=kind, error_message=message)


def gave_up(claim: Claim) -> Result:
    """Return the end of an output whose worker went away every time it was tried."""
    return _refusal(claim, ABANDONED, f"The worker stopped {MAX_ATTEMPTS} times while it waited for this answer.")
