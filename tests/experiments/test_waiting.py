"""Who waits for a model that does not answer: runs that are active, and runs that stopped since it went down."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.experiments import waiting
from apps.experiments.models import Run
from apps.llm.models import Lane, Model
from tests import factories


def stopped(run: Run, ago: timedelta) -> None:
    at = timezone.now() - ago
    Run.objects.filter(pk=run.pk).update(state="failed", reason="It is down.", started_at=at, finished_at=at)


def test_a_run_waits_while_it_is_active_or_stopped_since(workspace: Workspace, run: Run, model: Model) -> None:
    since = timezone.now() - timedelta(minutes=10)
    assert waiting.count(workspace.pk, [model.pk], since) == 1  # both of its arms: one run
    stopped(run, timedelta(minutes=5))
    assert waiting.count(workspace.pk, [model.pk], since) == 1
    stopped(run, timedelta(minutes=15))
    assert waiting.count(workspace.pk, [model.pk], since) == 0


@pytest.mark.parametrize("state", ["done", "cancelled"])
def test_a_run_that_is_over_waits_for_nothing(state: str, workspace: Workspace, run: Run, model: Model) -> None:
    Run.objects.filter(pk=run.pk).update(state=state, started_at=timezone.now(), finished_at=timezone.now())
    assert waiting.count(workspace.pk, [model.pk], timezone.now() - timedelta(hours=1)) == 0


def test_other_models_and_other_workspaces_do_not_count(workspace: Workspace, run: Run, model: Model) -> None:
    other = factories.make_model(model.connection, "other")
    since = timezone.now() - timedelta(hours=1)
    assert waiting.count(workspace.pk, [other.pk], since) == 0
    assert waiting.count(workspace.pk + 1, [model.pk], since) == 0


def test_the_banner_says_how_many_test_runs_wait(
    workspace: Workspace, run: Run, model: Model, paula: User, client_of: Callable[[User], Client]
) -> None:
    Lane.objects.update_or_create(
        model=model,
        defaults={"failures": Lane.DOWN_AFTER, "failing_since": timezone.now(), "last_error": "connection"},
    )
    page: Any = client_of(paula).get(reverse("profile", args=[workspace.slug]))
    shown = " ".join(page.content.decode().split())
    assert f'<a href="{reverse("run_list", args=[workspace.slug])}">1 test run</a> waits for it.' in shown
