"""Providers under test and the official clients that talk to them."""

import json
import os
import shlex
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anthropic
import openai
import pytest

from apps.llm.practice_provider import server
from apps.llm.practice_provider.process import running, running_command

SECOND = "SECOND_PROVIDER_COMMAND"
SYSTEM = "You are a support agent at Acme Outdoor. Reply to the customer's message."
MESSAGE = (
    "Hello, my order #48213 arrived yesterday but the kettle is cracked and leaking. What happens now? Regards, Maria"
)


@contextmanager
def provider_named(name: str) -> Iterator[str]:
    """Serve our provider or the second one; skip when there is no second."""
    if name == "ours":
        with running() as url:
            yield url
        return
    if not os.environ.get(SECOND):
        pytest.skip(f"{SECOND} names no second provider")
    port = server.claim("127.0.0.1", 0)
    parts = [part.format(port=port) for part in shlex.split(os.environ[SECOND])]
    with running_command(parts, f"http://127.0.0.1:{port}") as url:
        yield url


def control(url: str, name: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Call a control route: GET without data, POST with."""
    body = None if data is None else json.dumps(data).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/__{name}", data=body), timeout=10) as answer:
        return json.loads(answer.read())


def openai_client(url: str, **options: Any) -> openai.OpenAI:
    """Return the official client, its own retries off."""
    return openai.OpenAI(
        base_url=f"{url}/v1", **{"api_key": "sk-practice", "max_retries": 0, "timeout": 20.0, **options}
    )


def anthropic_client(url: str, **options: Any) -> anthropic.Anthropic:
    """Return the official client, its own retries off."""
    return anthropic.Anthropic(base_url=url, **{"api_key": "sk-practice", "max_retries": 0, "timeout": 20.0, **options})


def chat(url: str, *, model: str = "practice-small", user: str = MESSAGE, system: str = SYSTEM, **options: Any) -> Any:
    """Ask for a chat completion."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    with openai_client(url) as client:
        return client.chat.completions.create(model=model, messages=messages, **options)


def streamed(url: str, *, user: str = MESSAGE, **options: Any) -> list[Any]:
    """Ask for a streamed chat completion and return its chunks."""
    messages: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
    with openai_client(url) as client:
        return list(
            client.chat.completions.create(
                **{"model": "practice-small", "messages": messages, "stream": True, **options}
            )
        )


def message(
    url: str, *, model: str = "practice-claude", user: str = MESSAGE, system: Any = SYSTEM, **options: Any
) -> Any:
    """Ask for a message."""
    asked = {
        "model": model,
        "system": system,
        "messages": [{"role": "user", "content": user}],
        "max_tokens": 500,
        **options,
    }
    with anthropic_client(url) as client:
        return client.messages.create(**asked)
