"""The pairs of answers that a test run holds, and who must not judge them. Reads only."""

from apps.core.errors import DomainError
from apps.experiments import attempts
from apps.experiments.models import Output, Run, RunArm
from apps.experiments.models.runs import RunQuerySet
from apps.prompts.models import ChangeRequest
from apps.reviews.sampling import Pair


class NothingToCompare(DomainError):
    """The run holds no two answers worth comparing; the message says why."""


class AllTheSame(NothingToCompare):
    """Every answer is the same as what is live: nobody needs to choose."""


def pairs_of(run: Run) -> list[Pair]:
    """Return the pairs of answers that a run holds. Raises NothingToCompare when it holds none."""
    if run.state != Run.State.DONE:
        raise NothingToCompare("The test run did not finish, so there are no answers to compare")
    candidate, baseline = _arm(run, RunArm.Role.CANDIDATE), _arm(run, RunArm.Role.BASELINE)
    if candidate is None or baseline is None:
        raise NothingToCompare("The run has one side only: nothing was live to compare with")
    outputs = Output.objects.finished().select_related("case").order_by("case_id", "repeat")
    live = {(output.case_id, output.repeat): output for output in outputs.filter(arm=baseline)}
    both = [
        (mine, live[mine.case_id, mine.repeat])
        for mine in outputs.filter(arm=candidate)
        if (mine.case_id, mine.repeat) in live
    ]
    if not both:
        raise NothingToCompare("No case was answered by both sides")
    return [_pair(mine, theirs) for mine, theirs in both]


def is_one_sided(run: Run) -> bool:
    return _arm(run, RunArm.Role.BASELINE) is None


def runs_alike(run: Run, change_request: ChangeRequest) -> RunQuerySet:
    """Return the request's runs of that prompt which tried what the request asks for now, against what it names as live."""
    item = change_request.items.filter(prompt=run.suite.prompt_id).select_related("base").first()
    return attempts.runs_about(item) if item else Run.objects.none()


def is_about(run: Run, change_request: ChangeRequest) -> bool:
    """Tell whether the run is its suite's newest try at what the request asks for now, against what it names as live."""
    newest = runs_alike(run, change_request).filter(suite=run.suite_id).newest_first().first()
    return newest == run


def authors_of(run: Run) -> set[int]:
    """Return who must not rate: who wrote what is judged, and who asks for it."""
    candidates = run.arms.filter(role=RunArm.Role.CANDIDATE)
    wrote = {author for author in candidates.values_list("version__author", flat=True) if author}
    return wrote | ({run.change_request.author_id} if run.change_request else set())


def _arm(run: Run, role: RunArm.Role) -> RunArm | None:
    return run.arms.filter(role=role).order_by("position").first()


def _pair(mine: Output, live: Output) -> Pair:
    return Pair(
        candidate_id=mine.pk,
        baseline_id=live.pk,
        candidate_text=mine.text,
        baseline_text=live.text,
        case_key=str(mine.case.key),
        tags=tuple(mine.case.tags),
        disagrees=mine.passed != live.passed,
    )
