"""The pages of those who look on: queues, results, and the card on a change request; and a rater's desk."""

import re
from uuid import uuid4

import pytest
from django.urls import reverse

from apps.reviews import actions, assignment, desk, results
from apps.reviews.models import Queue, Rating, Slot
from tests.reviews.conftest import make_answers

HTMX = {"HX-Request": "true"}


def url(name, **kwargs):
    return reverse(name, kwargs={"workspace": "acme", **kwargs})


def rate_some(queue, user, verdicts):
    for verdict in verdicts:
        held = assignment.next_slot(queue, user)
        left = "baseline" if held.flipped else "candidate"
        answer = verdict if verdict in ("tie", "both_bad") else "a" if verdict == left else "b"
        actions.submit_rating(
            queue=queue, token=held.token, key=uuid4(), answer=answer, comment="why not", seconds=9, acting_user=user
        )


def test_the_desk_shows_what_waits_and_starts_with_one_button(client_of, queue, ana):
    html = client_of(ana).get(url("review_desk")).content.decode()
    assert "Start rating" in html
    assert "4 of 4" in html
    assert url("rate", queue_token=queue.token) in html


def test_the_desk_says_go_on_to_somebody_half_way(client_of, queue, ana):
    rate_some(queue, ana, ["tie", "tie"])
    html = client_of(ana).get(url("review_desk")).content.decode()
    assert "Go on rating" in html
    assert "2 of 4" in html


def test_an_empty_desk_says_what_to_expect(client_of, workspace, ana):
    assert "Nothing to rate right now" in client_of(ana).get(url("review_desk")).content.decode()


def test_the_desk_hides_what_its_reader_had_a_hand_in(client_of, queue, paula, workspace):
    workspace.memberships.filter(user=paula).update(roles=["annotator"])
    assert "Nothing to rate right now" in client_of(paula).get(url("review_desk")).content.decode()


def test_those_who_look_on_are_led_to_the_queues(client_of, workspace, ravi):
    assert client_of(ravi).get(url("review_desk")).url == url("queue_list")


def test_the_count_of_what_waits_falls_with_every_answer(queue, workspace, ana, amir):
    assert desk.reviews_waiting(workspace, ana).count() == 4
    rate_some(queue, ana, ["tie"])
    assert (desk.reviews_waiting(workspace, ana).count(), desk.reviews_waiting(workspace, amir).count()) == (3, 4)


def test_nothing_waits_for_the_author_or_after_the_end(queue, workspace, ana, paula):
    assert desk.reviews_waiting(workspace, paula).count() == 0
    actions.close_queue(queue=queue, acting_user=None)
    assert desk.reviews_waiting(workspace, ana).count() == 0


def test_what_others_hold_does_not_wait_for_me(make_run, workspace, ana, amir):
    run = make_run(make_answers(3), change_request=None)
    queue = actions.create_pairwise_queue(run=run, acting_user=None, overlap=1)
    assignment.next_slot(queue, amir)
    assert (desk.reviews_waiting(workspace, ana).count(), desk.reviews_waiting(workspace, amir).count()) == (2, 3)


def test_the_list_shows_progress_and_what_the_queue_is_for(client_of, queue, ravi, ana):
    rate_some(queue, ana, ["tie"])
    html = client_of(ravi).get(url("queue_list")).content.decode()
    assert "1 of 8" in html
    assert "#1 canary-title" in html


def test_an_empty_list_says_how_queues_come_about(client_of, workspace, ravi):
    assert "No queues yet" in client_of(ravi).get(url("queue_list")).content.decode()


def test_only_queue_managers_are_offered_a_new_queue(client_of, queue, ravi, olga):
    assert "Ask people" not in client_of(ravi).get(url("queue_list")).content.decode()
    assert "Ask people" in client_of(olga).get(url("queue_list")).content.decode()


def test_a_queue_manager_asks_people_about_a_run(client_of, make_run, olga):
    run = make_run(make_answers(), change_request=None)
    response = client_of(olga).post(url("queue_create"), {"run": run.pk, "overlap": 3, "limit": 2})
    queue = Queue.objects.get()
    assert response.url == url("queue_detail", queue_id=queue.pk)
    assert (queue.items.count(), queue.overlap, queue.created_by) == (2, 3, olga)


def test_a_run_with_nothing_to_compare_is_refused_in_the_form(client_of, make_run, olga):
    run = make_run([("same", "same")], change_request=None)
    response = client_of(olga).post(url("queue_create"), {"run": run.pk, "overlap": 2, "limit": 20})
    assert response.status_code == 422
    assert "Every answer is the same" in response.content.decode()


def test_a_run_of_another_workspace_cannot_be_asked_about(client_of, make_run, stranger):
    run = make_run(make_answers(), change_request=None)
    target = url("queue_create").replace("acme", "elsewhere")
    assert client_of(stranger).post(target, {"run": run.pk, "overlap": 2, "limit": 20}).status_code == 422
    assert not Queue.objects.exists()


def test_the_results_say_it_in_a_sentence(client_of, queue, ravi, ana, amir):
    rate_some(queue, ana, ["candidate"] * 4)
    rate_some(queue, amir, ["candidate"] * 3 + ["baseline"])
    html = client_of(ravi).get(url("queue_detail", queue_id=queue.pk)).content.decode()
    assert "No clear preference: the candidate wins 88 % of the time" in html
    assert "Agreement is <strong>" in html
    assert "Ana" in html
    assert "why not" in html


def test_a_queue_without_ratings_does_not_invent_any(client_of, queue, ravi):
    html = client_of(ravi).get(url("queue_detail", queue_id=queue.pk)).content.decode()
    assert "Nobody has rated yet." in html
    assert "rate-interval-share" not in html


def test_progress_is_a_fragment_that_stops_polling_at_the_end(client_of, queue, ravi, ana, amir):
    client = client_of(ravi)
    page = url("queue_detail", queue_id=queue.pk)
    before = client.get(page, headers=HTMX).content.decode()
    assert "every 10s" in before
    assert "<html" not in before
    rate_some(queue, ana, ["tie"] * 4)
    rate_some(queue, amir, ["tie"] * 4)
    assert "every 10s" not in client.get(page, headers=HTMX).content.decode()


def test_the_most_disputed_pair_comes_first(queue, ana, amir):
    rate_some(queue, ana, ["candidate", "candidate", "candidate", "candidate"])
    rate_some(queue, amir, ["candidate", "candidate", "baseline", "candidate"])
    lines = results.results_of(queue).item_lines()
    assert [line.disagreement for line in lines] == [1.0, 0.0, 0.0, 0.0]
    assert lines[0].summary == "1 × Candidate is better, 1 × Live is better"  # noqa: RUF001


def test_left_bias_is_counted_per_rater(queue, ana, amir):
    for user, answer in ((ana, "a"), (amir, "tie")):
        while held := assignment.next_slot(queue, user):
            assignment.submit(queue, user, token=held.token, key=uuid4(), answer=answer, seconds=4)
    lines = {line.name: line for line in results.results_of(queue).raters}
    assert (lines["Ana"].left_share, lines["Ana"].leans, lines["Ana"].seconds) == (1.0, True, 4)
    assert (lines["Amir"].left_share, lines["Amir"].leans) == (None, False)


def test_answers_not_needed_are_left_out_of_the_result(queue, ana, amir, olga):
    held = assignment.next_slot(queue, ana)
    Slot.objects.filter(rater=ana).update(available_at="2020-01-01T00:00Z")
    rate_some(queue, olga, ["tie"])
    rate_some(queue, amir, ["tie"])
    assignment.submit(queue, ana, token=held.token, key=uuid4(), answer="a")
    assert len(results.results_of(queue).ratings) == 2
    assert Rating.objects.count() == 3


def test_a_manager_closes_a_queue(client_of, queue, olga):
    client_of(olga).post(url("queue_close", queue_id=queue.pk))
    assert Queue.objects.get().state == "closed"


def test_a_reader_may_not_close_a_queue(client_of, queue, ravi):
    assert client_of(ravi).post(url("queue_close", queue_id=queue.pk)).status_code == 403
    assert Queue.objects.get().is_open


def test_the_card_shows_the_result(client_of, queue, change_request, ravi, ana, amir):
    rate_some(queue, ana, ["candidate"] * 4)
    rate_some(queue, amir, ["candidate"] * 4)
    html = client_of(ravi).get(url("change_request_people", change_request_id=change_request.pk)).content.decode()
    assert "People prefer the candidate: it wins 100 % of the time" in html
    assert url("queue_detail", queue_id=queue.pk) in html
    assert "<html" not in html


def test_the_card_shows_progress_while_people_rate(client_of, queue, change_request, ravi):
    html = client_of(ravi).get(url("change_request_people", change_request_id=change_request.pk)).content.decode()
    assert "0 of 8 ratings" in html


def test_the_card_says_when_nobody_has_to_be_asked(client_of, change_request, ravi):
    change_request.environment.policy = {"approvals": 0, "checks": []}
    change_request.environment.save()
    html = client_of(ravi).get(url("change_request_people", change_request_id=change_request.pk)).content.decode()
    assert "does not ask for people" in html


@pytest.mark.parametrize("name", ["review_desk", "queue_list", "queue_detail", "change_request_people"])
def test_strangers_find_nothing(client_of, queue, change_request, stranger, name):
    ids = {"queue_detail": {"queue_id": queue.pk}, "change_request_people": {"change_request_id": change_request.pk}}
    assert client_of(stranger).get(url(name, **ids.get(name, {}))).status_code == 404


@pytest.mark.parametrize("name", ["review_desk", "queue_list", "queue_detail", "change_request_people"])
def test_finance_is_refused(client_of, queue, change_request, fay, name):
    ids = {"queue_detail": {"queue_id": queue.pk}, "change_request_people": {"change_request_id": change_request.pk}}
    assert client_of(fay).get(url(name, **ids.get(name, {}))).status_code == 403


@pytest.mark.parametrize("name", ["queue_detail", "change_request_people"])
def test_another_workspaces_rows_are_not_found(client_of, queue, change_request, stranger, name):
    ids = {"queue_detail": {"queue_id": queue.pk}, "change_request_people": {"change_request_id": change_request.pk}}
    assert client_of(stranger).get(url(name, **ids[name]).replace("acme", "elsewhere")).status_code == 404


@pytest.mark.parametrize("name", ["queue_create", "queue_close"])
def test_writes_want_a_post(client_of, queue, olga, name):
    ids = {"queue_close": {"queue_id": queue.pk}}
    assert client_of(olga).get(url(name, **ids.get(name, {}))).status_code == 405


@pytest.mark.parametrize(("name", "budget"), [("review_desk", 12), ("queue_list", 12), ("queue_detail", 14)])
def test_pages_need_few_queries_however_much_there_is(
    client_of, make_run, olga, ana, amir, django_assert_max_num_queries, name, budget
):
    run = make_run(make_answers(20), change_request=None)
    queues = [actions.create_pairwise_queue(run=run, acting_user=None) for _ in range(4)]
    for user in (ana, amir):
        rate_some(queues[0], user, ["tie", "candidate", "baseline"] * 5)
    client = client_of(olga)
    ids = {"queue_detail": {"queue_id": queues[0].pk}}
    with django_assert_max_num_queries(budget):
        client.get(url(name, **ids.get(name, {})))


def test_two_raters_finish_a_queue_and_the_request_hears_of_it(client_of, queue, change_request, ana, amir):
    """The whole way over HTTP: both press one key for each pair until there is none left."""
    page = url("rate", queue_token=queue.token)
    for user in (ana, amir):
        client = client_of(user)
        html = client.get(page).content.decode()
        while 'name="token"' in html:
            token, key = (re.search(rf'name="{name}" value="([^"]*)"', html)[1] for name in ("token", "key"))
            better = "a" if html.index("Dear Ines") < html.index("was sent.") else "b"
            html = client.post(page, {"token": token, "key": key, "answer": better}, headers=HTMX).content.decode()
    assert "All rated. Thank you!" in html
    check = change_request.checks.get(name="people")
    assert (check.status, Rating.objects.counted().count()) == ("passed", 8)
    assert check.summary.startswith("100 % prefer the candidate")
