from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.accounts.models import Workspace
from apps.core.ids import uuid7
from apps.costs import ledger, pricing
from apps.costs.ledger import NewCharge
from apps.costs.models import Purpose

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)
MakeCharge = Callable[..., NewCharge]


def new_charge(workspace_id: int, at: datetime = NOON, **values: Any) -> NewCharge:
    """Return a charge of one cent by a named team for version 3 of a prompt, unless told otherwise."""
    facts: dict[str, Any] = {
        "id": values.pop("id", None) or uuid7(at),
        "provider": "openai",
        "model": "gpt-4o",
        "purpose": Purpose.PRODUCTION,
        "cost": Decimal("0.01"),
        "input_tokens": 100,
        "output_tokens": 20,
        "team_id": 7,
        "team_name": "Support",
        "prompt_id": 11,
        "prompt_name": "support/reply",
        "version_id": 113,
        "version_number": 3,
        "environment": "production",
        "api_key_id": 5,
        "api_key_name": "shop",
        "latency_ms": 400,
    }
    return NewCharge(workspace_id=workspace_id, **{**facts, **values})


@pytest.fixture(autouse=True)
def no_remembered_prices() -> None:
    pricing.forget()


@pytest.fixture
def make_charge(workspace: Workspace) -> MakeCharge:
    return lambda at=NOON, **values: new_charge(workspace.pk, at, **values)


@pytest.fixture
def book(make_charge: MakeCharge) -> Callable[..., NewCharge]:
    """Book one charge and return it."""

    def booked(at: datetime = NOON, **values: Any) -> NewCharge:
        charge = make_charge(at, **values)
        assert ledger.record([charge]) == 1
        return charge

    return booked
