from typing import Any

import pytest

from llmops_site import celery_app


@pytest.fixture
def eager_tasks() -> Any:
    """Run tasks where they are sent from."""
    celery_app.conf.task_always_eager = True
    yield
    celery_app.conf.task_always_eager = False
