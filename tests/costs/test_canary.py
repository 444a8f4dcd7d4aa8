"""Finance never receives prompt text: a canary is put into every text that people write, and all that finance can fetch
is searched for it. Each text has a canary of its own, and somebody who may read it finds it: the search is no blind one.
"""

import json
import re
from collections.abc import Iterator
from html import unescape
from uuid import uuid4

import pytest
from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.costs import ledger
from apps.costs.models import Charge
from apps.experiments.models import Case, Dataset, Output, Run, RunArm, Suite
from apps.llm.models import Call
from apps.prompts import actions as prompt_actions
from apps.prompts.models import Deployment, DeploymentArm, Draft, Prompt
from apps.reviews import actions as review_actions
from apps.reviews import assignment
from apps.reviews.models import Queue
from tests import factories
from tests.costs.conftest import new_charge
from tests.llm.call_rows import make_call

KINDS = [
    "description",
    "version",
    "message",
    "draft",
    "why",
    "remark",
    "question",
    "answer",
    "error",
    "inputs",
    "expected",
    "output",
    "rating",
    "reason",
]
CANARY = re.compile(r"canary-\w+-7f3a")
MOST_PAGES = 5_000
SEEN = [
    "spend_month",
    "spend_month_csv",
    "spend_explorer",
    "spend_explorer_csv",
    "spend_charges",
    "spend_charges_csv",
    "books_state",
    "books_keeping",
    "budget_list",
    "price_list",
    "ingest_status",
    "inbox",
]


def canary(kind):
    assert kind in KINDS
    return f"canary-{kind}-7f3a"


@pytest.fixture
def texts(workspace, paula, ravi, ana):
    """Write a canary into everything that holds what people and models wrote."""
    production = factories.make_environments(workspace)["production"]
    production.policy = {"approvals": 1, "self_approval": False, "checks": ["people"]}
    production.save()
    prompt = factories.make_prompt(workspace, description=canary("description"))
    messages = [{"role": "user", "content": f"{canary('version')} {{{{message}}}}"}]
    live = factories.make_version(prompt, paula, messages=messages, message=canary("message"))
    better = factories.make_version(prompt, paula, messages=[*messages, {"role": "user", "content": "Please."}])
    Draft.objects.create(prompt=prompt, author=paula, messages=[{"role": "user", "content": canary("draft")}])
    base = Deployment.objects.create(prompt=prompt, environment=production, actor=paula, reason=canary("reason"))
    DeploymentArm.objects.create(deployment=base, version=live)
    request = prompt_actions.open_change_request(
        version=better, environment=production, title="Politer", why=canary("why"), acting_user=paula
    )
    prompt_actions.comment_on_change_request(change_request=request, remark=canary("remark"), acting_user=ravi)
    model = factories.make_model(factories.make_connection(workspace))
    _call(workspace, model, prompt, live)
    _rated_run(workspace, prompt, request, (better, live), model, ana)
    return request


def _call(workspace, model, prompt, version):
    charge = new_charge(
        workspace.pk,
        timezone.now(),
        prompt_id=prompt.pk,
        prompt_name=prompt.name,
        version_id=version.pk,
        version_number=1,
        cost=None,
        failed=True,
    )
    ledger.record([charge])
    asked = {"messages": [{"role": "user", "content": canary("question")}], "parameters": {}}
    named = {"prompt_id": prompt.pk, "prompt_name": prompt.name}
    call = make_call(model, charge.at, body=asked, text=canary("answer"), named=named, error_message=canary("error"))
    Call.objects.filter(pk=call.pk).update(charge_id=charge.id, state=Call.State.FAILED)


def _rated_run(workspace, prompt, request, versions, model, rater):
    now = timezone.now()
    dataset = Dataset.objects.create(workspace=workspace, name="Questions", version=1)
    suite = Suite.objects.create(workspace=workspace, prompt=prompt, dataset=dataset, name="Basics")
    run = Run.objects.create(
        workspace=workspace,
        suite=suite,
        suite_version=1,
        dataset=dataset,
        dataset_version=1,
        assertions=[],
        pass_threshold=0,
        repeats=1,
        change_request=request,
        state=Run.State.DONE,
        started_at=now,
        finished_at=now,
    )
    case = Case.objects.create(
        dataset=dataset,
        position=0,
        name="One",
        added_in=1,
        inputs={"customer": "Ines", "message": canary("inputs")},
        expected=canary("expected"),
    )
    for place, (role, version) in enumerate(zip(("candidate", "baseline"), versions, strict=True)):
        arm = RunArm.objects.create(run=run, position=place, role=role, version=version, model=model)
        text = f"{canary('output')} of {role}"
        Output.objects.create(
            run=run, arm=arm, case=case, state="done", text=text, finished_at=now, passed=True, score=1
        )
    queue = review_actions.create_pairwise_queue(run=run, acting_user=None)
    task = assignment.next_slot(queue, rater)
    review_actions.submit_rating(
        queue=queue,
        token=task.token,
        answer="a",
        comment=canary("rating"),
        key=uuid4(),
        acting_user=rater,
    )


def routes(patterns=None, prefix=""):
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        place = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, place)
        elif isinstance(pattern, URLPattern):
            yield place


def rows_by_model() -> dict[str, list[str]]:
    """Return ids of every model by its name in small letters."""
    models = (model for model in apps.get_models() if model.__module__.startswith("apps."))
    return {
        model._meta.model_name: [str(pk) for pk in model._default_manager.values_list("pk", flat=True)[:2]]
        for model in models
    }


def addresses() -> Iterator[str]:
    """Yield every address of the site, filled with what exists."""
    rows = rows_by_model()
    every = sorted({pk for ids in rows.values() for pk in ids})
    values = {
        "int": [pk for pk in every if pk.isdigit()],
        "uuid": [
            *(pk for pk in every if not pk.isdigit()),
            *map(str, Queue.objects.values_list("token", flat=True)),
            *map(str, Call.objects.values_list("charge_id", flat=True)),
        ],
        "slug": ["production", "staging"],
    }
    for place in routes():
        yield from _filled("/" + place.replace("<slug:workspace>", "acme"), values, rows)


def _filled(place: str, values: dict[str, list[str]], rows: dict[str, list[str]]) -> Iterator[str]:
    found = re.search(r"<(?:(\w+):)?(\w+)>", place)
    if not found:
        if "(?P" not in place and "^" not in place:
            yield place
        return
    kind, name = found[1], found[2]
    fit = ["1", "2"] if name == "number" else rows.get(name.removesuffix("_id").replace("_", ""))
    for value in fit or values.get(kind or "str", ["support/reply"]):
        yield from _filled(place.replace(found[0], value, 1), values, rows)


def body_of(response) -> str:
    return (response.getvalue() if response.streaming else response.content).decode(errors="replace")


def walk(client, start: list[str], seen: dict[str, str]) -> dict[str, str]:
    """Fetch the addresses and all that their pages link to, each once; return what came by address."""
    waiting = list(dict.fromkeys(start))
    while waiting and len(seen) < MOST_PAGES:
        address = waiting.pop()
        if address in seen or "logout" in address:
            continue
        response = client.get(address)
        seen[address] = body_of(response) + json.dumps(dict(response.headers))
        if response.status_code == 200 and "html" in response.headers.get("Content-Type", ""):
            waiting += [unescape(link) for link in re.findall(r'(?:href|hx-get|src)="(/w/[^"#]+)', seen[address])]
            waiting += [
                address.partition("?")[0] + unescape(link)
                for link in re.findall(r'href="(\?[^"#]+)', seen[address])
                if "month=" not in link or "2026" in link
            ]
    return seen


def canaries(pages: dict[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for address, text in pages.items():
        for name in set(CANARY.findall(text)):
            found.setdefault(name, []).append(address)
    return found


def shown(kind: str) -> str:
    """Return the address of a page that shows texts of a kind to those who may read them."""
    prompt, case = Prompt.objects.get(), Case.objects.get()
    of_prompt = {"prompt_id": prompt.pk}
    request = ("change_request_detail", {"number": 1})
    output = ("run_case", {"run_id": Run.objects.get().pk, "case_id": case.pk})
    call = ("call_detail", {"pk": Call.objects.get().pk})
    where: dict[str, tuple[str, dict[str, object]]] = {
        "description": ("prompt_settings", of_prompt),
        "version": ("version_detail", {**of_prompt, "number": 1}),
        "message": ("version_list", of_prompt),
        "draft": ("draft_edit", of_prompt),
        "why": request,
        "remark": request,
        "question": call,
        "answer": call,
        "error": call,
        "inputs": output,
        "expected": ("case_edit", {"case_id": case.pk}),
        "output": output,
        "rating": ("queue_detail", {"queue_id": Queue.objects.get().pk}),
        "reason": ("deployment_list", of_prompt),
    }
    name, ids = where[kind]
    return reverse(name, kwargs={"workspace": "acme", **ids})


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_may_read_texts_finds_every_canary(client_of, texts, olga, paula, kind):
    """The search is no blind one: what finance never sees stands where the walk below goes as well."""
    reader = paula if kind == "draft" else olga
    answer = client_of(reader).get(shown(kind))
    assert answer.status_code == 200
    assert canary(kind) in body_of(answer)


def test_finance_fetches_everything_it_can_and_finds_no_canary(client_of, workspace, texts, fay):
    pages = walk(client_of(fay), list(addresses()), {})
    assert len(pages) < MOST_PAGES, "the walk ended early"
    assert canaries(pages) == {}
    for kind in KINDS:
        assert shown(kind) in pages
    # A walk that has not seen what finance does see would have proved nothing.
    for name in SEEN:
        assert reverse(name, kwargs={"workspace": "acme"}) in pages
    charge = Charge.objects.get(prompt_name="support/reply")
    assert "support/reply" in pages[reverse("spend_charge", kwargs={"workspace": "acme", "pk": charge.pk})]


def test_a_key_that_reads_spend_fetches_no_canary(client, workspace, texts):
    _, secret = factories.make_api_key(workspace, "spend:read")
    headers = {"Authorization": f"Bearer {secret}"}
    pages = {}
    for address in addresses():
        if address.startswith("/api/"):
            for query in ("", "?from=2026-01-01&to=2026-12-31&group_by=prompt,version"):
                pages[address + query] = body_of(client.get(address + query, headers=headers))
    assert any("support/reply" in text for text in pages.values())
    assert canaries(pages) == {}
