"""Environments and what they ask for."""

from typing import Any

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core.errors import DomainError
from apps.prompts.actions import reviewing
from apps.prompts.models import Environment

BUILT_IN_CHECKS = ("tests", "people")
OPEN_POLICY = {"approvals": 0, "self_approval": True, "checks": []}
PRODUCTION_POLICY = {"approvals": 1, "self_approval": False, "checks": list(BUILT_IN_CHECKS)}
FIRST = (("dev", OPEN_POLICY), ("staging", OPEN_POLICY), ("production", PRODUCTION_POLICY))


@transaction.atomic
def create_environments(*, workspace: Workspace, acting_user: User | None) -> list[Environment]:
    """Give a workspace dev, staging and production, unless it has environments."""
    if workspace.environments.exists():
        return list(workspace.environments.ranked())
    made = [
        Environment.objects.create(workspace=workspace, name=name, rank=rank, policy=policy)
        for rank, (name, policy) in enumerate(FIRST)
    ]
    for environment in made:
        audit.record(
            workspace=workspace, actor=acting_user, verb="created", target=environment, after=environment.policy
        )
    return made


@transaction.atomic
def update_policy(
    *, environment: Environment, approvals: int, self_approval: bool, checks: list[str], acting_user: User
) -> Environment:
    """Change what an environment asks for. Raises DomainError for a policy that nobody could meet."""
    if not 0 <= approvals <= 10:
        raise DomainError("Ask for 0 to 10 approvals.")
    environment = Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
    before: dict[str, Any] = environment.policy
    environment.policy = {"approvals": approvals, "self_approval": self_approval, "checks": sorted(set(checks))}
    environment.save(update_fields=["policy"])
    reviewing.settle_change_requests(requests=list(environment.change_requests.waiting()))
    audit.record(
        workspace=environment.workspace,
        actor=acting_user,
        verb="changed policy",
        target=environment,
        before=before,
        after=environment.policy,
    )
    return environment
