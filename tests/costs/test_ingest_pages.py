"""The Ingest tab: what came from where, and what waits to be mended."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import AuditEvent, User, Workspace
from apps.accounts.rights import Scope
from apps.costs import actions
from apps.costs.actions.ingest import AlreadyDecided, StillRefused
from apps.costs.models import Charge, Quarantined
from apps.costs.verification import verify
from tests import factories
from tests.conftest import ClientOf
from tests.costs.ingesting import NOON, item, price_of, send

CANARY = "CANARY the patient said that"
PAGE = "/w/acme/spend/ingest/"


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace)
    team = factories.make_team(workspace)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop", team=team)[1]


@pytest.fixture
def desk(fay: User, client_of: ClientOf) -> Client:
    return client_of(fay)


def aside(workspace: Workspace, **wanted: Any) -> Quarantined:
    return workspace.quarantined.get(**wanted)


def test_before_anything_came_the_page_says_how(desk: Client, workspace: Workspace) -> None:
    answer = desk.get(PAGE)
    assert "/v1/traces" in answer.content.decode()


def test_each_source_stands_with_what_it_sent(desk: Client, secret: str) -> None:
    send(secret, item("1"), item("1"), item("2", at="?"))
    send(secret, item("1"), source="other")
    answer = desk.get(PAGE)
    found = {row.name: row for row in answer.context["sources"]}
    billing = found["billing"]
    assert (billing.accepted, billing.duplicate, billing.quarantined, billing.waiting) == (1, 1, 1, 1)
    assert (found["other"].accepted, found["other"].waiting) == (1, 0)


def test_a_source_and_a_fault_narrow_the_list(desk: Client, secret: str) -> None:
    send(secret, item("1", at="?"), item("2", model=None))
    send(secret, item("3", model=None), source="other")
    rows = desk.get(PAGE, {"source": "billing", "reason": "no-model"}).context["page_obj"]
    assert [row.source_id for row in rows] == ["2"]


def test_the_page_asks_the_database_little_however_much_waits(
    desk: Client, secret: str, django_assert_max_num_queries: Any
) -> None:
    send(secret, *[item(str(number), at="?") for number in range(80)])
    desk.get(PAGE)
    with django_assert_max_num_queries(16):
        assert len(desk.get(PAGE).context["page_obj"]) == 50


def test_a_mended_charge_is_booked_with_what_its_key_stood_for(desk: Client, secret: str, workspace: Workspace) -> None:
    send(secret, item(at="yesterday"))
    row = aside(workspace)
    answer = desk.post(f"{PAGE}{row.pk}/", {"at": "2026-11-15T12:00:00", "model": "gpt-4o", "provider": "openai"})
    assert answer.status_code == 302
    charge, row = Charge.objects.get(), aside(workspace)
    assert (charge.cost, charge.at, charge.team_name, charge.api_key_name) == (
        Decimal("0.0075"),
        NOON,
        "Support",
        "shop",
    )
    assert (row.state, row.charge_id, row.decided_by.name if row.decided_by else "") == ("mended", charge.pk, "Fay")
    assert AuditEvent.objects.filter(verb="mended a quarantined charge").count() == 1


def test_counts_are_put_in_place_of_those_that_contradicted_each_other(
    desk: Client, secret: str, workspace: Workspace
) -> None:
    send(secret, item(meters={"input": 5, "output": 1}, total_tokens=99))
    row = aside(workspace)
    form = {"provider": "openai", "model": "gpt-4o", "meter_input": "1000", "meter_output": "500"}
    assert desk.post(f"{PAGE}{row.pk}/", form).status_code == 422
    assert desk.post(f"{PAGE}{row.pk}/", {**form, "replace_meters": "on"}).status_code == 302
    assert Charge.objects.get().cost == Decimal("0.0075")


def test_what_is_wrong_still_is_said_on_the_form(desk: Client, secret: str, workspace: Workspace) -> None:
    send(secret, item(model=None))
    answer = desk.post(f"{PAGE}{aside(workspace).pk}/", {"purpose": "judge"})
    assert (answer.status_code, "which model answered" in answer.content.decode()) == (422, True)
    assert aside(workspace).state == "open"


def test_all_alike_are_mended_at_once(desk: Client, secret: str, workspace: Workspace) -> None:
    send(secret, *[item(str(number), model=None) for number in range(5)], item("other", at="?"))
    row = aside(workspace, source_id="0")
    answer = desk.post(f"{PAGE}{row.pk}/", {"model": "gpt-4o", "provider": "openai", "alike": "on"}, follow=True)
    assert "5 charges are in the books" in answer.content.decode()
    assert list(workspace.quarantined.open().values_list("source_id", flat=True)) == ["other"]


def test_mending_all_alike_carries_over_names_and_never_tokens_or_the_time(
    desk: Client, secret: str, workspace: Workspace
) -> None:
    sent = [item(str(number), model=None, meters={"input": 100 * (number + 1)}) for number in range(3)]
    send(secret, *sent)
    form = {"model": "gpt-4o", "provider": "openai", "at": "2026-11-14T08:00", "replace_meters": "on"}
    row = aside(workspace, source_id="0")
    page = desk.get(f"{PAGE}{row.pk}/").content.decode()
    assert "the 2 others with this fault" in page
    assert "Never the tokens, the cost or the time" in page
    desk.post(f"{PAGE}{row.pk}/", {**form, "meter_input": "7", "alike": "on"})
    booked = {charge.source_id: charge for charge in Charge.objects.all()}
    assert [booked[str(number)].input_tokens for number in range(3)] == [7, 200, 300]
    assert [booked[str(number)].at == NOON for number in range(3)] == [False, True, True]


def test_what_only_tokens_or_a_time_would_mend_is_mended_one_by_one(
    desk: Client, secret: str, workspace: Workspace
) -> None:
    send(secret, *[item(str(number), at="?") for number in range(3)])
    address = f"{PAGE}{aside(workspace, source_id='0').pk}/"
    form = {"model": "gpt-4o", "provider": "openai", "at": "2026-11-15T12:00:00", "alike": "on"}
    answer = desk.post(address, form, follow=True)
    assert "1 charge is in the books. 2 alike still wait." in answer.content.decode()
    assert Charge.objects.count() == 1


def test_others_that_were_sent_with_another_name_are_not_alike(desk: Client, secret: str, workspace: Workspace) -> None:
    names = {"0": "new-one", "1": "new-one", "2": "claude-new"}
    send(secret, *[item(number, provider=None, model=name) for number, name in names.items()])
    row = aside(workspace, source_id="0")
    answer = desk.post(
        f"{PAGE}{row.pk}/", {"model": "gpt-4o", "provider": "openai", "alike": "on"}, follow=True
    ).content.decode()
    assert "2 charges are in the books." in answer
    assert [left.source_id for left in workspace.quarantined.open()] == ["2"]


def test_the_page_of_a_charge_shows_what_was_sent_and_no_text(desk: Client, secret: str, workspace: Workspace) -> None:
    send(secret, item(at=CANARY, messages=[CANARY], tags={"a": "b"}, source_id="call-7"))
    for address in (PAGE, f"{PAGE}{aside(workspace).pk}/"):
        content = desk.get(address).content.decode()
        assert "call-7" in content
        assert "CANARY" not in content


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
def test_a_time_that_no_clock_of_the_zone_can_show_is_set_aside(
    desk: Client, secret: str, workspace: Workspace, at: str, zone: str
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(time_zone=zone)
    send(secret, item(at=at))
    for address in (PAGE, f"{PAGE}{aside(workspace).pk}/"):
        assert desk.get(address).status_code == 200


def test_a_charge_that_is_sent_again_after_mending_is_known(desk: Client, secret: str, workspace: Workspace) -> None:
    send(secret, item(at="?"))
    desk.post(f"{PAGE}{aside(workspace).pk}/", {"at": "2026-11-14T12:00", "model": "gpt-4o", "provider": "openai"})
    assert send(secret, item()).json()["duplicate"] == 1
    assert Charge.objects.count() == 1


def test_what_the_books_learned_lets_a_retry_through(desk: Client, secret: str, workspace: Workspace) -> None:
    send(secret, item("1", provider=None, model="new-model"), item("2", at="?"))
    assert aside(workspace, source_id="1").reason == "no-provider"
    price_of(workspace, "new-model")
    answer = desk.post(f"{PAGE}retry/", follow=True)
    assert "Of 2 tried again, 1 are in the books now" in answer.content.decode()
    assert Charge.objects.get().cost == Decimal("0.0075")
    assert AuditEvent.objects.filter(verb="retried quarantined charges").count() == 1


def test_a_dismissed_charge_needs_a_reason_and_stays_out(desk: Client, secret: str, workspace: Workspace) -> None:
    send(secret, item(at="?"))
    address = f"{PAGE}{aside(workspace).pk}/dismiss/"
    assert desk.post(address, {"reason": " "}, headers={"HX-Request": "true"}).status_code == 422
    assert desk.post(address, {"reason": "a test of ours"}).status_code == 302
    assert aside(workspace).state == "dismissed"
    assert AuditEvent.objects.get(verb="dismissed a quarantined charge").reason == "a test of ours"
    assert "Dismissed" in desk.get(f"{PAGE}{aside(workspace).pk}/").content.decode()


def test_all_alike_are_dismissed_at_once(desk: Client, secret: str, workspace: Workspace) -> None:
    send(secret, *[item(str(number), model=None) for number in range(5)], item("other", at="?"))
    address = f"{PAGE}{aside(workspace, source_id='0').pk}/"
    assert "Dismiss all 5 alike" in desk.get(address).content.decode()
    desk.post(f"{address}dismiss/", {"reason": "a load test", "alike": "yes"})
    assert list(workspace.quarantined.open().values_list("source_id", flat=True)) == ["other"]


def test_nobody_decides_twice(secret: str, workspace: Workspace, fay: User) -> None:
    send(secret, item(at="?"))
    changes = {"at": NOON.isoformat()}
    pk = aside(workspace).pk
    actions.mend_quarantined(workspace=workspace, quarantined_id=pk, changes=changes, acting_user=fay)
    with pytest.raises(AlreadyDecided):
        actions.mend_quarantined(workspace=workspace, quarantined_id=pk, changes=changes, acting_user=fay)
    with pytest.raises(AlreadyDecided):
        actions.dismiss_quarantined(workspace=workspace, quarantined_id=pk, reason="x", acting_user=fay)
    assert Charge.objects.count() == 1


def test_a_refused_mend_books_none_of_the_others(secret: str, workspace: Workspace, fay: User) -> None:
    send(secret, item("1", model=None, meters={"input": -1}), item("2", model=None))
    workspace.quarantined.update(reason="no-model")
    pk = aside(workspace, source_id="1").pk
    with pytest.raises(StillRefused):
        actions.mend_quarantined(
            workspace=workspace, quarantined_id=pk, changes={"model": "gpt-4o"}, acting_user=fay, alike=True
        )
    assert not Charge.objects.exists()


def test_the_books_agree_after_all_of_it(secret: str, workspace: Workspace, fay: User) -> None:
    early = (NOON - timedelta(days=20)).isoformat()
    send(secret, item("1"), item("1"), item("2", at="?"), item("3", at=early), item("4", model=None))
    for row in workspace.quarantined.open():
        changes = {"at": NOON.isoformat(), "model": "gpt-4o"}
        actions.mend_quarantined(workspace=workspace, quarantined_id=row.pk, changes=changes, acting_user=fay)
    assert Charge.objects.count() == 4
    assert all(not total.differences for total in verify([workspace]))


def test_strangers_and_those_who_only_look_mend_nothing(
    secret: str, workspace: Workspace, stranger: User, paula: User, client_of: ClientOf
) -> None:
    send(secret, item(at="?"))
    address = f"{PAGE}{aside(workspace).pk}/"
    assert client_of(stranger).get(address).status_code == 404
    assert client_of(paula).get(address).status_code == 403
    assert client_of(paula).post(f"{PAGE}retry/").status_code == 403


def test_a_charge_of_another_workspace_is_not_there(desk: Client, secret: str) -> None:
    other = factories.make_workspace("elsewhere")
    row = Quarantined.objects.create(workspace=other, source="x", source_id="1", payload={}, reason="a", message="b")
    assert desk.get(f"{PAGE}{row.pk}/").status_code == 404
    assert desk.post(f"{PAGE}{row.pk}/dismiss/", {"reason": "x"}).status_code == 404
