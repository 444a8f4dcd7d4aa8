from decimal import Decimal

import pytest

from apps.core.errors import Conflict, DomainError
from apps.experiments import actions
from tests import factories

RULES = {"assertions": [{"type": "is-json"}], "repeats": 2, "pass_threshold": "0.9", "case_threshold": "0.5"}


def test_a_suite_keeps_its_rules_in_one_spelling(prompt, dataset, paula):
    suite = actions.create_suite(prompt=prompt, dataset=dataset, name="Json", rules=RULES, acting_user=paula)
    assert suite.assertions == [{"type": "is-json", "weight": 1}]
    assert (suite.repeats, suite.pass_threshold, suite.case_threshold) == (2, Decimal("0.9"), Decimal("0.5"))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"assertions": []}, "at least one"),
        ({"repeats": 0}, "1 to 20"),
        ({"pass_threshold": 1.2}, "0 to 100"),
        ({"pass_threshold": "high"}, "not a number"),
        ({"case_threshold": 0}, "above 0"),
    ],
)
def test_rules_that_cannot_be_held_are_refused(prompt, dataset, paula, rules, words):
    with pytest.raises(DomainError, match=words):
        actions.create_suite(prompt=prompt, dataset=dataset, name="Bad", rules={**RULES, **rules}, acting_user=paula)


def test_a_name_is_used_once_for_a_prompt(suite, paula):
    with pytest.raises(DomainError, match="already has a suite"):
        actions.create_suite(prompt=suite.prompt, dataset=suite.dataset, name="Basics", rules=RULES, acting_user=paula)


def test_of_two_editors_one_is_told(suite, paula):
    change = {"suite": suite, "name": "New", "dataset": suite.dataset, "rules": RULES, "acting_user": paula}
    assert actions.update_suite(**change, version=1).version == 2
    with pytest.raises(Conflict):
        actions.update_suite(**change, version=1)


def test_a_run_keeps_the_rules_that_it_was_started_with(run, suite, paula):
    actions.update_suite(suite=suite, name="Basics", dataset=suite.dataset, rules=RULES, version=1, acting_user=paula)
    run.refresh_from_db()
    assert (len(run.assertions), run.suite_version) == (2, 1)


def test_prompt_and_dataset_are_of_one_workspace(prompt, paula):
    other = actions.create_dataset(workspace=factories.make_workspace("other"), name="X", acting_user=paula)
    with pytest.raises(DomainError, match="different workspaces"):
        actions.create_suite(prompt=prompt, dataset=other, name="X", rules=RULES, acting_user=paula)
