"""What the books take of a span, and what they leave alone."""

from typing import Any

import pytest

from apps.accounts.models import Workspace
from apps.accounts.rights import Scope
from apps.costs.models import Charge, Quarantined
from tests import factories
from tests.costs.ingesting import CHAT, backlog, export, item, price_of, send, span


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[1]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://desk.example.com:8443", {"server.address": "desk.example.com", "server.port": 8443}),
        ("https://desk.example.com", {"server.address": "Desk.example.com", "server.port": 443}),
        ("http://desk.example.com", {"server.address": "desk.example.com"}),
    ],
)
def test_a_call_through_us_is_not_paid_for_twice(
    secret: str, settings: Any, url: str, server: dict[str, str | int]
) -> None:
    settings.PUBLIC_URL = url
    other = {**CHAT, "server.address": "api.openai.com", "server.port": 443}
    export(secret, backlog(span({**CHAT, **server}, 1), span(other, 2)))
    assert Charge.objects.get().source_id.endswith("2")


def test_a_text_that_is_too_long_for_a_name_is_left_out_whole(secret: str) -> None:
    long = "CANARY what the customer wrote " * 20
    facts = {
        "user.id": long,
        "customer.id": long,
        "galley.tag.note": long,
        f"galley.tag.{long}": "x",
        "galley.tag.ok": "y",
    }
    export(secret, backlog(span({**CHAT, **facts}), resource={"deployment.environment.name": long}))
    charge = Charge.objects.get()
    assert (charge.tags, charge.environment) == ({"ok": "y"}, "")
    assert "CANARY" not in str(Charge.objects.values().get())
    send(secret, item(long), item(long, at="?"))
    assert "CANARY" not in str([*Charge.objects.values(), *Quarantined.objects.values()])
