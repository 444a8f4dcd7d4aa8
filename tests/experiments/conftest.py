"""A prompt with two versions, a dataset and a suite; a provider that answers for real."""

import json
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from apps.accounts.models import User, Workspace
from apps.experiments import actions
from apps.experiments.importing import NewCase
from apps.experiments.models import Dataset, Run, Suite
from apps.llm.models import Connection, Model
from apps.llm.practice_provider import process
from apps.prompts.models import Prompt, Version
from tests import factories

ECHO = [{"role": "user", "content": "Repeat exactly, nothing else: {{message}}"}]
MESSAGE = [{"name": "message", "type": "string", "required": True, "default": None, "example": "", "description": ""}]


@pytest.fixture
def prompt(workspace: Workspace) -> Prompt:
    return factories.make_prompt(workspace)


@pytest.fixture
def live(prompt: Prompt) -> Version:
    return factories.make_version(prompt)


@pytest.fixture
def candidate(prompt: Prompt, live: Version) -> Version:
    messages = [{**factories.MESSAGES[0], "content": "You answer customers of a shop."}, factories.MESSAGES[1]]
    return factories.make_version(prompt, messages=messages)


@pytest.fixture
def model(workspace: Workspace) -> Model:
    """A model whose provider nobody listens at."""
    return factories.make_model(factories.make_connection(workspace))


@pytest.fixture
def dataset(workspace: Workspace, paula: User) -> Dataset:
    dataset = actions.create_dataset(workspace=workspace, name="Questions", acting_user=paula)
    cases = [
        NewCase(name=f"Case {n}", inputs={"customer": "Ines", "message": f"Where is parcel {n}?"}) for n in range(1, 11)
    ]
    actions.add_cases(dataset=dataset, cases=cases, acting_user=paula)
    return dataset


@pytest.fixture
def suite(prompt: Prompt, dataset: Dataset, paula: User) -> Suite:
    rules = {"assertions": [{"type": "min-length", "value": 1}, {"type": "not-contains", "value": "sorry, no"}]}
    return actions.create_suite(prompt=prompt, dataset=dataset, name="Basics", rules=rules, acting_user=paula)


@pytest.fixture
def run(suite: Suite, candidate: Version, live: Version, model: Model, paula: User) -> Run:
    """A queued run of the candidate against live."""
    arms = [actions.Arm(candidate), actions.Arm(live, "baseline")]
    return actions.start_run(suite=suite, arms=arms, acting_user=paula)


class Provider:
    """A practice provider that runs, and what it says that it has seen."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, object]:
        with urllib.request.urlopen(f"{self.url}/__stats", timeout=5) as answer:
            return dict(json.load(answer))

    def change(self, **knobs: object) -> None:
        data = json.dumps(knobs).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/__config", data=data, headers=headers, method="POST")
        urllib.request.urlopen(request, timeout=5).close()

    def listen(self, model: Model) -> None:
        """Let the model's connection point here."""
        Connection.objects.filter(pk=model.connection_id).update(base_url=f"{self.url}/v1")


@pytest.fixture(scope="session")
def provider_url() -> Iterator[str]:
    with process.running(latency_ms=5) as url:
        yield url


@pytest.fixture
def provider(provider_url: str) -> Provider:
    provider = Provider(provider_url)
    urllib.request.urlopen(urllib.request.Request(f"{provider_url}/__reset", method="POST"), timeout=5).close()
    return provider


OutputsOf = Callable[[Run], list[dict[str, object]]]
