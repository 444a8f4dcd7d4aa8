"""Langfuse's own Python SDK, as it is installed, against a live server."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from langfuse import Langfuse
from langfuse.api import MethodNotAllowedError
from langfuse.api.core import ApiError

from apps.accounts.models import User, Workspace
from apps.prompts import actions
from apps.prompts.models import ChangeRequest, Deployment, Environment, Label, Prompt, Version
from tests import factories
from tests.prompts.serving import web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SCOPES = ("prompts:read", "prompts:draft", "prompts:promote:dev", "prompts:promote:staging")
Environments = dict[str, Environment]


@pytest.fixture
def sdk(workspace: Workspace, environments: Environments, paula: User, live_server: Any) -> Iterator[Langfuse]:
    key, secret = factories.make_api_key(workspace, *SCOPES, created_by=paula)
    with client(key.public_id, secret, live_server.url) as made:
        yield made


@contextmanager
def client(public_id: str, secret: str, url: str) -> Iterator[Langfuse]:
    with httpx.Client(timeout=30) as line:
        made = Langfuse(
            public_key=public_id, secret_key=secret, base_url=url, tracing_enabled=False, timeout=30, httpx_client=line
        )
        yield made
        made.shutdown()


def test_the_keys_are_found_good(sdk: Langfuse) -> None:
    assert sdk.auth_check()


def test_a_text_prompt_is_created_fetched_and_compiled(sdk: Langfuse) -> None:
    sdk.create_prompt(name="shop/film", prompt="Tell me of {{ film }}.", labels=["dev"], config={"model": "small"})
    prompt = sdk.get_prompt("shop/film", label="dev")
    assert prompt.compile(film="Heat") == "Tell me of Heat."
    assert (prompt.version, prompt.config, prompt.labels) == (1, {"model": "small"}, ["dev", "latest"])
    assert prompt.variables == ["film"]


MESSAGES = [
    {"role": "system", "content": "You know {{subject}}."},
    {"type": "placeholder", "name": "history"},
    {"role": "user", "content": "{{question}}"},
]


def test_a_chat_prompt_with_a_placeholder_is_compiled(sdk: Langfuse) -> None:
    sdk.create_prompt(name="chat", type="chat", prompt=MESSAGES, labels=["staging"], tags=["b", "a"])
    prompt = sdk.get_prompt("chat", type="chat", label="staging")
    compiled = prompt.compile(subject="films", question="Why?", history=[{"role": "user", "content": "Hi"}])
    assert [message["content"] for message in compiled] == ["You know films.", "Hi", "Why?"]
    assert prompt.tags == ["a", "b"]
    assert Version.objects.get().messages == MESSAGES


CONFIG = {
    "model": "gpt-4o",
    "temperature": 0.2,
    "max_tokens": 99,
    "stop": ["\n"],
    "own": {"deep": [1, None]},
    "seed": "not a number",
    "tools": [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}],
    "output_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
}


def test_a_config_comes_back_whole_and_is_understood(sdk: Langfuse) -> None:
    sdk.create_prompt(name="configured", prompt="x", labels=["dev"], config=CONFIG)
    assert sdk.get_prompt("configured", label="dev").config == CONFIG
    version = Version.objects.get()
    assert version.model_config["parameters"] == {"temperature": 0.2, "max_tokens": 99}
    assert version.model_config["config"] == {"stop": ["\n"], "own": {"deep": [1, None]}, "seed": "not a number"}
    assert (version.tools, version.output_schema) == (CONFIG["tools"], CONFIG["output_schema"])


def test_a_version_is_fetched_by_number(sdk: Langfuse) -> None:
    for text in ("one", "two"):
        sdk.create_prompt(name="counted", prompt=text, commit_message=f"say {text}")
    assert sdk.get_prompt("counted", version=1).prompt == "one"
    latest = sdk.get_prompt("counted", label="latest")
    assert (latest.prompt, latest.commit_message) == ("two", "say two")


def test_sending_the_same_again_makes_no_new_version(sdk: Langfuse) -> None:
    found = [sdk.create_prompt(name="same", prompt="as ever", labels=[label]).version for label in ("a", "b")]
    assert found == [1, 1]
    assert sorted(Label.objects.values_list("name", flat=True)) == ["a", "b"]


def test_labels_are_moved_from_version_to_version(sdk: Langfuse) -> None:
    for text in ("one", "two"):
        sdk.create_prompt(name="moved", prompt=text, labels=["blue"])
    updated = sdk.update_prompt(name="moved", version=1, new_labels=["blue", "dev"])
    assert updated.labels == ["dev", "blue"]
    assert sdk.get_prompt("moved", label="blue").version == 1
    assert Deployment.objects.get().environment.name == "dev"


def test_production_moves_by_a_change_request_only(sdk: Langfuse) -> None:
    with pytest.raises(ApiError) as refused:
        sdk.create_prompt(name="guarded", prompt="x", labels=["production", "blue"])
    assert refused.value.status_code == 403
    assert "/w/acme/prompts/new/" in refused.value.body["message"]
    assert not Prompt.objects.exists()
    sdk.create_prompt(name="guarded", prompt="x")
    with pytest.raises(ApiError) as refused:
        sdk.update_prompt(name="guarded", version=1, new_labels=["production"])
    assert refused.value.body["change_request"].endswith(f"{Prompt.objects.get().pk}/propose/?version=1")
    assert not Deployment.objects.exists()
    assert not ChangeRequest.objects.exists()


def test_what_is_not_live_is_not_found_in_the_words_of_langfuse(sdk: Langfuse) -> None:
    sdk.create_prompt(name="shy/one", prompt="x")
    with pytest.raises(ApiError) as refused:
        sdk.api.prompts.get("shy%2Fone")
    assert (refused.value.status_code, refused.value.body["message"]) == (
        404,
        "Prompt not found: 'shy/one' with label 'production'",
    )
    assert sdk.get_prompt("shy/one", fallback="instead").is_fallback


def test_nothing_is_deleted(sdk: Langfuse) -> None:
    sdk.create_prompt(name="kept", prompt="x")
    with pytest.raises(MethodNotAllowedError) as refused:
        sdk.api.prompts.delete("kept")
    assert "Archive the prompt at http" in refused.value.body["message"]
    assert Version.objects.count() == 1


def test_the_list_is_narrowed_and_paged(sdk: Langfuse) -> None:
    for number in range(3):
        sdk.create_prompt(name=f"list/{number}", prompt="x", labels=["dev"] if number else [], tags=[f"t{number % 2}"])
    page = sdk.api.prompts.list(limit=2, page=2)
    assert ([one.name for one in page.data], page.meta.total_items, page.meta.total_pages) == (["list/2"], 3, 2)
    assert [one.name for one in sdk.api.prompts.list(label="dev").data] == ["list/1", "list/2"]
    assert [one.name for one in sdk.api.prompts.list(tag="t1").data] == ["list/1"]
    only = sdk.api.prompts.list(name="list/1").data[0]
    assert (only.versions, only.labels, only.type) == ([1], ["dev", "latest"], "text")


def test_references_are_put_in_and_told_of(sdk: Langfuse) -> None:
    sdk.create_prompt(name="tone", prompt="Be kind.", labels=["dev"])
    tag = "@@@langfusePrompt:name=tone|label=dev@@@"
    sdk.create_prompt(name="parent", prompt=f"{tag} Answer.", labels=["dev"])
    found = sdk.api.prompts.get("parent", label="dev")
    assert found.prompt == "Be kind. Answer."
    (children,) = found.resolution_graph["dependencies"].values()
    assert [(child["name"], child["version"]) for child in children] == [("tone", 1)]
    raw = sdk.api.prompts.get("parent", label="dev", resolve=False)
    assert (raw.prompt, raw.resolution_graph) == (f"{tag} Answer.", None)


def test_a_cached_prompt_is_refreshed_in_the_background(sdk: Langfuse, paula: User, environments: Environments) -> None:
    sdk.create_prompt(name="cached", prompt="old", labels=["dev"])
    assert sdk.get_prompt("cached", label="dev", cache_ttl_seconds=1).prompt == "old"
    version = factories.make_version(
        Prompt.objects.get(), paula, messages=[{"role": "user", "content": "new"}], variables=[]
    )
    live = Deployment.objects.get()
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=live)
    assert sdk.get_prompt("cached", label="dev", cache_ttl_seconds=1).prompt == "old"
    time.sleep(1.1)
    assert becomes(lambda: sdk.get_prompt("cached", label="dev", cache_ttl_seconds=1).prompt, "new")


def test_an_outage_leaves_the_cached_prompt_in_use(
    workspace: Workspace, environments: Environments, paula: User, caplog: pytest.LogCaptureFixture
) -> None:
    key, secret = factories.make_api_key(workspace, *SCOPES, created_by=paula)
    caplog.set_level(logging.CRITICAL, "langfuse")
    with ExitStack() as server:
        url = server.enter_context(web())
        with client(key.public_id, secret, url) as sdk:
            sdk.create_prompt(name="kept", prompt="still here", labels=["dev"])
            assert sdk.get_prompt("kept", label="dev", cache_ttl_seconds=1).prompt == "still here"
            server.close()
            time.sleep(1.1)
            for _ in range(3):
                found = sdk.get_prompt("kept", label="dev", cache_ttl_seconds=1, max_retries=0)
                assert found.prompt == "still here"
                time.sleep(0.2)


def becomes(read: Callable[[], Any], wanted: Any) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if read() == wanted:
            return True
        time.sleep(0.1)
    return False
