"""Writing: datasets and their cases. Every change of cases makes a new version of the dataset."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Min
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import canonical, text
from apps.core.errors import Conflict, DomainError
from apps.experiments import importing
from apps.experiments.importing import NewCase
from apps.experiments.models import Case, Dataset, Suite
from apps.experiments.models.datasets import DatasetQuerySet
from apps.prompts.models import Prompt

MAX_CASES = 50_000


def clean_name(name: str, *, limit: int = 120) -> str:
    name = text.clean(name, field="The name", max_bytes=limit * 4).strip()
    if not name or len(name) > limit:
        raise DomainError(f"A name needs 1 to {limit} characters.")
    return name


@transaction.atomic
def create_dataset(*, workspace: Workspace, name: str, description: str = "", acting_user: User) -> Dataset:
    """Make an empty dataset. Raises DomainError for a name that is bad or taken."""
    dataset = Dataset(
        workspace=workspace,
        name=clean_name(name),
        description=text.clean(description, field="The description", max_bytes=2000).strip()[:500],
        created_by=acting_user,
    )
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
    except IntegrityError:
        raise DomainError(f"There is already a dataset called {dataset.name}.") from None
    audit.record(workspace=workspace, actor=acting_user, verb="created", target=dataset)
    return dataset


@transaction.atomic
def archive_dataset(*, dataset: Dataset, acting_user: User) -> None:
    """Take a dataset out of the lists. Raises DomainError while a suite uses it."""
    if used := dataset.suites.active().first():
        raise DomainError(f"The suite {used.name} uses this dataset. Archive the suite first.")
    Dataset.objects.filter(pk=dataset.pk, archived_at=None).update(archived_at=timezone.now())
    audit.record(workspace=dataset.workspace, actor=acting_user, verb="archived", target=dataset)


@transaction.atomic
def add_cases(*, dataset: Dataset, cases: Sequence[NewCase], acting_user: User) -> list[Case]:
    """Add cases, all or none, as the dataset's next version. Raises DomainError for a bad one or too many."""
    if not cases:
        raise DomainError("There is no case to add.")
    clean = [importing.clean(case) for case in cases]
    locked = _locked(dataset)
    known = locked.cases.current().count()
    if known + len(clean) > MAX_CASES:
        raise DomainError(f"A dataset holds at most {MAX_CASES:,} cases; this one has {known:,}.")
    position = (locked.cases.aggregate(last=Max("position"))["last"] or 0) + 1
    version = _next_version(locked)
    rows = [
        Case(
            dataset=locked,
            position=position + offset,
            name=case.name or f"Case {position + offset}",
            inputs=case.inputs,
            expected=case.expected,
            tags=case.tags,
            added_in=version,
        )
        for offset, case in enumerate(clean)
    ]
    created = Case.objects.bulk_create(rows, batch_size=1000)
    after = {"version": version, "added": len(created), "hash": canonical.sha256([case.inputs for case in clean])}
    audit.record(workspace=locked.workspace, actor=acting_user, verb="added cases to", target=locked, after=after)
    dataset.version = version
    return created


@transaction.atomic
def keep_case(
    *, prompt: Prompt, case: NewCase, dataset: Dataset | None = None, acting_user: User
) -> tuple[Case, Dataset]:
    """Make a case of something that was tried: in `dataset`, else in that of the prompt's first suite, else in a new one.

    Raises DomainError for inputs that are too large, and as `add_cases`.
    """
    if dataset is None:
        dataset = tests_of(prompt).first() or _tried_out(prompt, acting_user)
    return add_cases(dataset=dataset, cases=[case], acting_user=acting_user)[0], dataset


def tests_of(prompt: Prompt) -> DatasetQuerySet:
    """Return the datasets of a prompt's suites, that of the oldest suite first."""
    suites = Suite.objects.active().filter(prompt=prompt)
    mine = Dataset.objects.active().filter(workspace=prompt.workspace_id, suites__in=suites)
    return mine.annotate(first_suite=Min("suites__pk")).order_by("first_suite", "pk")


def _tried_out(prompt: Prompt, acting_user: User) -> Dataset:
    """Return the dataset for what was tried of a prompt without suites."""
    name = f"Tried out: {prompt.name}"[:120]
    known = Dataset.objects.active().filter(workspace=prompt.workspace_id, name=name).first()
    if known:
        return known
    try:
        with transaction.atomic():
            return create_dataset(workspace=prompt.workspace, name=name, acting_user=acting_user)
    except DomainError:  # somebody else made it in this moment, or it is archived
        return create_dataset(
            workspace=prompt.workspace,
            name=f"{name[:100]} ({timezone.now():%Y-%m-%d %H:%M:%S})",
            acting_user=acting_user,
        )


def import_cases(*, dataset: Dataset, content: str, format: str = "", acting_user: User) -> list[Case]:
    """Add the cases of a JSONL or CSV text, all or none. Raises BadImport naming every line that is wrong."""
    return add_cases(dataset=dataset, cases=importing.parse(content, format=format), acting_user=acting_user)


@transaction.atomic
def edit_case(*, case: Case, new: NewCase, acting_user: User) -> Case:
    """Replace a case by a new revision with the same key. Raises Conflict when it was edited or removed meanwhile."""
    clean = importing.clean(new)
    dataset = _locked(case.dataset)
    version = _next_version(dataset)
    _end(case, version)
    revision = Case.objects.create(
        dataset=dataset,
        key=case.key,
        position=case.position,
        name=clean.name or case.name,
        inputs=clean.inputs,
        expected=clean.expected,
        tags=clean.tags,
        added_in=version,
    )
    before, after = _fingerprint(case), {**_fingerprint(revision), "version": version}
    audit.record(
        workspace=dataset.workspace, actor=acting_user, verb="edited case", target=revision, before=before, after=after
    )
    return revision


@transaction.atomic
def remove_case(*, case: Case, acting_user: User) -> None:
    """Take a case out of the next version; runs of earlier versions keep it. Raises Conflict when it is gone already."""
    dataset = _locked(case.dataset)
    version = _next_version(dataset)
    _end(case, version)
    after = {"version": version}
    audit.record(
        workspace=dataset.workspace,
        actor=acting_user,
        verb="removed case",
        target=case,
        before=_fingerprint(case),
        after=after,
    )


def _locked(dataset: Dataset) -> Dataset:
    # Not the whole row: a suite that names it and waits for the audit chain must be able to commit meanwhile.
    rows = Dataset.objects.select_for_update(of=("self",), no_key=True).select_related("workspace")
    locked = rows.get(pk=dataset.pk)
    if locked.archived_at:
        raise DomainError("This dataset is archived.")
    return locked


def _next_version(dataset: Dataset) -> int:
    dataset.version += 1
    dataset.save(update_fields=["version"])
    return dataset.version


def _end(case: Case, version: int) -> None:
    if not Case.objects.filter(pk=case.pk, removed_in=None).update(removed_in=version):
        raise Conflict("Somebody changed or removed this case meanwhile. Look at it again.")


def _fingerprint(case: Case) -> dict[str, Any]:
    return {"key": str(case.key), "hash": canonical.sha256([case.inputs, case.expected, case.tags])}
