"""What a person may do. Rights are separate; a role is a bundle of them with a name people know."""

import re

from django.db import models


class Right(models.TextChoices):
    VIEW = "view", "see prompts, runs and results"
    EDIT = "edit", "write drafts, versions, datasets and suites"
    REVIEW = "review", "approve or reject change requests"
    PROMOTE = "promote", "put a version live"
    RATE = "rate", "rate answers"
    MANAGE_QUEUES = "manage_queues", "set up rating queues"
    VIEW_SPEND = "view_spend", "see what it costs"
    MANAGE_BUDGETS = "manage_budgets", "set budgets and approve forecasts"
    APPROVE_PRICES = "approve_prices", "approve price lists"
    BYPASS = "bypass", "put a version live in an emergency, without approvals and checks"
    ADMIN = "admin", "manage members, keys, connections and settings"


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    EDITOR = "editor", "Editor"
    REVIEWER = "reviewer", "Reviewer"
    PUBLISHER = "publisher", "Publisher"
    ANNOTATOR = "annotator", "Annotator"
    QUEUE_MANAGER = "queue_manager", "Queue manager"
    FINANCE = "finance", "Finance"
    ON_CALL = "on_call", "On call"
    ADMIN = "admin", "Admin"


RIGHTS_OF: dict[str, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.VIEW}),
    Role.EDITOR: frozenset({Right.VIEW, Right.EDIT}),
    Role.REVIEWER: frozenset({Right.VIEW, Right.REVIEW}),
    Role.PUBLISHER: frozenset({Right.VIEW, Right.PROMOTE}),
    Role.ANNOTATOR: frozenset({Right.RATE}),
    Role.QUEUE_MANAGER: frozenset({Right.VIEW, Right.MANAGE_QUEUES}),
    Role.FINANCE: frozenset({Right.VIEW_SPEND, Right.MANAGE_BUDGETS, Right.APPROVE_PRICES}),
    Role.ON_CALL: frozenset({Right.VIEW, Right.BYPASS}),
    Role.ADMIN: frozenset(Right),
}

ROLE_HELP: dict[str, str] = {
    Role.VIEWER: "Sees prompts, runs and results.",
    Role.EDITOR: "Writes drafts, saves versions, proposes changes and runs tests.",
    Role.REVIEWER: "Approves, questions or rejects change requests.",
    Role.PUBLISHER: "Puts approved versions live and undoes them, in the environments named.",
    Role.ANNOTATOR: "Rates answers, and sees nothing else.",
    Role.QUEUE_MANAGER: "Sets up rating queues and reads their results.",
    Role.FINANCE: "Sees spend, sets budgets and approves prices. Never sees prompt text.",
    Role.ON_CALL: "Beside a publisher's rights: promotes in an emergency without approvals, with a reason; everybody is told.",
    Role.ADMIN: "May do everything, in every environment.",
}


def rights_of(roles: list[str]) -> frozenset[Right]:
    """Return the union of the rights of `roles`; unknown roles give none."""
    return frozenset().union(*(RIGHTS_OF.get(role, frozenset()) for role in roles))


class Scope(models.TextChoices):
    """What an API key may do; `prompts:promote:<environment>` is spelled per environment.

    `prompts:read:<environment>` may stand for `prompts:read` where a key should see what is live there and nothing else.
    """

    PROMPTS_READ = "prompts:read", "fetch prompts"
    PROMPTS_DRAFT = "prompts:draft", "write drafts and versions"
    PROMPTS_PROPOSE = "prompts:propose", "open change requests and report checks"
    CHARGES_WRITE = "charges:write", "send charges"
    SPEND_READ = "spend:read", "read spend"
    CALLS_READ = "calls:read", "read calls with their texts"
    EVALS_RUN = "evals:run", "start test runs"
    ADMIN = "admin", "everything"


PROMOTE_PREFIX = "prompts:promote:"
READ_PREFIX = "prompts:read:"
_ENVIRONMENT = re.compile(r"[A-Za-z0-9_-]{1,40}")


def is_environment(name: str) -> bool:
    """Tell whether an environment could have that name."""
    return bool(_ENVIRONMENT.fullmatch(name))


def is_scope(value: str) -> bool:
    prefix, _, environment = value.rpartition(":")
    return value in Scope.values or (f"{prefix}:" in (PROMOTE_PREFIX, READ_PREFIX) and is_environment(environment))


def words_of(scope: str) -> str:
    """Return what a scope lets a key do, in words."""
    if scope.startswith(PROMOTE_PREFIX):
        return f"put versions live in {scope.removeprefix(PROMOTE_PREFIX)}"
    if scope.startswith(READ_PREFIX):
        return f"fetch what is live in {scope.removeprefix(READ_PREFIX)}"
    return Scope(scope).label if scope in Scope.values else scope
