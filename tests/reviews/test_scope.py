"""Another workspace's admin knows the ids, and nothing else: whatever they ask or send, nothing is found or changed."""

from uuid import uuid4

import pytest
from django.urls import reverse

from apps.accounts.models import AuditEvent
from apps.prompts.models import Check
from apps.reviews import assignment
from apps.reviews.models import Item, Lease, Queue, Rating, Skip, Slot
from tests.reviews.conftest import make_answers

TABLES = (Queue, Item, Slot, Lease, Rating, Skip, Check, AuditEvent)
PATHS = {
    "rate": ["queue_token"],
    "rate_back": ["queue_token", "steps"],
    "rate_skip": ["queue_token"],
    "rate_heartbeat": ["queue_token"],
    "rate_leave": ["queue_token"],
    "queue_detail": ["queue_id"],
    "queue_close": ["queue_id"],
    "change_request_people": ["change_request_id"],
}


def everything():
    return {table.__name__: list(table.objects.order_by("pk").values()) for table in TABLES}


@pytest.fixture
def held(queue, ana):
    return assignment.next_slot(queue, ana)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", PATHS)
def test_an_address_with_anothers_id_is_not_found(queue, held, change_request, stranger, client_of, name, method):
    ids = {
        "queue_token": queue.token,
        "queue_id": queue.pk,
        "change_request_id": change_request.pk,
        "steps": 1,
    }
    before = everything()
    address = reverse(name, kwargs={"workspace": "elsewhere", **{key: ids[key] for key in PATHS[name]}})
    form = {"token": held.token, "key": uuid4(), "answer": "a", "reason": "broken"}
    assert getattr(client_of(stranger), method)(address, form).status_code in (404, 405)
    assert everything() == before


def test_every_address_of_an_object_is_in_the_list_above():
    from apps.reviews.urls import urlpatterns

    assert {pattern.name for pattern in urlpatterns if pattern.pattern.converters} == set(PATHS)


def test_a_queue_about_anothers_run_is_refused(make_run, stranger, client_of):
    run = make_run(make_answers())
    before = everything()
    form = {"run": run.pk, "overlap": 2, "limit": 20}
    answer = client_of(stranger).post(reverse("queue_create", kwargs={"workspace": "elsewhere"}), form)
    assert answer.status_code == 422
    assert "run" in answer.context["form"].errors
    assert everything() == before


@pytest.mark.parametrize("name", ["rate", "rate_skip", "rate_heartbeat", "rate_leave"])
def test_anothers_lease_is_not_used_by_a_colleague(queue, held, amir, client_of, name):
    """Amir may rate here, and sends the token that Ana's page holds."""
    address = reverse(name, kwargs={"workspace": "acme", "queue_token": queue.token})
    form = {"token": held.token, "key": uuid4(), "answer": "a", "reason": "broken"}
    client_of(amir).post(address, form)
    slot = Slot.objects.get(pk=held.slot_id)
    assert (slot.token, slot.available_at, slot.done_at) == (held.token, held.until, None)
    assert not Rating.objects.exists()
    assert not Skip.objects.exists()
