"""The demo workspace as a visitor meets it: loaded once, into a database of its own."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Count, Q, Sum
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from apps.accounts import audit
from apps.accounts.models import ApiKey, AuditEvent, Workspace
from apps.costs import pricing
from apps.costs.models import Charge, Price, Purpose, SpendDay
from apps.experiments.models import Case, Dataset, Output, Run, Score
from apps.llm.models import Call, Connection
from apps.llm.practice_provider import process
from apps.notices.models import Notification
from apps.prompts import boards, composition
from apps.prompts.models import ChangeRequest, Deployment, Draft, Environment, Prompt, Version
from apps.reviews import assignment, results
from apps.reviews.models import Queue, Rating
from llmops_site.demo import card, loading, people, plot
from llmops_site.demo.loading import Loaded
from llmops_site.demo.people import PASSWORD, PEOPLE
from tests.site import demo_calls, demo_desk

pytestmark = pytest.mark.slow
PROVIDER = "http://127.0.0.1:9"
URL = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def loaded(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    with django_db_blocker.unblock(), demo_desk.own_database("demo", tmp_path_factory.mktemp("var")):
        yield loading.load(url=URL, provider_url=PROVIDER)


@pytest.fixture
def desk(loaded: Loaded, db: None) -> Workspace:
    return loaded.cast.workspace


@pytest.fixture
def waiting(desk: Workspace) -> ChangeRequest:
    about_reply = ChangeRequest.objects.waiting().filter(workspace=desk, items__prompt__name=plot.WAITING[0])
    return boards.loaded(about_reply).get()


@pytest.fixture
def queue(waiting: ChangeRequest) -> Queue:
    return Queue.objects.open().get(change_request=waiting)


def read_card() -> dict[str, Any]:
    return json.loads(card.path().read_text())


def numbers() -> dict[str, int]:
    tables = (ApiKey, AuditEvent, Call, Case, Charge, Deployment, Notification, Output, Price, Rating, Score, Version)
    return {table.__name__: table.objects.count() for table in tables}


# What is there


def test_there_are_six_prompts_and_their_versions_differ(desk: Workspace) -> None:
    versions = dict(Prompt.objects.filter(workspace=desk).annotate(n=Count("versions")).values_list("name", "n"))
    assert versions["support/reply"] == 8
    assert len(versions) == 6
    assert min(versions.values()) >= 2
    hashes = Version.objects.filter(prompt__workspace=desk).values("prompt", "content_hash").distinct().count()
    assert hashes == sum(versions.values())
    authors = Version.objects.filter(prompt__name="support/reply").values_list("author__name", flat=True)
    assert set(authors) == {"Paula Figueira", "Olga Petrova"}


def test_one_prompt_stands_inside_two_others(desk: Workspace) -> None:
    shared = Prompt.objects.get(workspace=desk, name="shared/house-rules")
    parents = composition.parents_of(shared, label="staging")
    assert [str(parent) for parent in parents] == ["support/classify v5", "support/summarise v4"]


def test_the_datasets_are_as_large_as_promised(desk: Workspace) -> None:
    sizes = {dataset.name: dataset.case_count for dataset in Dataset.objects.filter(workspace=desk).with_counts()}
    assert sizes["Customer messages"] >= 60
    assert sizes["Labelled tickets"] >= 20
    assert sizes["Tickets with known fields"] >= 15
    assert (
        len(set(Case.objects.filter(dataset__name="Customer messages").values_list("inputs__message", flat=True))) >= 60
    )


def test_production_shows_version_five_after_one_undo(desk: Workspace) -> None:
    production = Environment.objects.get(workspace=desk, name="production")
    assert production.rules.approvals == 1
    assert not production.rules.self_approval
    assert production.policy["checks"] == ["people", "spend", "tests"]
    assert production.policy["weekly"] == [{"from": "fri 16:00", "to": "mon 08:00"}]
    live = Deployment.objects.current().loaded().get(environment=production, prompt__name="support/reply")
    assert live.version.number == 5
    assert live.kind == Deployment.Kind.ROLL_BACK
    assert live.reason


def test_every_promotion_to_production_was_approved_by_somebody_else(desk: Workspace) -> None:
    applied = ChangeRequest.objects.filter(workspace=desk, state=ChangeRequest.State.APPLIED)
    assert applied.count() == len(plot.PROMOTIONS)
    for request in applied.prefetch_related("approvals", "checks"):
        assert request.author_id not in {approval.reviewer_id for approval in request.approvals.all()}
        assert {check.name: check.status for check in request.checks.all()} == {"tests": "passed", "people": "passed"}
        assert request.dossier.hash


def test_there_are_charges_of_every_kind(desk: Workspace) -> None:
    charges = Charge.objects.filter(workspace_id=desk.pk)
    assert charges.count() >= 200_000
    assert charges.filter(failed=True).exists()
    assert charges.filter(estimated=True).exists()
    assert charges.filter(unpriced=True).exists()
    assert charges.exclude(customer="").values("customer").distinct().count() >= 10
    assert charges.values("team_name").distinct().count() == 3
    assert charges.exclude(api_key_name="").values("api_key_name").distinct().count() == 3
    assert set(charges.values_list("model", flat=True).distinct()) >= {
        "practice-small",
        "practice-large",
        "practice-claude",
    }
    assert set(charges.values_list("purpose", flat=True).distinct()) >= {
        Purpose.PRODUCTION,
        Purpose.PLAYGROUND,
        Purpose.EVALUATION,
    }
    assert not charges.filter(latency_ms=None, saved=0).exists()


def test_charges_reach_from_ninety_days_ago_to_now(desk: Workspace, loaded: Loaded) -> None:
    moments = Charge.objects.filter(workspace_id=desk.pk).order_by("id").values_list("at", flat=True)
    first, last, now = moments.first(), moments.last(), timezone.now()
    assert first is not None
    assert last is not None
    assert now - timedelta(days=91) < first < now - timedelta(days=85)
    assert now - timedelta(hours=16) < last <= now


def test_charges_name_the_version_that_was_live_then(desk: Workspace) -> None:
    production = Deployment.objects.filter(environment__name="production", prompt__name="support/reply")
    history = list(production.prefetch_related("arms__version").order_by("at"))
    for deployment, following in pairwise(history):
        within = Charge.objects.filter(
            prompt_name="support/reply", environment="production", at__gte=deployment.at, at__lt=following.at
        )
        assert set(within.values_list("version_number", flat=True)) == {deployment.version.number}


def test_charges_cost_what_the_price_in_force_says(desk: Workspace) -> None:
    change = Price.objects.filter(workspace=desk, model="practice-large", meter="output").exclude(valid_to=None).get()
    assert change.valid_to is not None
    for before in (True, False):
        side = Q(at__lt=change.valid_to) if before else Q(at__gte=change.valid_to)
        for charge in Charge.objects.filter(side, workspace_id=desk.pk, model="practice-large", output_tokens__gt=0)[
            :20
        ]:
            meters = {
                "input": charge.input_tokens,
                "cache_read": charge.cache_read_tokens,
                "output": charge.output_tokens,
            }
            priced = pricing.quote(
                workspace_id=desk.pk, provider="practice", model=charge.model, at=charge.at, meters=meters
            )
            assert (charge.cost, tuple(charge.price_ids)) == (priced.cost, priced.price_ids)
            assert (change.pk in charge.price_ids) is before


def test_one_day_stands_out(desk: Workspace) -> None:
    reply = Prompt.objects.get(workspace=desk, name="support/reply")
    days = SpendDay.objects.of(desk.pk).filter(prompt_id=reply.pk, environment="production")
    calls = sorted(days.values("day").annotate(total=Sum("calls")).values_list("total", flat=True))
    assert calls[-1] > 1.3 * calls[-2]


@pytest.mark.parametrize("fact", demo_calls.FACTS, ids=lambda fact: fact.__name__)
def test_calls_of_the_past(desk: Workspace, fact: Callable[[Workspace], None]) -> None:
    fact(desk)


# What must hold


def test_the_books_agree(desk: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_books")
    assert "The books agree." in capsys.readouterr().out


def test_the_audit_chain_holds_and_its_moments_rise(desk: Workspace) -> None:
    proof = audit.verify(desk)
    assert proof.first_break is None
    assert proof.events > 200
    moments = list(AuditEvent.objects.filter(workspace=desk).order_by("number").values_list("at", flat=True))
    assert moments == sorted(moments)
    assert moments[-1] < timezone.now()
    assert moments[-1] > timezone.now() - timedelta(days=2)


def test_nothing_lies_in_the_future_and_no_past_notice_waits_for_mail(desk: Workspace) -> None:
    now = timezone.now()
    assert not Output.objects.filter(finished_at__gt=now).exists()
    assert not Rating.objects.filter(at__gt=now).exists()
    assert not Notification.objects.filter(Q(created_at__gt=now) | Q(emailed_at=None)).exists()


def test_a_run_of_the_past_ended_when_it_was_asked_for(desk: Workspace) -> None:
    for run in Run.objects.filter(workspace=desk):
        assert run.state == Run.State.DONE
        assert run.finished_at is not None
        assert run.finished_at - run.created_at < timedelta(minutes=5)
        spans = Output.objects.filter(run=run).exclude(finished_at__range=(run.created_at, run.finished_at))
        assert not spans.exists()


def test_shown_answers_are_those_of_the_practice_provider(desk: Workspace) -> None:
    outputs = Output.objects.select_related("call__body", "arm__model__connection", "arm__version").filter(
        run__workspace=desk
    )
    with process.running() as url:
        for output in outputs.order_by("?")[:25]:
            assert demo_desk.said_by(url, output) == output.text


# What waits for the visitor


def test_one_better_version_waits_with_its_tests_passed(waiting: ChangeRequest) -> None:
    [item] = waiting.items.all()
    assert (item.prompt.name, item.version.number) == plot.WAITING
    checks = {check.name: check for check in waiting.checks.all()}
    assert checks["tests"].status == "passed"
    assert "better on" in checks["tests"].summary
    assert checks["people"].status == "pending"
    standing = boards.standing_of(waiting)
    assert not standing.conflicts
    assert not standing.may_apply


def test_two_prompts_wait_to_go_live_as_one(desk: Workspace) -> None:
    [request] = ChangeRequest.objects.waiting().filter(workspace=desk, items__prompt__name=plot.TOGETHER[0][0])
    found = {(item.prompt.name, item.version.number) for item in request.items.all()}
    assert found == set(plot.TOGETHER)


def test_one_is_scheduled_for_tomorrow_morning(desk: Workspace) -> None:
    request = ChangeRequest.objects.get(workspace=desk, state=ChangeRequest.State.SCHEDULED)
    assert request.scheduled_at > timezone.now()


def test_somebody_points_at_a_line_and_is_answered(waiting: ChangeRequest) -> None:
    thread = waiting.comments.exclude(prompt=None).get()
    assert thread.quote in waiting.items.get().version.messages[0]["content"]
    assert thread.replies.count() == 1


def test_half_of_its_ratings_are_there(queue: Queue) -> None:
    found = results.results_of(queue)
    assert (found.done, found.wanted) == (plot.ANA_RATED + plot.AMIR_RATED, 40)


def test_two_annotators_can_each_be_handed_a_pair(queue: Queue, loaded: Loaded) -> None:
    users = loaded.cast.users
    ana, amir = (assignment.next_slot(queue, users[name]) for name in ("ana", "amir"))
    assert ana is not None
    assert amir is not None
    assert ana.slot_id != amir.slot_id


def test_people_of_the_past_agreed_often_and_not_always(desk: Workspace) -> None:
    queues = Queue.objects.filter(workspace=desk, state=Queue.State.CLOSED)
    shares = [found.raw.value for found in map(results.results_of, queues) if found.raw.value is not None]
    assert len(shares) >= 5
    assert 0.5 < sum(shares) / len(shares) < 0.98


def test_somebody_left_a_draft(desk: Workspace) -> None:
    assert Draft.objects.filter(prompt__workspace=desk).count() == 1


# The card


def test_the_card_says_exactly_what_was_agreed(desk: Workspace) -> None:
    found = read_card()
    assert set(found) == {"url", "workspace", "prompt", "people", "api_keys", "langfuse"}
    assert (found["url"], found["workspace"], found["prompt"]) == (URL, "papermoon", "support/reply")
    assert set(found["people"]) == {"paula", "ana", "amir", "ravi", "fay", "olga"}
    assert found["people"]["paula"] == {
        "email": "paula@papermoon.example",
        "password": PASSWORD,
        "roles": ["editor", "publisher"],
    }
    assert set(found["api_keys"]) == {"app", "admin", "spend"}
    assert set(found["langfuse"]) == {"public_key", "secret_key"}
    assert card.path().stat().st_mode & 0o777 == 0o600


def test_the_app_key_fetches_what_is_live(desk: Workspace) -> None:
    bearer = {"authorization": f"Bearer {read_card()['api_keys']['app']}"}
    answer = Client().get("/api/v1/prompts/support/reply", {"environment": "production"}, headers=bearer)
    assert answer.status_code == 200
    assert "Never promise a refund" in answer.content.decode()


def test_the_langfuse_pair_may_read_draft_and_propose(desk: Workspace) -> None:
    key = ApiKey.objects.get(public_id=read_card()["langfuse"]["public_key"])
    assert set(key.scopes) == {"prompts:read", "prompts:draft", "prompts:propose"}


@pytest.mark.parametrize("short", sorted(PEOPLE))
def test_everybody_signs_in_and_lands_in_their_room(desk: Workspace, short: str) -> None:
    client = Client()
    client.post("/accounts/login/", {"login": PEOPLE[short].email, "password": PASSWORD})
    page = client.get("/", follow=True)
    assert page.status_code == 200
    assert page.redirect_chain[-1][0].startswith("/w/papermoon/")


# A second time


def test_a_second_load_changes_nothing(desk: Workspace) -> None:
    before, text = numbers(), card.path().read_bytes()
    again = loading.load(url=URL, provider_url=PROVIDER)
    assert not again.is_new
    assert not again.changed
    assert (numbers(), card.path().read_bytes()) == (before, text)


def test_the_provider_moving_moves_the_connections(desk: Workspace) -> None:
    assert loading.load(url=URL, provider_url="http://127.0.0.1:7777").changed
    addresses = set(Connection.objects.filter(workspace=desk).values_list("base_url", flat=True))
    assert addresses == {"http://127.0.0.1:7777/v1", "http://127.0.0.1:7777"}


@pytest.fixture
def kept_card() -> Iterator[None]:
    text = card.path().read_text()
    yield
    card.path().write_text(text)


def test_another_address_goes_into_the_card_and_the_keys_stay(desk: Workspace, kept_card: None) -> None:
    before = read_card()
    assert loading.load(url="http://127.0.0.1:8001", provider_url=PROVIDER).changed
    assert read_card() == {**before, "url": "http://127.0.0.1:8001"}


def test_a_lost_card_is_written_anew_with_keys_that_work(desk: Workspace, kept_card: None) -> None:
    before = read_card()
    card.path().write_text("{")
    loading.load(url=URL, provider_url=PROVIDER)
    after = read_card()
    assert before["api_keys"]["app"] != after["api_keys"]["app"]
    for secret, status in ((before["api_keys"]["app"], 401), (after["api_keys"]["app"], 200)):
        bearer = {"authorization": f"Bearer {secret}"}
        assert Client().get("/api/v1/prompts/support/reply", headers=bearer).status_code == status


def test_the_command_prints_one_line_of_people_last(desk: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("demo", "--json", "--url", URL, "--provider-url", PROVIDER)
    listed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [person["email"] for person in listed] == [person.email for person in PEOPLE.values()]


def test_a_desk_with_other_workspaces_is_left_alone(desk: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "gather", lambda: None)
    with pytest.raises(CommandError, match="--force"):
        call_command("demo", "--provider-url", PROVIDER)


def test_a_load_that_breaks_off_leaves_nothing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "_book", cut)
    monkeypatch.setattr(plot, "outline", lambda story: story.at(80, 9, lambda: None))
    with django_db_blocker.unblock(), demo_desk.own_database("cut", tmp_path):
        with pytest.raises(KeyboardInterrupt):
            loading.load(provider_url=PROVIDER)
        assert not Workspace.objects.exists()
        assert not (Path(settings.GALLEY_VAR) / "demo.json").exists()
