"""Finance never receives prompt text: a canary is put into every text that people write, and all that finance can fetch
is searched for it. Each text has a canary of its own, and somebody who may read it finds it: the search is no blind one.
"""

import json
import re
from collections.abc import Iterator
from html import unescape
from uuid import UUID, uuid4

import pytest
from django.core import mail
from django.db.models import Model as AnyModel
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.accounts.rights import RIGHTS_OF, Right, Role
from apps.costs import ledger
from apps.costs.models import Charge
from apps.experiments.models import Case, Dataset, Output, Run, RunArm, Suite
from apps.llm.models import Call
from apps.notices.models import Notification
from apps.prompts import actions as prompt_actions
from apps.prompts.models import Deployment, DeploymentArm, Draft
from apps.reviews import actions as review_actions
from apps.reviews import assignment
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
MOST_PAGES = 600
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
        inputs={"message": canary("inputs")},
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


def keys() -> tuple[set[str], set[str]]:
    """Return every number and every id that a row has which an address could name."""
    from django.apps import apps

    ints, uuids = set(), set()
    for model in apps.get_models():
        if model._meta.app_label in ("costs", "llm", "prompts", "experiments", "reviews", "notices", "accounts"):
            _collect(model, ints, uuids)
    return ints, uuids


def _collect(model: type[AnyModel], ints: set[str], uuids: set[str]) -> None:
    for name in ("pk", "number", "token", "charge_id"):
        if name == "pk" or any(field.name == name for field in model._meta.get_fields()):
            for value in model._default_manager.values_list(name, flat=True)[:2]:
                (uuids if isinstance(value, UUID) else ints).add(str(value))


def addresses() -> Iterator[str]:
    """Yield every address of the site, filled with what exists: at most two arguments beside the workspace."""
    ints, uuids = keys()
    values = {"int": sorted(ints), "uuid": sorted(uuids), "slug": ["production", "staging"], "str": ["support/reply"]}
    values |= {"path": ["support/reply"]}
    for place in routes():
        yield from _filled("/" + place.replace("<slug:workspace>", "acme"), values)


def _filled(place: str, values: dict[str, list[str]]) -> Iterator[str]:
    found = re.search(r"<(?:(\w+):)?(\w+)>", place)
    if not found:
        if "(?P" not in place and "^" not in place:
            yield place
        return
    for value in values.get(found[1] or "str", ["support/reply"]):
        yield from _filled(place.replace(found[0], value, 1), values)


def body_of(response) -> str:
    return (response.getvalue() if response.streaming else response.content).decode(errors="replace")


def walk(client, start: list[str], seen: dict[str, str], most: int = MOST_PAGES) -> dict[str, str]:
    """Fetch the addresses and all that their pages link to, each once; return what came by address."""
    waiting = list(dict.fromkeys(start))
    while waiting and len(seen) < most:
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


def test_whoever_may_read_texts_finds_every_canary(client_of, workspace, texts, olga, paula, ana):
    pages: dict[str, str] = {}
    for user in (olga, paula):
        seen: dict[str, str] = {}
        walk(client_of(user), list(addresses()), seen, most=1_500)
        pages |= {f"{user}{address}": text for address, text in seen.items()}
    missing = {canary(kind) for kind in KINDS} - set(canaries(pages))
    assert missing == set()


def test_finance_fetches_everything_it_can_and_finds_no_canary(client_of, workspace, texts, fay):
    pages = walk(client_of(fay), list(addresses()), {}, most=2_500)
    assert canaries(pages) == {}
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


def test_no_notice_and_no_mail_to_finance_holds_a_canary(workspace, texts, fay):
    notices = Notification.objects.filter(user=fay)
    told = {str(notice.pk): f"{notice.title} {notice.body} {notice.url}" for notice in notices}
    told |= {str(n): f"{m.subject} {m.body}" for n, m in enumerate(mail.outbox) if fay.email in m.to}
    assert canaries(told) == {}


def test_no_canary_is_in_the_books_or_in_the_audit_log(workspace, texts):
    rows = {str(charge.pk): repr(vars(charge)) for charge in Charge.objects.filter(workspace_id=workspace.pk)}
    rows |= {str(event.pk): repr(vars(event)) for event in AuditEvent.objects.filter(workspace=workspace)}
    assert rows
    assert canaries(rows) == {}


def test_finance_has_no_right_that_shows_texts():
    assert Right.VIEW not in RIGHTS_OF[Role.FINANCE]
