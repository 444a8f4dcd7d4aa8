"""Which model answers a version that names one."""

import pytest

from apps.experiments import asking
from apps.llm.models import Model
from tests import factories


def test_the_model_that_was_added_first_answers(candidate, model, workspace, django_assert_num_queries):
    second = factories.make_model(factories.make_connection(workspace, name="Second"))
    assert asking.model_of(candidate) == model
    Model.objects.filter(pk=model.pk).update(archived_at="2026-01-01T00:00Z")
    found = asking.model_of(candidate)
    with django_assert_num_queries(0):
        assert found.connection == second.connection


def test_a_model_of_another_workspace_is_not_it(candidate, model):
    elsewhere = factories.make_workspace("elsewhere")
    Model.objects.filter(pk=model.pk).delete()
    factories.make_model(factories.make_connection(elsewhere))
    with pytest.raises(asking.NoModel, match="which no connection offers"):
        asking.model_of(candidate)
