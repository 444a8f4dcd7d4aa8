"""The rating page: what it shows, what it stores, and that it is blind."""

import re
from uuid import uuid4

import pytest
from django.urls import reverse

from apps.reviews import actions, assignment
from apps.reviews.models import Queue, Rating, Skip, Slot

HTMX = {"HX-Request": "true"}


def page_of(queue, name="rate", **kwargs):
    return reverse(name, kwargs={"workspace": "acme", "queue_token": queue.token, **kwargs})


def field(html, name):
    return re.search(rf'name="{name}" value="([^"]*)"', html)[1]


def answer(client, queue, choice="a", html=None, **extra):
    """Read the form on the page as a browser does, press one of its buttons, and return the next page."""
    html = html or client.get(page_of(queue)).content.decode()
    form = {"token": field(html, "token"), "key": field(html, "key"), "answer": choice, "comment": "", **extra}
    return client.post(page_of(queue), form, headers=HTMX)


def test_the_page_shows_the_inputs_and_both_answers(client_of, queue, ana):
    html = client_of(ana).get(page_of(queue)).content.decode()
    assert "Which answer is better?" in html
    assert re.search(r"Where is \d\?", html)
    assert re.search(r"Dear Ines, parcel \d is on its way\.", html)
    assert re.search(r"Parcel \d was sent\.", html)


def test_an_answer_brings_the_next_pair_as_a_fragment(client_of, queue, ana):
    client = client_of(ana)
    first = client.get(page_of(queue)).content.decode()
    response = answer(client, queue, html=first)
    html = response.content.decode()
    assert response.status_code == 200
    assert "<html" not in html
    assert field(html, "token") != field(first, "token")
    assert "<strong>1</strong> of 4" in html
    assert re.search(r"saved \d\d:\d\d:\d\d", html)
    assert Rating.objects.get().counted


def test_without_scripts_an_answer_leads_to_the_next_pair(client_of, queue, ana):
    client = client_of(ana)
    html = client.get(page_of(queue)).content.decode()
    form = {"token": field(html, "token"), "key": field(html, "key"), "answer": "tie"}
    response = client.post(page_of(queue), form, follow=True)
    assert response.redirect_chain == [(page_of(queue) + "?note=saved", 302)]
    assert field(response.content.decode(), "token") != field(html, "token")


def test_the_left_answer_is_the_side_that_is_stored(client_of, queue, ana):
    client = client_of(ana)
    html = client.get(page_of(queue)).content.decode()
    candidate_first = html.index("Dear Ines") < html.index("was sent.")
    answer(client, queue, "a", html=html)
    assert Rating.objects.get().verdict == ("candidate" if candidate_first else "baseline")


def test_a_double_click_is_stored_once(client_of, queue, ana):
    client = client_of(ana)
    html = client.get(page_of(queue)).content.decode()
    first, second = answer(client, queue, html=html), answer(client, queue, html=html)
    assert (first.status_code, second.status_code) == (200, 200)
    assert Rating.objects.count() == 1


def test_a_second_tab_is_told_that_the_first_answer_stands(client_of, queue, ana):
    client = client_of(ana)
    first, second = (client.get(page_of(queue)).content.decode() for _ in range(2))
    answer(client, queue, "tie", first)
    page = answer(client, queue, "b", second).content.decode()
    assert "the earlier answer stands" in page
    assert Rating.objects.get().answer == "tie"


def test_an_unknown_answer_is_refused_in_words(client_of, queue, ana):
    response = answer(client_of(ana), queue, "c")
    assert response.status_code == 422
    assert "Choose one of the four answers." in response.content.decode()


def test_a_token_that_was_never_mine_is_refused(client_of, queue, ana):
    response = answer(client_of(ana), queue, token=str(uuid4()))
    assert response.status_code == 409
    assert not Rating.objects.exists()


def test_an_answer_nobody_needs_any_more_is_thanked_for(client_of, queue, ana, amir, olga):
    client = client_of(ana)
    html = client.get(page_of(queue)).content.decode()
    Slot.objects.filter(rater=ana).update(available_at="2020-01-01T00:00Z")
    for other in (amir, olga):
        answer(client_of(other), queue)
    assert "was not needed" in answer(client, queue, html=html).content.decode()


def test_model_output_is_text_and_not_markup(client_of, make_run, ana):
    run = make_run([("<script>alert(1)</script>", "<img src=x onerror=alert(2)>")], change_request=None)
    queue = actions.create_pairwise_queue(run=run, acting_user=None)
    html = client_of(ana).get(page_of(queue)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_undo_shows_the_last_pair_as_it_was(client_of, queue, ana):
    client = client_of(ana)
    first = client.get(page_of(queue)).content.decode()
    answer(client, queue, "b", html=first)
    again = client.get(page_of(queue, "rate_back", steps=1)).content.decode()
    assert (again.index("Dear Ines") < again.index("was sent.")) == (
        first.index("Dear Ines") < first.index("was sent.")
    )
    assert re.search(r'value="b"[^>]*aria-pressed="true"', again)
    assert field(again, "key") == field(first, "key")


def test_undo_changes_the_answer_and_keeps_the_old_one(client_of, queue, ana):
    client = client_of(ana)
    answer(client, queue, "a")
    key = Rating.objects.get().idempotency_key
    response = client.post(page_of(queue, "rate_back", steps=1), {"key": key, "answer": "tie"}, headers=HTMX)
    assert re.search(r"changed \d\d:\d\d:\d\d", response.content.decode())
    rating = Rating.objects.get()
    assert rating.verdict == "tie"
    assert list(rating.revisions.order_by("number").values_list("answer", flat=True)) == ["a", "tie"]


def test_undo_does_not_reach_another_raters_answer(client_of, queue, ana, amir):
    answer(client_of(ana), queue, "a")
    key = Rating.objects.get().idempotency_key
    back = page_of(queue, "rate_back", steps=1)
    assert client_of(amir).post(back, {"key": key, "answer": "tie"}, headers=HTMX).status_code == 409
    assert Rating.objects.get().answer == "a"


def test_undo_with_nothing_to_undo_says_so(client_of, queue, ana):
    html = client_of(ana).get(page_of(queue, "rate_back", steps=1)).content.decode()
    assert "no earlier answer" in html


def test_a_skip_needs_a_reason(client_of, queue, ana):
    client = client_of(ana)
    token = field(client.get(page_of(queue)).content.decode(), "token")
    response = client.post(page_of(queue, "rate_skip"), {"token": token}, headers=HTMX)
    assert response.status_code == 422
    assert not Skip.objects.exists()


def test_a_skip_brings_another_pair(client_of, queue, ana):
    client = client_of(ana)
    token = field(client.get(page_of(queue)).content.decode(), "token")
    form = {"token": token, "reason": "unclear", "note": "what?"}
    html = client.post(page_of(queue, "rate_skip"), form, headers=HTMX).content.decode()
    assert field(html, "token") != token
    assert Skip.objects.get().reason == "unclear"


def test_a_heartbeat_answers_with_the_new_end(client_of, queue, ana):
    client = client_of(ana)
    token = field(client.get(page_of(queue)).content.decode(), "token")
    html = client.post(page_of(queue, "rate_heartbeat"), {"token": token}, headers=HTMX).content.decode()
    assert "data-lease" in html


def test_a_heartbeat_of_a_lost_item_says_so(client_of, queue, ana):
    html = client_of(ana).post(page_of(queue, "rate_heartbeat"), {"token": uuid4()}, headers=HTMX).content.decode()
    assert "Others may get this item" in html


def test_leaving_gives_the_item_back(client_of, queue, ana):
    client = client_of(ana)
    token = field(client.get(page_of(queue)).content.decode(), "token")
    assert client.post(page_of(queue, "rate_leave"), {"token": token}).status_code == 302
    assert not Slot.objects.filter(rater=ana).exists()


def finish(queue, user):
    while held := assignment.next_slot(queue, user):
        assignment.submit(queue, user, token=held.token, key=uuid4(), answer="a")


def test_the_empty_page_says_that_i_am_done(client_of, queue, ana):
    finish(queue, ana)
    Slot.objects.unfinished().update(available_at="2020-01-01T00:00Z", rater=None, token=None)
    assert "You are done. Thank you!" in client_of(ana).get(page_of(queue)).content.decode()


def test_the_empty_page_says_that_all_is_rated(client_of, queue, ana, amir):
    finish(queue, ana)
    finish(queue, amir)
    assert "All rated. Thank you!" in client_of(ana).get(page_of(queue)).content.decode()


def test_the_empty_page_says_until_when_others_hold_the_rest(client_of, make_run, ana, amir):
    run = make_run([("one", "two")], change_request=None)
    queue = actions.create_pairwise_queue(run=run, acting_user=None, overlap=1)
    held = assignment.next_slot(queue, amir)
    html = client_of(ana).get(page_of(queue)).content.decode()
    until = held.until.astimezone(queue.workspace.zone)
    assert f"free at {until:%H:%M}" in html


def test_the_empty_page_says_that_the_queue_is_closed(client_of, queue, ana):
    actions.close_queue(queue=queue, acting_user=None)
    assert "This queue is closed" in client_of(ana).get(page_of(queue)).content.decode()


def test_who_wrote_the_candidate_is_told_why_they_get_nothing(client_of, queue, paula, workspace):
    workspace.memberships.filter(user=paula).update(roles=["annotator"])
    assert "had a hand in these answers" in client_of(paula).get(page_of(queue)).content.decode()


def test_a_page_shown_twice_has_two_keys(client_of, queue, ana):
    client = client_of(ana)
    pages = [client.get(page_of(queue)).content.decode() for _ in range(2)]
    assert field(pages[0], "key") != field(pages[1], "key")
    assert field(pages[0], "token") == field(pages[1], "token")


def test_nothing_of_the_page_is_kept_by_caches(client_of, queue, ana):
    assert "no-store" in client_of(ana).get(page_of(queue))["Cache-Control"]


@pytest.mark.parametrize("name", ["rate_skip", "rate_heartbeat", "rate_leave"])
def test_only_a_post_changes_anything(client_of, queue, ana, name):
    assert client_of(ana).get(page_of(queue, name)).status_code == 405


@pytest.mark.parametrize("name", ["rate", "rate_skip", "rate_heartbeat", "rate_leave"])
def test_strangers_find_nothing(client_of, queue, stranger, name):
    assert client_of(stranger).post(page_of(queue, name)).status_code == 404


@pytest.mark.parametrize("name", ["rate", "rate_skip", "rate_heartbeat", "rate_leave"])
def test_people_who_do_not_rate_are_refused(client_of, queue, ravi, name):
    assert client_of(ravi).post(page_of(queue, name)).status_code == 403


def test_a_queue_of_another_workspace_is_not_found(client_of, queue, stranger):
    url = page_of(queue).replace("/w/acme/", "/w/elsewhere/")
    assert client_of(stranger).get(url).status_code == 404


def test_the_page_needs_few_queries_however_long_the_queue(
    client_of, make_run, ana, django_assert_max_num_queries, workspace
):
    answers = [(f"long {n}", f"short {n}") for n in range(60)]
    queue = actions.create_pairwise_queue(run=make_run(answers, change_request=None), acting_user=None, limit=60)
    client = client_of(ana)
    client.get(page_of(queue))
    with django_assert_max_num_queries(16):
        client.get(page_of(queue))


def test_closing_while_somebody_rates_keeps_their_answer_uncounted(client_of, queue, ana):
    client = client_of(ana)
    html = client.get(page_of(queue)).content.decode()
    actions.close_queue(queue=queue, acting_user=None)
    answer(client, queue, html=html)
    assert not Rating.objects.get().counted
    assert Queue.objects.get().state == "closed"
