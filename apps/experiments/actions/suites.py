"""Writing: suites, what a prompt must get right."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User
from apps.core import canonical
from apps.core.errors import Conflict, DomainError
from apps.experiments import assertions
from apps.experiments.actions.datasets import clean_name
from apps.experiments.models import Dataset, Suite
from apps.prompts.models import Prompt

MAX_REPEATS = 20
SHARE = Decimal("0.001")


@transaction.atomic
def create_suite(
    *,
    prompt: Prompt,
    dataset: Dataset,
    name: str,
    rules: dict[str, Any],
    acting_user: User,
) -> Suite:
    """Make a suite. `rules` are {"assertions", "repeats", "pass_threshold", "case_threshold"}.

    Raises DomainError for rules that cannot be held, naming the faulty row, and for a name that is taken.
    """
    _require_one_workspace(prompt, dataset)
    suite = Suite(
        workspace=prompt.workspace, prompt=prompt, dataset=dataset, name=clean_name(name), created_by=acting_user
    )
    for field, value in clean_rules(rules).items():
        setattr(suite, field, value)
    try:
        with transaction.atomic():
            suite.save(force_insert=True)
    except IntegrityError:
        raise DomainError(f"{prompt.name} already has a suite called {suite.name}.") from None
    audit.record(workspace=suite.workspace, actor=acting_user, verb="created", target=suite, after=_facts(suite))
    return suite


@transaction.atomic
def update_suite(
    *, suite: Suite, name: str, dataset: Dataset, rules: dict[str, Any], version: int, acting_user: User
) -> Suite:
    """Change a suite; runs keep the rules that they were started with.

    Raises Conflict when somebody changed it since `version`, else as `create_suite`.
    """
    rows = Suite.objects.select_for_update(of=("self",), no_key=True).select_related("workspace", "prompt")
    locked = rows.get(pk=suite.pk)
    if locked.version != version:
        raise Conflict("Somebody changed this suite while you edited it. Look at it again.")
    _require_one_workspace(locked.prompt, dataset)
    before = _facts(locked)
    locked.name, locked.dataset, locked.version = clean_name(name), dataset, version + 1
    for field, value in clean_rules(rules).items():
        setattr(locked, field, value)
    try:
        with transaction.atomic():
            locked.save()
    except IntegrityError:
        raise DomainError(f"{locked.prompt.name} already has a suite called {locked.name}.") from None
    audit.record(
        workspace=locked.workspace,
        actor=acting_user,
        verb="changed",
        target=locked,
        before=before,
        after=_facts(locked),
    )
    return locked


@transaction.atomic
def archive_suite(*, suite: Suite, acting_user: User) -> None:
    """Take a suite out of use: change requests no longer ask for it; its runs stay."""
    Suite.objects.filter(pk=suite.pk, archived_at=None).update(archived_at=timezone.now())
    audit.record(workspace=suite.workspace, actor=acting_user, verb="archived", target=suite)


def clean_rules(rules: dict[str, Any]) -> dict[str, Any]:
    """Return the rules as they are stored. Raises DomainError naming what is wrong."""
    repeats = rules.get("repeats", 1)
    if not isinstance(repeats, int) or not 1 <= repeats <= MAX_REPEATS:
        raise DomainError(f"Repeats must be a whole number from 1 to {MAX_REPEATS}.")
    case_threshold = rules.get("case_threshold")
    return {
        "assertions": assertions.validate(rules.get("assertions")),
        "repeats": repeats,
        "pass_threshold": _share(
            rules.get("pass_threshold", 0), "The share of cases that must pass", lowest=Decimal(0)
        ),
        "case_threshold": None
        if case_threshold is None
        else _share(case_threshold, "The score at which a case passes", lowest=SHARE),
    }


def _share(given: Any, what: str, *, lowest: Decimal) -> Decimal:
    try:
        share = Decimal(str(given)).quantize(SHARE)
    except InvalidOperation:
        raise DomainError(f"{what} is not a number.") from None
    if not lowest <= share <= 1:
        raise DomainError(f"{what} must be above 0 and at most 100 %." if lowest else f"{what} must be 0 to 100 %.")
    return share


def _require_one_workspace(prompt: Prompt, dataset: Dataset) -> None:
    if prompt.workspace_id != dataset.workspace_id:
        raise DomainError("Prompt and dataset belong to different workspaces.")


def _facts(suite: Suite) -> dict[str, Any]:
    return {
        "name": suite.name,
        "dataset": suite.dataset_id,
        "version": suite.version,
        "repeats": suite.repeats,
        "pass_threshold": str(suite.pass_threshold),
        "assertions": canonical.sha256(suite.assertions),
    }
