"""Another workspace's admin knows the ids, and nothing else: whatever they ask or send, nothing is found or changed."""

import pytest
from django.urls import reverse

from apps.accounts.models import AuditEvent, Workspace
from apps.experiments import actions
from apps.experiments.models import Case, Dataset, Output, Run, RunArm, Suite
from apps.prompts import actions as prompts
from apps.prompts.models import Check
from tests import factories

TABLES = (Dataset, Case, Suite, Run, RunArm, Output, Check, AuditEvent)
PATHS = {
    "dataset_detail": ["dataset_id"],
    "dataset_import": ["dataset_id"],
    "dataset_archive": ["dataset_id"],
    "case_create": ["dataset_id"],
    "case_edit": ["case_id"],
    "case_remove": ["case_id"],
    "suite_detail": ["suite_id"],
    "suite_edit": ["suite_id"],
    "suite_archive": ["suite_id"],
    "run_start": ["suite_id"],
    "run_detail": ["run_id"],
    "run_cancel": ["run_id"],
    "run_resume": ["run_id"],
    "run_export": ["run_id"],
    "run_case": ["run_id", "case_id"],
    "output_detail": ["output_id"],
    "version_pass_rates": ["prompt_id"],
    "prompt_cases": ["prompt_id"],
    "case_keep": ["prompt_id"],
    "change_request_tests": ["request_id"],
    "change_request_tests_start": ["request_id"],
}
ASSERTION = {"type-0": "min-length", "value-0": "1", "unit-0": "", "weight-0": "1", "name-0": ""}


@pytest.fixture
def ids(run, suite, dataset, candidate, live, model, workspace, paula):
    production = factories.make_environments(workspace)["production"]
    request = prompts.open_change_request(version=candidate, environment=production, title="Better", acting_user=paula)
    return {
        "dataset_id": dataset.pk,
        "case_id": dataset.cases.first().pk,
        "suite_id": suite.pk,
        "run_id": run.pk,
        "output_id": run.outputs.first().pk,
        "prompt_id": suite.prompt_id,
        "request_id": request.pk,
        "version_id": candidate.pk,
        "live_id": live.pk,
        "model_id": model.pk,
    }


@pytest.fixture
def theirs(stranger):
    """What the stranger's own workspace has: a prompt, a dataset and a suite."""
    workspace = Workspace.objects.get(slug="elsewhere")
    prompt = factories.make_prompt(workspace, "own")
    version = factories.make_version(prompt)
    model = factories.make_model(factories.make_connection(workspace))
    dataset = actions.create_dataset(workspace=workspace, name="Own", acting_user=stranger)
    rules = {"assertions": [{"type": "min-length", "value": 1}]}
    suite = actions.create_suite(prompt=prompt, dataset=dataset, name="Own", rules=rules, acting_user=stranger)
    return {"prompt": prompt, "version": version, "model": model, "dataset": dataset, "suite": suite}


def everything():
    return {table.__name__: list(table.objects.order_by("pk").values()) for table in TABLES}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", PATHS)
def test_an_address_with_anothers_id_is_not_found(ids, stranger, client_of, name, method):
    before = everything()
    wanted = {key: ids[key] for key in PATHS[name]}
    address = reverse(name, kwargs={"workspace": "elsewhere", **wanted})
    answer = getattr(client_of(stranger), method)(address, {"version": "1", "name": "Taken", "content": "a\nb\n"})
    # A method that an address does not know is refused before anything is looked up.
    assert answer.status_code == 404 or (answer.status_code == 405 and everything() == before)
    assert everything() == before


def test_every_address_of_an_object_is_in_the_list_above():
    from apps.experiments.urls import urlpatterns

    with_ids = {pattern.name for pattern in urlpatterns if pattern.pattern.converters}
    assert with_ids == set(PATHS)


@pytest.mark.parametrize(
    ("name", "own", "taken"),
    [
        ("suite_create", "prompt", {"dataset": "dataset_id"}),
        ("suite_create", "dataset", {"prompt": "prompt_id"}),
        ("suite_edit", "suite", {"dataset": "dataset_id"}),
        ("run_start", "suite", {"candidate": "version_id"}),
        ("run_start", "version", {"candidate": "own", "baseline": "live_id"}),
        ("run_start", "version", {"candidate": "own", "model": "model_id"}),
    ],
)
def test_a_form_with_anothers_id_is_refused(ids, theirs, stranger, client_of, name, own, taken):
    before = everything()
    address = {"workspace": "elsewhere"} | ({} if name == "suite_create" else {"suite_id": theirs["suite"].pk})
    data = {"name": "New", "pass_percent": "50", "repeats": "1", "case_percent": "", "version": "1", **ASSERTION}
    data |= {"prompt": theirs["prompt"].pk, "dataset": theirs["dataset"].pk}
    data |= {field: theirs[own].pk if key == "own" else ids[key] for field, key in taken.items()}
    answer = client_of(stranger).post(reverse(name, kwargs=address), data)
    assert answer.status_code == 422
    refused = next(field for field, key in taken.items() if key != "own")
    assert refused in answer.context["form"].errors
    assert everything() == before
