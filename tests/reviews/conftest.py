"""A finished run with both sides, and the queue that people rate."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.experiments.models import Case, Dataset, Output, Run, RunArm, Suite
from apps.prompts.models import ChangeRequest, ChangeRequestItem, Deployment, DeploymentArm, Prompt
from apps.reviews import actions
from apps.reviews.models import Queue
from tests import factories

Answers = list[tuple[str, str]]


def make_answers(count: int = 4) -> Answers:
    return [(f"Dear Ines, parcel {n} is on its way.", f"Parcel {n} was sent.") for n in range(count)]


@pytest.fixture
def prompt(workspace: Workspace) -> Prompt:
    return factories.make_prompt(workspace)


@pytest.fixture
def change_request(workspace: Workspace, prompt: Prompt, paula: User) -> ChangeRequest:
    """A wish to put Paula's version live where People must pass."""
    production = factories.make_environments(workspace)["production"]
    production.policy = {"approvals": 1, "self_approval": False, "checks": ["people"]}
    production.save()
    live = factories.make_version(prompt, paula, message="canary-live-message")
    base = Deployment.objects.create(prompt=prompt, environment=production, actor=paula)
    DeploymentArm.objects.create(deployment=base, version=live)
    version = factories.make_version(prompt, paula, message="canary-candidate-message", model_config={"model": "m2"})
    request = ChangeRequest.objects.create(
        workspace=workspace, number=1, environment=production, title="canary-title", author=paula
    )
    ChangeRequestItem.objects.create(change_request=request, prompt=prompt, version=version, base=base)
    return request


@pytest.fixture
def make_run(workspace: Workspace, prompt: Prompt, change_request: ChangeRequest) -> Callable[..., Run]:
    """Make a finished run of the request's version against what is live; `answers` are (candidate, live) texts."""

    def make(answers: Answers, *, baseline: bool = True, **fields: Any) -> Run:
        now = timezone.now()
        dataset = Dataset.objects.create(workspace=workspace, name=f"cases {now}", version=1)
        suite = Suite.objects.create(workspace=workspace, prompt=prompt, dataset=dataset, name=f"suite {now}")
        fields = {"state": Run.State.DONE, "started_at": now, "finished_at": now, **fields}
        run = Run.objects.create(
            workspace=workspace, suite=suite, suite_version=1, dataset=dataset, dataset_version=1, assertions=[], pass_threshold=0,
            repeats=1, change_request=fields.pop("change_request", change_request), **fields
        )  # fmt: skip
        model = factories.make_model(factories.make_connection(workspace, name=f"c {now}"), name="canary-model-name")
        versions = {version.number: version for version in prompt.versions.all()}
        arms = [RunArm.objects.create(run=run, position=0, role="candidate", version=versions[2], model=model)]
        if baseline:
            arms.append(RunArm.objects.create(run=run, position=1, role="baseline", version=versions[1], model=model))
        for n, texts in enumerate(answers):
            case = Case.objects.create(
                dataset=dataset, position=n, name=f"canary-case {n}", added_in=1, inputs={"message": f"Where is {n}?"}
            )
            for arm, text in zip(arms, texts, strict=False):
                Output.objects.create(run=run, arm=arm, case=case, state="done", text=text, finished_at=now, cost="0.7")
        return run

    return make


@pytest.fixture
def queue(make_run: Callable[..., Run], ana: User, amir: User) -> Queue:
    """Four pairs, two raters each, behind the change request."""
    return actions.create_pairwise_queue(run=make_run(make_answers()), acting_user=None)
