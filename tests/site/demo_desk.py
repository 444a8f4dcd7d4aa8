"""What the demo's tests stand on: a database of their own, and the practice provider asked over its socket."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from django.test import override_settings

from apps.costs import partitions, pricing
from apps.costs.models import Purpose
from apps.experiments.models import Output
from apps.llm.attribution import Attribution
from apps.llm.completion import CompletionRequest
from apps.llm.dialects import DIALECTS
from apps.llm.models import Connection


@contextmanager
def own_database(suffix: str, var: Path) -> Iterator[None]:
    """Work in a fresh copy of the test database, whose append-only rows would otherwise stay for every other test."""
    shared = connection.settings_dict["NAME"]
    empty = shared.removesuffix("_demo")
    mine = f"{empty}_{suffix}"
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{mine}" TEMPLATE "{empty}"')
    connection.settings_dict["NAME"] = mine
    _forget()
    try:
        with override_settings(GALLEY_VAR=var):
            yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = shared
        _forget()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{mine}" WITH (FORCE)')


def _forget() -> None:
    partitions._known.clear()
    pricing.forget()


def said_by(url: str, output: Output) -> str:
    """Ask the running provider what an output's call asked."""
    assert output.call is not None
    kind = output.arm.model.connection.kind
    asked = CompletionRequest(
        model=output.arm.model, attribution=Attribution(purpose=Purpose.EVALUATION), **output.call.body.request
    )
    spoken = kind == Connection.Kind.ANTHROPIC
    request = urllib.request.Request(
        f"{url}/v1/messages" if spoken else f"{url}/v1/chat/completions",
        json.dumps(DIALECTS[kind].body(asked)).encode(),
        {
            "Content-Type": "application/json",
            "Authorization": "Bearer k",
            "x-api-key": "k",
            "anthropic-version": "2023-06-01",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return DIALECTS[kind].read(json.loads(answer.read())).text
