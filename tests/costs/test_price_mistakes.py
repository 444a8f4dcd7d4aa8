"""A price that was never right: corrected or withdrawn for the very time that it held, and all since priced anew."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import DatabaseError, transaction
from django.urls import reverse

from apps.accounts.models import AuditEvent
from apps.accounts.rights import Role
from apps.costs import actions, ledger, pricing, repricing
from apps.costs.ingest.drafts import Sender, drafts
from apps.costs.models import Charge, Meter, Price, Repricing, SpendMonth
from tests import factories
from tests.costs.conftest import NOON, new_charge

RIGHT, WRONG = Decimal("0.000002"), Decimal("0.000003")
pytestmark = pytest.mark.django_db


@pytest.fixture
def add(workspace, fay):
    def add_price(unit_price, begins, **values):
        facts = {"provider": "openai", "model": "gpt-4o", "meter": Meter.INPUT, "source": "contract", **values}
        return actions.add_price(
            workspace=workspace, unit_price=unit_price, valid_from=begins, acting_user=fay, **facts
        )

    return add_price


@pytest.fixture
def mistyped(add):
    add(Decimal("0.000001"), NOON - timedelta(days=9))
    return add(WRONG, NOON)


def correct(price, fay, amount=RIGHT, **values):
    return actions.correct_price(price=price, unit_price=amount, reason="A typo", acting_user=fay, **values)


def cost_at(workspace, at):
    found = pricing.quote(
        workspace_id=workspace.pk, provider="openai", model="gpt-4o", at=at, meters={Meter.INPUT: 1_000_000}
    )
    return found.cost


@time_machine.travel(NOON + timedelta(days=1), tick=False)
def test_a_mistyped_price_is_corrected_from_the_same_moment_and_its_calls_priced_anew(workspace, mistyped, fay):
    charge = new_charge(
        workspace.pk, NOON, cost=Decimal("0.0003"), price_ids=[mistyped.pk], input_tokens=100, output_tokens=0
    )
    ledger.record([charge])
    made, found = correct(mistyped, fay)
    assert (made.valid_from, made.valid_to, cost_at(workspace, NOON)) == (NOON, None, 2)
    assert cost_at(workspace, NOON - timedelta(microseconds=1)) == 1
    assert repricing.advance(found.pk) is False
    assert sum(Charge.objects.values_list("cost", flat=True)) == SpendMonth.objects.get().cost == Decimal("0.0002")


@time_machine.travel(NOON + timedelta(days=1), tick=False)
def test_a_withdrawn_price_lets_what_held_before_go_on(workspace, mistyped, fay):
    made, found = actions.withdraw_price(price=mistyped, reason="Never agreed", acting_user=fay)
    assert (made.unit_price, cost_at(workspace, NOON), found.model) == (Decimal("0.000001"), 1, "gpt-4o")
    assert cost_at(workspace, NOON - timedelta(days=10)) is None


def test_the_first_price_withdrawn_leaves_none(workspace, add, fay):
    price = add(WRONG, NOON)
    made, _ = actions.withdraw_price(price=price, reason="Another model", acting_user=fay)
    assert (made, cost_at(workspace, NOON)) == (None, None)
    assert add(RIGHT, NOON).valid_from == NOON


def test_a_closed_price_is_corrected_within_its_time(workspace, mistyped, add, fay):
    add(Decimal("0.000004"), NOON + timedelta(days=2))
    mistyped.refresh_from_db()
    made, _ = correct(mistyped, fay)
    assert made.valid_to == NOON + timedelta(days=2)
    assert [cost_at(workspace, NOON + timedelta(days=days)) for days in (-1, 1, 3)] == [1, 2, 4]


@time_machine.travel(NOON + timedelta(days=1), tick=False)
def test_two_mistakes_of_one_model_are_put_right_in_a_row(workspace, mistyped, add, fay):
    other = add(WRONG, NOON, meter=Meter.OUTPUT)
    _, first = correct(mistyped, fay)
    _, second = correct(other, fay)
    assert (second.pk, Repricing.objects.count()) == (first.pk, 1)
    Repricing.objects.update(state=Repricing.State.RUNNING)
    _, third = correct(Price.objects.standing().get(meter=Meter.OUTPUT), fay, Decimal("0.000005"))
    assert third.pk != first.pk


@time_machine.travel(NOON - timedelta(days=1), tick=False)
def test_a_price_ahead_is_corrected_without_re_pricing(mistyped, fay):
    assert correct(mistyped, fay)[1] is None
    assert not Repricing.objects.exists()


def test_the_mistake_stays_to_be_read_and_changes_no_more(mistyped, fay):
    correct(mistyped, fay)
    mistyped.refresh_from_db()
    assert (mistyped.unit_price, mistyped.withdrawn_by) == (WRONG, fay)
    with pytest.raises(actions.PriceWithdrawn):
        correct(mistyped, fay)
    for values in ({"withdrawn_at": None}, {"valid_to": NOON + timedelta(days=3)}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Price.objects.filter(pk=mistyped.pk).update(**values)


def test_the_audit_log_says_both_amounts_and_why(mistyped, fay):
    correct(mistyped, fay)
    event = AuditEvent.objects.get(verb="corrected a price")
    assert (event.before["unit_price"], event.after["unit_price"], event.reason) == (
        "0.000003000000",
        "0.000002000000",
        "A typo",
    )


def test_an_amount_far_from_the_price_before_has_to_be_meant(mistyped, fay):
    with pytest.raises(actions.PriceSurprising):
        correct(mistyped, fay, Decimal("0.00002"))
    assert correct(mistyped, fay, Decimal("0.00002"), is_meant=True)[0].unit_price == Decimal("0.00002")


def test_the_same_amount_and_no_reason_are_refused(mistyped, fay):
    with pytest.raises(actions.PriceRefused):
        correct(mistyped, fay, WRONG)
    with pytest.raises(actions.PriceRefused):
        actions.withdraw_price(price=mistyped, reason=" ", acting_user=fay)


def test_what_is_reported_is_priced_by_the_right_price_too(workspace, mistyped, fay):
    made, _ = correct(mistyped, fay)
    item = {
        "source_id": "1",
        "at": (NOON + timedelta(minutes=1)).isoformat(),
        "model": "gpt-4o",
        "meters": {"input": 1},
    }
    (draft,) = drafts(Sender(workspace.pk, "billing"), [item], NOON + timedelta(hours=1))
    assert list(draft.price_ids) == [made.pk]


def test_finance_corrects_a_price_on_its_page(workspace, mistyped, fay, client):
    client.force_login(fay)
    page = reverse("price_correct", kwargs={"workspace": "acme", "price_id": mistyped.pk})
    assert b"per million" in client.get(page).content
    assert client.post(page, {"amount": "2", "reason": ""}).status_code == 422
    assert client.post(page, {"amount": "2", "reason": "A typo"}).status_code == 302
    history = client.get(
        reverse("price_history", kwargs={"workspace": "acme"}), {"provider": "openai", "model": "gpt-4o"}
    ).content.decode()
    assert "Withdrawn" in history
    assert client.get(page).status_code == 404


def test_finance_withdraws_a_price_on_its_page(workspace, mistyped, fay, client):
    client.force_login(fay)
    page = reverse("price_withdraw", kwargs={"workspace": "acme", "price_id": mistyped.pk})
    assert client.get(page).status_code == 405
    assert client.post(page, {"reason": "Never agreed"}).status_code == 302
    assert cost_at(workspace, NOON) == 1


def test_another_workspaces_price_is_not_found_and_editors_may_not(mistyped, fay, client):
    other = factories.make_workspace("other")
    page = reverse("price_correct", kwargs={"workspace": other.slug, "price_id": mistyped.pk})
    client.force_login(fay)
    assert client.get(page).status_code == 404
    editor = factories.make_member(mistyped.workspace, "edith", Role.EDITOR)
    client.force_login(editor)
    assert client.get(page.replace(other.slug, "acme")).status_code == 403
