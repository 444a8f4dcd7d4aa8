"""What the models room needs: a practice provider over a real socket, and models that reach it in both languages."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.accounts.models import Workspace
from apps.costs import pricing
from apps.costs.models import Meter, Price, Purpose
from apps.llm import clients
from apps.llm.attribution import Attribution
from apps.llm.completion import CompletionRequest
from apps.llm.models import Connection, Model
from apps.llm.practice_provider import process
from tests import factories

KEY = "sk-canary-0123456789-never-to-be-seen"
INPUT_PRICE = Decimal("0.000001")
OUTPUT_PRICE = Decimal("0.000004")


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    with process.running(retry_after=0.02, hang_s=30) as url:
        yield url


@pytest.fixture
def set_provider(provider: str) -> Iterator[Callable[..., None]]:
    """Set knobs of the provider for one test."""

    def post(path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"{provider}/__{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).close()

    post("reset", {})
    yield lambda **knobs: post("config", knobs)
    post("reset", {})


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    clients.forget()
    pricing.forget()
    yield
    clients.forget()


@pytest.fixture
def connection(workspace: Workspace, provider: str) -> Connection:
    return factories.make_connection(workspace, f"{provider}/v1", key=KEY)


@pytest.fixture
def claude_connection(workspace: Workspace, provider: str) -> Connection:
    return factories.make_connection(workspace, provider, name="Claude", kind=Connection.Kind.ANTHROPIC, key=KEY)


@pytest.fixture
def model(connection: Connection) -> Model:
    return priced(factories.make_model(connection))


@pytest.fixture
def claude(claude_connection: Connection) -> Model:
    return priced(factories.make_model(claude_connection, "practice-claude"))


def priced(model: Model) -> Model:
    """Give the model a price for input and output."""
    for meter, price in ((Meter.INPUT, INPUT_PRICE), (Meter.OUTPUT, OUTPUT_PRICE)):
        Price.objects.create(
            workspace=model.workspace,
            provider=model.connection.provider,
            model=model.name,
            meter=meter,
            unit_price=price,
            valid_from=datetime(2020, 1, 1, tzinfo=UTC),
            source="test",
        )
    return model


def ask(model: Model, fault: str = "", **fields: Any) -> CompletionRequest:
    """Return a request; a fault is wished for by the model's name, which the practice provider reads."""
    if fault:
        model = priced(factories.make_model(model.connection, f"{model.name}!{fault}"))
    fields = {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my order?"}],
        "attribution": Attribution(purpose=Purpose.PLAYGROUND, user_name="Paula", prompt_name="support/reply"),
        "timeout": 5.0,
        **fields,
    }
    return CompletionRequest(model=model, **fields)
