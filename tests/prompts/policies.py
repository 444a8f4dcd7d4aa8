"""What the tests of policies share: a policy that is set, a request that is ready, and every way to the door."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.accounts.models import ApiKey, User
from apps.core.ids import uuid7
from apps.costs import ledger
from apps.costs.ledger import NewCharge
from apps.costs.models import Purpose
from apps.prompts import actions
from apps.prompts.freezes import Weekly, read
from apps.prompts.models import ChangeRequest, Deployment, Environment, Version

LISBON = ZoneInfo("Europe/Lisbon")
WEEKEND = Weekly(read("fri 16:00"), read("mon 08:00"))
WEDNESDAY = datetime(2026, 12, 2, 12, tzinfo=LISBON)
SATURDAY = datetime(2026, 12, 5, 12, tzinfo=LISBON)
Path = Callable[[], object]


def ask(environment: Environment, **rules: Any) -> Environment:
    """Set parts of an environment's policy as an admin would, without one."""
    from apps.prompts import rules as policy

    environment.policy = policy.stored(environment.rules.with_(**rules))
    environment.save(update_fields=["policy"])
    return environment


def live_of(environment: Environment, version: Version) -> Deployment | None:
    return Deployment.objects.by_prompt(environment.pk, [version.prompt_id]).get(version.prompt_id)


def deploying(version: Version, environment: Environment, actor: User | ApiKey, request: ChangeRequest | None) -> Path:
    """Return the one door as programs and commands use it."""
    return lambda: actions.deploy(
        version=version,
        environment=environment,
        actor=actor,
        replaces=live_of(environment, version),
        change_request=request,
    )


def charges(version: Version, count: int, cost: str = "0.01", at: datetime = WEDNESDAY, **fields: Any) -> None:
    """Book calls of a version in production, or what `fields` say."""
    facts: dict[str, Any] = {
        "workspace_id": version.prompt.workspace_id,
        "provider": "practice",
        "model": "practice-small",
        "purpose": Purpose.PRODUCTION,
        "cost": Decimal(cost),
        "input_tokens": 100,
        "output_tokens": 20,
        "team_id": 7,
        "team_name": "Support",
        "prompt_id": version.prompt_id,
        "prompt_name": version.prompt.name,
        "version_id": version.pk,
        "version_number": version.number,
        "environment": "production",
        "api_key_id": 5,
        "api_key_name": "shop",
        "latency_ms": 400,
        **fields,
    }
    ledger.record([NewCharge(id=uuid7(at), **facts) for _ in range(count)])
