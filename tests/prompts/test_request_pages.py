"""The list of requests, the page of one, and what is done there by hand."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core.clock import database_now
from apps.prompts import actions, boards, dossiers
from apps.prompts.models import ChangeRequest, Deployment, Dossier, Environment, Prompt, Version
from apps.prompts.models.changes import State
from tests import factories
from tests.conftest import ClientOf


def address(url_name: str, workspace: Workspace, **more: object) -> str:
    return reverse(url_name, kwargs={"workspace": workspace.slug, **more})


@pytest.fixture
def page_of_paula(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


@pytest.fixture
def approved(change_request: ChangeRequest, ravi: User) -> ChangeRequest:
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)
    return change_request


@pytest.fixture
def other(workspace: Workspace, paula: User) -> Version:
    return factories.make_version(factories.make_prompt(workspace, "support/classify"), paula)


def state_of(request: ChangeRequest) -> str:
    return ChangeRequest.objects.get(pk=request.pk).state


def test_the_list_opens_on_what_waits_for_the_one_who_looks(
    client_of: ClientOf, workspace: Workspace, change_request: ChangeRequest, ravi: User
) -> None:
    content = client_of(ravi).get(address("change_request_list", workspace)).content.decode()
    assert "Waits for your review" in content
    assert f"requests/{change_request.number}/#diff" in content


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"show": "open", "q": "First"}, True),
        ({"show": "open", "q": "#1"}, True),
        ({"show": "open", "q": "support/re"}, True),
        ({"show": "open", "q": "nothing"}, False),
        ({"show": "open", "environment": "production"}, True),
        ({"show": "open", "environment": "dev"}, False),
        ({"show": "scheduled"}, False),
        ({"show": "closed"}, False),
        ({"show": "\x1f", "q": "9" * 300}, False),
    ],
)
def test_the_list_is_narrowed(
    page_of_paula: Client, workspace: Workspace, change_request: ChangeRequest, query: dict[str, str], found: bool
) -> None:
    answer = page_of_paula.get(address("change_request_list", workspace), query, headers={"HX-Request": "true"})
    assert (b"#diff" in answer.content) is found
    assert b"<html" not in answer.content


def test_the_draft_of_another_is_nowhere(
    client_of: ClientOf,
    workspace: Workspace,
    version: Version,
    environments: dict[str, Environment],
    paula: User,
    olga: User,
) -> None:
    draft = actions.start_change_request(
        versions=[version], environment=environments["production"], title="SECRET draft", acting_user=paula
    )
    page = client_of(olga)
    assert page.get(address("change_request_detail", workspace, number=draft.number)).status_code == 404
    for name, more in (("change_request_list", {}), ("prompt_detail", {"prompt_id": version.prompt_id})):
        assert b"SECRET" not in page.get(address(name, workspace, **more)).content


def test_two_prompts_are_collected_opened_and_taken_out_by_hand(
    page_of_paula: Client,
    workspace: Workspace,
    version: Version,
    other: Version,
    environments: dict[str, Environment],
) -> None:
    sent = {"version": version.pk, "environment": environments["production"].pk, "title": "Both", "op": "draft"}
    page_of_paula.post(address("change_request_new", workspace, prompt_id=version.prompt_id), sent)
    draft = ChangeRequest.objects.get(state=State.DRAFT)
    collect = address("change_request_collect", workspace, prompt_id=other.prompt_id, number=1)
    assert b"Add to #1" in page_of_paula.get(collect).content
    page_of_paula.post(collect, {"request": draft.number})
    page_of_paula.post(address("change_request_submit", workspace, number=draft.number))
    assert (state_of(draft), draft.items.count()) == (State.OPEN, 2)
    content = page_of_paula.get(address("change_request_detail", workspace, number=draft.number)).content.decode()
    assert "2 prompts, promoted and undone as one" in content
    page_of_paula.post(address("change_request_remove", workspace, number=draft.number, prompt_id=other.prompt_id))
    assert draft.items.count() == 1


def test_words_and_reviewers_are_changed_by_hand(
    page_of_paula: Client, workspace: Workspace, approved: ChangeRequest, ravi: User
) -> None:
    url = address("change_request_edit", workspace, number=approved.number)
    assert page_of_paula.get(url).status_code == 200
    page_of_paula.post(url, {"title": "Kinder", "why": "Because.", "reviewers": [ravi.pk]})
    approved.refresh_from_db()
    assert (approved.title, approved.state, approved.asked.get().user) == ("Kinder", State.APPROVED, ravi)
    assert page_of_paula.post(url, {"title": ""}).status_code == 422


def test_a_time_of_the_workspaces_clock_is_kept_as_that_moment(
    page_of_paula: Client, workspace: Workspace, approved: ChangeRequest
) -> None:
    local = (timezone.now() + timedelta(days=2)).astimezone(workspace.zone).replace(second=0, microsecond=0)
    url = address("change_request_schedule", workspace, number=approved.number)
    page_of_paula.post(url, {"at": local.strftime("%Y-%m-%dT%H:%M")})
    approved.refresh_from_db()
    assert (approved.state, approved.scheduled_at) == (State.SCHEDULED, local)
    content = page_of_paula.get(address("change_request_list", workspace), {"show": "scheduled"}).content.decode()
    assert f"Goes live on {local.day} {local:%B}, {local:%H:%M}" in content
    page_of_paula.post(address("change_request_unschedule", workspace, number=approved.number))
    assert state_of(approved) == State.APPROVED


@pytest.mark.parametrize("at", ["", "soon", "2027-03-28T01:30", "2001-01-01T00:00"])
def test_a_moment_that_is_none_is_refused_in_words(
    page_of_paula: Client, workspace: Workspace, approved: ChangeRequest, at: str
) -> None:
    page_of_paula.post(address("change_request_schedule", workspace, number=approved.number), {"at": at})
    assert state_of(approved) == State.APPROVED


def test_what_was_overtaken_is_brought_back_by_hand(
    page_of_paula: Client,
    client_of: ClientOf,
    workspace: Workspace,
    approved: ChangeRequest,
    better: Version,
    olga: User,
) -> None:
    rival = actions.open_change_request(
        version=better, environment=approved.environment, title="Other", acting_user=olga
    )
    page_of_paula.post(address("change_request_promote", workspace, number=approved.number))
    url = address("change_request_detail", workspace, number=rival.number)
    assert b"was promoted first" in client_of(olga).get(url).content
    client_of(olga).post(address("change_request_rebase", workspace, number=rival.number))
    assert state_of(rival) == State.OPEN


def test_a_release_is_undone_by_hand(
    page_of_paula: Client,
    workspace: Workspace,
    approved: ChangeRequest,
    better: Version,
    ravi: User,
    paula: User,
) -> None:
    actions.promote_change_request(change_request=approved, actor=paula)
    second = actions.open_change_request(version=better, environment=approved.environment, title="2", acting_user=paula)
    actions.review_change_request(change_request=second, decision="approve", acting_user=ravi)
    actions.promote_change_request(change_request=second, actor=paula)
    page = address("change_request_detail", workspace, number=second.number)
    assert b"Undo this release" in page_of_paula.get(page).content
    page_of_paula.post(address("change_request_undo", workspace, number=second.number), {"reason": "Colder."})
    assert Deployment.objects.current().get().version.number == 1
    assert b"Undo this release" not in page_of_paula.get(page).content


@pytest.mark.parametrize("prompts", [1, 5])
def test_the_page_of_a_request_grows_by_few_queries_for_each_prompt(
    page_of_paula: Client,
    workspace: Workspace,
    environments: dict[str, Environment],
    paula: User,
    ravi: User,
    prompts: int,
    django_assert_max_num_queries: object,
) -> None:
    versions = [factories.make_version(factories.make_prompt(workspace, f"p{n}"), paula) for n in range(prompts)]
    draft = actions.start_change_request(
        versions=versions, environment=environments["production"], title="Many", acting_user=paula
    )
    actions.submit_change_request(change_request=draft, acting_user=paula)
    for version in versions:
        anchor = actions.Anchor(version.prompt_id, 0)
        actions.comment_on_change_request(change_request=draft, remark="x", anchor=anchor, acting_user=ravi)
    with django_assert_max_num_queries(33 + 3 * prompts):
        page_of_paula.get(address("change_request_detail", workspace, number=draft.number))


# The dossier


@pytest.fixture
def dossier(approved: ChangeRequest, prompt: Prompt, ravi: User, paula: User) -> Dossier:
    anchor = actions.Anchor(prompt.pk, 1, "Reply to {{customer}}: {{message}}")
    actions.comment_on_change_request(change_request=approved, remark="Why?", anchor=anchor, acting_user=ravi)
    actions.report_check(
        change_request=approved, name="legal", status="passed", summary="ok", evidence={"case": "LX-4711"}
    )
    actions.promote_change_request(change_request=approved, actor=paula)
    return approved.dossier


def test_the_dossier_shows_everything_and_says_that_it_holds(
    page_of_paula: Client, workspace: Workspace, dossier: Dossier
) -> None:
    url = address("change_request_dossier", workspace, number=dossier.change_request.number)
    content = page_of_paula.get(url).content.decode()
    for words in ("Unchanged", dossier.hash, "LX-4711", "Why?", "Reply to {{customer}}", "Ravi", "nobody approves"):
        assert words in content


def test_what_happens_later_does_not_reach_the_dossier(dossier: Dossier, ravi: User) -> None:
    request = dossier.change_request
    actions.comment_on_change_request(change_request=request, remark="Too late.", acting_user=ravi)
    actions.report_check(change_request=request, name="legal", status="failed", summary="later")
    dossier.refresh_from_db()
    assert "Too late." not in str(dossier.body)
    assert dossiers.digest(dossier.body) == dossier.hash


def test_an_altered_dossier_is_called_what_it_is(
    page_of_paula: Client, workspace: Workspace, change_request: ChangeRequest
) -> None:
    body = {"title": "x", "items": [], "checks": [], "decisions": [], "discussion": []}
    ChangeRequest.objects.filter(pk=change_request.pk).update(state="applied", closed_at=database_now())
    Dossier.objects.create(change_request=change_request, body=body, hash="0" * 64)
    url = address("change_request_dossier", workspace, number=change_request.number)
    assert b"do not have this hash" in page_of_paula.get(url).content


def test_what_waits_longest_for_somebody_stays_on_their_list(
    workspace: Workspace, environments: dict[str, Environment], paula: User, ravi: User, olga: User
) -> None:
    place = environments["production"]

    def ask(number: int, author: User) -> None:
        version = factories.make_version(factories.make_prompt(workspace, f"many/{number}"), author)
        actions.open_change_request(version=version, environment=place, title=str(number), acting_user=author)

    ask(0, paula)
    for number in range(1, 25):
        ask(number, olga)
    membership = workspace.memberships.get(user=olga)
    # Olga may not review her own: of all 25 only the oldest waits for her.
    waiting = boards.waiting_requests(membership)
    assert [one.request.title for one in waiting if one.mine] == ["0"]
    assert len(waiting) == 20
