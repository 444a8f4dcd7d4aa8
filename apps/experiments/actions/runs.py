"""Writing: runs. What is asked for here is done by `runner`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User
from apps.core.errors import Conflict, DomainError
from apps.experiments import asking, attempts, relatives, reporting, tasks
from apps.experiments.models import Case, Output, Run, RunArm, Suite
from apps.experiments.signals import run_finished
from apps.llm.models import Model
from apps.prompts.composition import Resolved
from apps.prompts.models import ChangeRequest, Version

MAX_OUTPUTS = 200_000
MAX_ARMS = 6
BATCH = 2_000


@dataclass(frozen=True)
class Arm:
    """What to run: a version, on a model or on the one that the version names.

    `taken_in` says where labels in its text lead instead of where they lead now, as `RunArm.taken_in`.
    """

    version: Version
    role: str = RunArm.Role.CANDIDATE
    model: Model | None = None
    taken_in: Mapping[str, int] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[int, int | None, frozenset[tuple[str, int]]]:
        return self.version.pk, self.model.pk if self.model else None, frozenset(self.taken_in.items())


@transaction.atomic
def start_run(
    *,
    suite: Suite,
    arms: Sequence[Arm],
    acting_user: User,
    change_request: ChangeRequest | None = None,
    concurrency: int = 32,
    reuse: bool = False,
) -> Run:
    """Queue a run of every case on every arm. Nothing is sent before every case is known to fit every version.

    With `reuse`, answers that the workspace kept may serve again. Raises CaseDoesNotFit naming case and variable,
    NoModel, and DomainError for no case, no arm, too many outputs, or evidence that would not be new.
    """
    if reuse and change_request:
        raise DomainError("Evidence for a change request is always asked anew.")
    suite = Suite.objects.select_related("workspace", "dataset", "prompt").get(pk=suite.pk)
    _require_arms(suite, arms)
    cases = list(Case.objects.filter(dataset=suite.dataset_id).in_version(suite.dataset.version).in_order())
    if not cases:
        raise DomainError(f"The dataset {suite.dataset.name} has no cases. Add some, then start the run.")
    total = len(cases) * len(arms) * suite.repeats
    if total > MAX_OUTPUTS:
        raise DomainError(f"This would be {total:,} answers; at most {MAX_OUTPUTS:,} fit into one run.")
    texts = [asking.composed(arm.version, arm.taken_in) for arm in arms]
    asking.require_fit(cases, [(arm.version, text) for arm, text in zip(arms, texts, strict=True)], suite.assertions)
    run = Run.objects.create(
        workspace=suite.workspace,
        suite=suite,
        suite_version=suite.version,
        dataset=suite.dataset,
        dataset_version=suite.dataset.version,
        assertions=suite.assertions,
        pass_threshold=suite.pass_threshold,
        case_threshold=suite.case_threshold,
        repeats=suite.repeats,
        concurrency=max(1, min(concurrency, 512)),
        reuse=reuse,
        change_request=change_request,
        started_by=acting_user,
    )
    run_arms = _create_arms(run, arms, texts)
    for batch in _batches(_outputs(run, run_arms, cases)):
        Output.objects.bulk_create(batch)
    reporting.report_run(run)
    after = {"versions": [arm.version.number for arm in arms], "outputs": total, "dataset_version": run.dataset_version}
    audit.record(workspace=run.workspace, actor=acting_user, verb="started", target=run, after=after)
    tasks.ring(run.pk, total)
    return run


def _require_arms(suite: Suite, arms: Sequence[Arm]) -> None:
    if not any(arm.role == RunArm.Role.CANDIDATE for arm in arms):
        raise DomainError("Choose a version to test.")
    if len(arms) > MAX_ARMS:
        raise DomainError(f"At most {MAX_ARMS} versions can be run side by side.")
    if sum(arm.role == RunArm.Role.BASELINE for arm in arms) > 1:
        raise DomainError("A run is measured against one baseline.")
    if any(arm.version.prompt_id != suite.prompt_id for arm in arms):
        raise DomainError(f"The suite {suite.name} belongs to {suite.prompt.name}; choose versions of that prompt.")
    if len({arm.identity for arm in arms}) < len(arms):
        raise DomainError("The same version is chosen twice; choose another, or another model for it.")
    if any(arm.model and arm.model.workspace_id != suite.workspace_id for arm in arms):
        raise DomainError("A model of another workspace cannot be used.")


def _create_arms(run: Run, arms: Sequence[Arm], texts: Sequence[Resolved]) -> list[RunArm]:
    return RunArm.objects.bulk_create(
        RunArm(
            run=run,
            position=position,
            role=arm.role,
            version=arm.version,
            model=arm.model or asking.model_of(arm.version),
            taken_in=asking.frozen(text),
        )
        for position, (arm, text) in enumerate(zip(arms, texts, strict=True))
    )


def _outputs(run: Run, arms: list[RunArm], cases: list[Case]) -> Iterator[Output]:
    """Yield outputs case by case, so that both arms of a case are answered about the same time."""
    for repeat in range(1, run.repeats + 1):
        for case in cases:
            for arm in arms:
                yield Output(run=run, arm=arm, case=case, repeat=repeat)


def _batches(outputs: Iterator[Output]) -> Iterator[list[Output]]:
    batch: list[Output] = []
    for output in outputs:
        batch.append(output)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


@transaction.atomic
def cancel_run(*, run: Run, acting_user: User) -> Run:
    """Stop a run; what is answered is kept. Raises Conflict when it has ended."""
    reason = f"Cancelled by {acting_user}."
    changed = Run.objects.filter(pk=run.pk, state__in=Run.ACTIVE).update(
        state=Run.State.CANCELLED, finished_at=timezone.now(), reason=reason[:500]
    )
    run = _loaded(run)
    if not changed:
        raise Conflict(f"This run is already {run.get_state_display().lower()}.")
    run_finished.send(sender=Run, run=run)
    reporting.report_run(run)
    audit.record(workspace=run.workspace, actor=acting_user, verb="cancelled", target=run)
    return run


@transaction.atomic
def resume_run(*, run: Run, acting_user: User) -> Run:
    """Ask again for what failed or was not asked for; answers that came in are kept and not bought again.

    Raises Conflict while the run is active and DomainError when nothing is missing.
    """
    locked = Run.objects.select_for_update(no_key=True).get(pk=run.pk)
    if locked.is_active:
        raise Conflict("This run is still going on.")
    missing = Output.objects.filter(run=locked).exclude(state=Output.State.DONE)
    left = missing.count()
    if not left:
        raise DomainError("Every answer is in; there is nothing to resume.")
    retried = missing.failed().update(
        state=Output.State.WAITING, finished_at=None, attempts=0, error_kind="", error_message="", call=None
    )
    missing.filter(state=Output.State.WAITING).update(attempts=0, error_kind="", error_message="")
    Run.objects.filter(pk=locked.pk).update(
        state=Run.State.QUEUED, reason="", started_at=None, finished_at=None, summary=None
    )
    run = _loaded(run)
    reporting.report_run(run)
    audit.record(workspace=run.workspace, actor=acting_user, verb="resumed", target=run, after={"retried": retried})
    tasks.ring(run.pk, left)
    return run


def _loaded(run: Run) -> Run:
    return Run.objects.with_names().select_related("workspace").get(pk=run.pk)


@transaction.atomic
def start_change_request_tests(*, change_request: ChangeRequest, acting_user: User) -> list[Run]:
    """Run every suite of the request's prompts: the version asked for against what is live. Reports the check `tests`.

    So do the suites of prompts that take one of them in and are live: with what is asked for inside against as it is.
    A suite that cannot be run is reported with the reason; the others run. Raises Conflict for a request that is closed.
    """
    change_request = reporting.locked(change_request)
    if not change_request.is_waiting:
        raise Conflict(f"This request is already {change_request.get_state_display().lower()}.")
    items = {item.prompt_id: item for item in change_request.items.select_related("version", "base")}
    moved = relatives.moved_by(change_request)
    wanted: list[tuple[Suite, list[Arm]]] = []
    for suite in reporting.suites_of(change_request):
        item = items[suite.prompt_id]
        arms = [Arm(item.version, taken_in=moved)]
        if item.base and attempts.Sides.of(item).live is not None:
            arms.append(Arm(item.base.version, RunArm.Role.BASELINE))
        wanted.append((suite, arms))
    for relative in relatives.of(change_request):
        inside = Arm(relative.version, taken_in=relative.moved)
        wanted.append((relative.suite, [inside, Arm(relative.version, RunArm.Role.BASELINE)]))
    runs: list[Run] = []
    problems: dict[int, str] = {}
    for suite, arms in wanted:
        try:
            runs.append(start_run(suite=suite, arms=arms, acting_user=acting_user, change_request=change_request))
        except DomainError as error:
            problems[suite.pk] = error.message
    reporting.report(change_request, problems)
    return runs
