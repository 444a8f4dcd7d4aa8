"""Blind on the wire: nothing that a rater can fetch tells which version or model answered."""

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.urls import reverse

from apps.experiments.models import Output, RunArm
from apps.reviews import actions, assignment
from apps.reviews.models import Item, Lease, Rating, Slot
from tests.reviews.conftest import make_answers
from tests.reviews.walking import pages_of_workspace

HTMX = {"HX-Request": "true"}
# Ids far from any number that a page holds for another reason.
FAR = 7_000_000


@pytest.fixture
def far_ids(db):
    """Start the ids of everything telling at seven million, so that one is known when it is seen."""
    with connection.cursor() as cursor:
        for model in (Output, RunArm, Item, Slot, Rating):
            cursor.execute(f"ALTER SEQUENCE {model._meta.db_table}_id_seq RESTART WITH {FAR}")


@pytest.fixture
def blind_queue(far_ids, make_run, ana, amir):
    return actions.create_pairwise_queue(run=make_run(make_answers(6)), acting_user=None)


def raw(response):
    headers = "\n".join(f"{name}: {value}" for name, value in response.items())
    cookies = response.cookies.output()
    return f"{headers}\n{cookies}\n{response.content.decode()}"


def everything_a_rater_fetches(client, queue):
    """Walk the whole room as a rater does and return the raw bytes of each answer."""
    where = {"workspace": "acme", "queue_token": queue.token}
    rate = reverse("rate", kwargs=where)
    texts = [raw(client.get(reverse("review_desk", kwargs={"workspace": "acme"}))), raw(client.get(rate))]
    for number in range(4):
        html = texts[-1]
        token, key = (re.search(rf'name="{name}" value="([^"]*)"', html)[1] for name in ("token", "key"))
        texts.append(raw(client.post(reverse("rate_heartbeat", kwargs=where), {"token": token}, headers=HTMX)))
        form = {"token": token, "key": key, "answer": ["a", "b", "tie", "both_bad"][number]}
        texts.append(raw(client.post(rate, form, headers=HTMX)))
    texts.append(raw(client.get(reverse("rate_back", kwargs={**where, "steps": 1}))))
    token = re.search(r'name="token" value="([^"]*)"', raw(client.get(rate)))[1]
    texts.append(
        raw(client.post(reverse("rate_skip", kwargs=where), {"token": token, "reason": "other"}, headers=HTMX))
    )
    texts.append(raw(client.post(reverse("rate_leave", kwargs=where), {"token": token})))
    texts.append(raw(client.get(rate + "?note=saved")))
    return texts


CANARIES = [
    r"canary",
    r"\b[Cc]andidate\b",
    r"\b[Bb]aseline\b",
    r"\bv[12]\b",
    r"(?i)version [12]\b",
    r"practice",
    r"\b700\d{4}\b",
    r"0\.7\b",
    r"flipped",
    r"(?i)latency",
    r"Paula",
]


def test_no_byte_tells_whose_answer_it_is(client_of, blind_queue, ana):
    texts = everything_a_rater_fetches(client_of(ana), blind_queue)
    assert Rating.objects.count() == 4
    assert [(canary, text) for text in texts for canary in CANARIES if re.search(canary, text)] == []


def test_the_canaries_would_be_heard(client_of, blind_queue, olga):
    """The page of results names what raters may not see, so the search above looks for the right things."""
    url = reverse("queue_detail", kwargs={"workspace": "acme", "queue_id": blind_queue.pk})
    html = client_of(olga).get(url).content.decode()
    assert re.search(r"canary-case", html)
    assert re.search(r"\bCandidate\b", html)
    assert Output.objects.filter(pk__gte=FAR).count() == Output.objects.count() > 0


def test_the_page_has_the_same_shape_whichever_side_is_which(client_of, blind_queue, ana):
    """Only the answers' places, the tokens and the clock may differ between a straight and a flipped pair."""
    pages = {}
    client = client_of(ana)
    url = reverse("rate", kwargs={"workspace": "acme", "queue_token": blind_queue.token})
    Slot.objects.exclude(item=Item.objects.first()).update(dropped_at="2020-01-01T00:00Z")
    for flipped in (True, False):
        Slot.objects.filter(dropped_at=None).update(flipped=flipped)
        html = client.get(url).content.decode()
        html = re.sub(
            r'(name="(key|token|csrfmiddlewaretoken)" value|nonce|datetime|X-CSRFToken&quot;:)="[^"]*"', r"\1", html
        )
        html = re.sub(r'"X-CSRFToken": "[^"]*"|until \d\d:\d\d', "", html)
        pages[flipped] = re.sub(r"Dear Ines, parcel \d is on its way\.|Parcel \d was sent\.", "ANSWER", html)
    assert pages[True] == pages[False]


def test_each_side_is_the_candidates_half_of_the_time(blind_queue, ana, amir):
    for user in (ana, amir):
        while held := assignment.next_slot(blind_queue, user):
            assignment.submit(blind_queue, user, token=held.token, key=uuid4(), answer="a")
    shown = list(Rating.objects.values_list("shown_left", flat=True))
    assert (shown.count("candidate"), shown.count("baseline")) == (6, 6)


def test_a_token_tells_nothing_of_the_order(blind_queue, ana):
    while held := assignment.next_slot(blind_queue, ana):
        assignment.submit(blind_queue, ana, token=held.token, key=uuid4(), answer="a")
    tokens = list(Lease.objects.values_list("token", flat=True))
    assert {token.version for token in tokens} == {4}


@pytest.mark.parametrize("name", ["queue_list", "queue_detail", "queue_close", "queue_create", "change_request_people"])
def test_a_rater_may_not_see_results(client_of, queue, ana, change_request, name):
    ids = {"queue_detail": {"queue_id": queue.pk}, "queue_close": {"queue_id": queue.pk}}
    ids["change_request_people"] = {"change_request_id": change_request.pk}
    url = reverse(name, kwargs={"workspace": "acme", **ids.get(name, {})})
    send = client_of(ana).post if name in ("queue_close", "queue_create") else client_of(ana).get
    assert send(url).status_code == 403


@pytest.mark.parametrize("room", ["prompts/", "experiments/", "spend/", "models/", "settings/"])
def test_a_rater_may_not_enter_the_rooms_that_would_tell(client_of, workspace, ana, room):
    assert client_of(ana).get(f"/w/acme/{room}", follow=True).status_code in (403, 404)


def test_no_page_of_runs_prompts_calls_or_spend_opens_to_a_rater(client_of, queue, ana):
    """Walk every address of the other rooms, filled with ids that exist."""
    run = queue.run
    ids = {
        "run_id": run.pk,
        "prompt_id": run.suite.prompt_id,
        "number": 1,
        "version_number": 1,
        "suite_id": run.suite_id,
    }
    client = client_of(ana)
    opened = [url for url in pages_of_workspace("acme", ids) if client.get(url).status_code == 200]
    # Their own desk, inbox and account; administrators' settings are asked for with a right by each page.
    allowed = ("/w/acme/reviews/", "/w/acme/inbox/", "/w/acme/settings/")
    assert [url for url in opened if not url.startswith(allowed)] == []
