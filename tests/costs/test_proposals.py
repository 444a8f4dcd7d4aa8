"""A new price list is a proposal: a diff with alarms, which somebody approves or does not."""

import threading
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEvent, Membership
from apps.accounts.rights import Role
from apps.costs import actions, ledger, proposals, verification
from apps.costs.models import Charge, Meter, Price, PriceProposal, PriceProposalLine, Repricing
from apps.notices.models import Notification
from tests import factories
from tests.costs.conftest import NOON, new_charge

CSV = "provider,model,meter,price\nopenai,gpt-x,input,2\nopenai,gpt-x,output,8\n"


@pytest.fixture
def fred(workspace):
    return factories.make_member(workspace, "Fred", Role.FINANCE)


@pytest.fixture
def priced(workspace, fay):
    """Give a model plain prices of 1 and 4 for a million."""

    def of(model="gpt-x", provider="openai", **meters):
        for meter, per_million in (meters or {"input": "1", "output": "4"}).items():
            actions.add_price(
                workspace=workspace,
                provider=provider,
                model=model,
                meter=Meter(meter),
                unit_price=Decimal(per_million) / 1_000_000,
                valid_from=NOON - timedelta(days=30),
                source="contract",
                acting_user=fay,
            )

    return of


@pytest.fixture
def upload(workspace, fay):
    def of(content=CSV, acting_user=fay, **values):
        return actions.propose_price_list(
            workspace=workspace, name="new.csv", content=content, acting_user=acting_user, valid_from=None, **values
        )

    return of


def approve(proposal, user, lines=None, confirmed=None, **values):
    ids = {line.pk for line in proposal.lines.all() if lines is None or line.meter in lines}
    return actions.approve_proposal(
        proposal=proposal,
        line_ids=ids,
        confirmed_ids=ids if confirmed is None else confirmed,
        acting_user=user,
        **values,
    )


def address(name, proposal=None):
    more = {"proposal_id": proposal.pk} if proposal else {}
    return reverse(name, kwargs={"workspace": "acme", **more})


def test_a_proposal_holds_what_differs_and_nothing_else(priced, upload):
    priced(input="2", output="4")
    proposal = upload()
    (line,) = proposal.lines.all()
    assert (line.meter, line.old_price, line.new_price) == ("output", Decimal("0.000004"), Decimal("0.000008"))
    assert proposal.source == "Upload: new.csv"


def test_a_list_that_says_what_ours_says_is_no_proposal(priced, upload):
    priced(input="2", output="8")
    with pytest.raises(actions.NothingNew):
        upload()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("1", "3.1", "More than three"),
        ("1", "3", ""),
        ("1", "0.3", "Less than a third"),
        ("3", "1", ""),
        ("1", "0", "free"),
        ("0", "1", "was free"),
    ],
)
def test_an_alarm_stands_where_a_list_is_more_likely_wrong_than_the_world(priced, upload, old, new, why):
    priced(input=old)
    (line,) = upload(f"provider,model,meter,price\nopenai,gpt-x,input,{new}\n").lines.all()
    assert why in proposals.reason_for_alarm(line)
    assert line.alarm == bool(why)


def test_a_meter_that_a_list_leaves_out_alarms_the_whole_model(priced, upload):
    priced(input="1", cache_read="0.5", output="4")
    proposal = upload()
    assert all(proposals.reason_for_alarm(line) == proposals.INCOMPLETE for line in proposal.lines.all())
    assert "cached input tokens of gpt-x" in proposal.note


def test_approving_puts_the_chosen_lines_in_force_and_keeps_the_rest_on_record(priced, upload, fred):
    priced()
    proposal = upload()
    (price,) = approve(proposal, fred, lines={"input"})
    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by, price.approved_by, price.source) == (
        "approved",
        fred,
        fred,
        "Upload: new.csv",
    )
    assert {line.meter: line.price for line in proposal.lines.all()} == {"input": price, "output": None}
    assert Price.objects.open_ended().get(meter="output").unit_price == Decimal("0.000004")
    event = AuditEvent.objects.latest("number")
    assert (event.verb, event.actor, event.after["lines"], event.after["left_out"]) == (
        "approved a price list",
        fred,
        1,
        1,
    )


def test_each_alarm_is_confirmed_before_it_is_approved(priced, upload, fred):
    priced(input="0.1", output="0.1")
    proposal = upload()
    first = proposal.lines.first()
    with pytest.raises(actions.ProposalUnconfirmed, match="1 of the chosen"):
        approve(proposal, fred, confirmed={first.pk})
    assert Price.objects.count() == 2
    approve(proposal, fred)
    assert PriceProposalLine.objects.filter(confirmed=True).count() == 2


def test_who_uploads_a_list_leaves_it_to_another(priced, upload, fay, fred):
    priced()
    proposal = upload()
    with pytest.raises(actions.NotYourOwn):
        approve(proposal, fay)
    approve(proposal, fred)


def test_who_is_alone_approves_the_own_upload(priced, upload, fay, fred):
    priced()
    fred.is_active = False
    fred.save()
    assert len(approve(upload(), fay)) == 2


def test_what_we_looked_up_is_nobodys_own(workspace, fay, fred, book):
    book()
    proposal = actions.propose_public_prices(workspace=workspace, acting_user=fay)
    assert approve(proposal, fay)


def test_a_list_that_changed_meanwhile_is_compared_anew(priced, upload, fay, fred, workspace):
    priced()
    proposal = upload()
    facts = {"provider": "openai", "model": "gpt-x", "source": "page", "acting_user": fay}
    actions.add_price(workspace=workspace, meter=Meter.INPUT, unit_price=Decimal("0.000002"), **facts)
    with pytest.raises(actions.ProposalStale):
        approve(proposal, fred)
    actions.compare_proposal_anew(proposal=proposal, acting_user=fred)
    assert [line.meter for line in proposal.lines.all()] == ["output"]
    assert len(approve(proposal, fred)) == 1


def test_a_proposal_that_has_nothing_left_to_change_is_closed(priced, upload, fay, workspace):
    priced()
    proposal = upload()
    facts = {"provider": "openai", "model": "gpt-x", "source": "page", "acting_user": fay}
    actions.add_price(workspace=workspace, meter=Meter.INPUT, unit_price=Decimal("0.000002"), **facts)
    actions.add_price(workspace=workspace, meter=Meter.OUTPUT, unit_price=Decimal("0.000008"), **facts)
    assert actions.compare_proposal_anew(proposal=proposal, acting_user=fay).state == "rejected"


def test_a_decided_proposal_is_decided_once(priced, upload, fred):
    priced()
    proposal = upload()
    actions.reject_proposal(proposal=proposal, acting_user=fred, reason="typing errors")
    for again in (
        lambda: approve(proposal, fred),
        lambda: actions.reject_proposal(proposal=proposal, acting_user=fred, reason="x"),
        lambda: actions.compare_proposal_anew(proposal=proposal, acting_user=fred),
    ):
        with pytest.raises(actions.ProposalDecided, match="rejected by Fred"):
            again()


def test_a_start_in_the_past_takes_re_pricing_with_it(priced, upload, fred, book):
    priced()
    book(model="gpt-x")
    proposal, start = upload(), timezone.now() - timedelta(days=3)
    with pytest.raises(actions.PriceInThePast):
        approve(proposal, fred, valid_from=start)
    approve(proposal, fred, valid_from=start, reprices=True)
    found = Repricing.objects.get()
    assert (found.model, found.asked_by) == ("gpt-x", fred)


def test_a_start_ahead_leaves_the_present_price_until_then(priced, upload, fred):
    priced()
    start = timezone.now() + timedelta(days=3)
    approve(upload(), fred, valid_from=start)
    now = Price.objects.in_force(timezone.now()).get(meter="input")
    assert (now.unit_price, now.valid_to) == (Decimal("0.000001"), start)


def test_who_approves_and_who_proposed_are_told(priced, upload, fay, fred):
    priced()
    proposal = upload()
    assert Notification.objects.get(user=fred).url == address("proposal", proposal)
    approve(proposal, fred)
    assert "Fred approved your price list" in Notification.objects.get(user=fay).title


def test_the_public_list_is_compared_for_the_models_in_use_alone(workspace, book, priced):
    priced("gpt-4o", input="2.5", output="5")
    priced("gpt-4o-mini", input="99", output="99")
    book(model="gpt-4o")
    proposal = actions.propose_public_prices(workspace=workspace, acting_user=None)
    assert {line.model for line in proposal.lines.all()} == {"gpt-4o"}
    plain = proposal.lines.get(meter="output", tier="standard", region="")
    assert (plain.old_price, plain.new_price) == (Decimal("0.000005"), Decimal("0.00001"))


def test_a_name_with_a_date_stands_for_its_family(workspace, book):
    book(provider="anthropic", model="claude-sonnet-4-5-20250929")
    proposal = actions.propose_public_prices(workspace=workspace, acting_user=None)
    assert "claude-sonnet-4-5" in {line.model for line in proposal.lines.all()}


def test_looking_twice_proposes_once_and_a_newer_look_takes_the_place(workspace, book, fay):
    book()
    first = actions.propose_public_prices(workspace=workspace, acting_user=fay)
    assert actions.propose_public_prices(workspace=workspace, acting_user=fay) == first
    book(model="gpt-4o-mini")
    second = actions.propose_public_prices(workspace=workspace, acting_user=fay)
    first.refresh_from_db()
    assert (first.state, second.state) == ("rejected", "open")


def test_the_command_proposes_and_changes_nothing(workspace, book):
    book()
    output = StringIO()
    call_command("propose_prices", workspace="acme", stdout=output)
    assert "waits" in output.getvalue()
    assert (PriceProposal.objects.count(), Price.objects.count()) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_approve_at_once_one_is_told_of_the_other(workspace, priced, upload, fay, fred):
    priced()
    gina = factories.make_member(workspace, "Gina", Role.FINANCE)
    proposal, answers = upload(), []
    barrier = threading.Barrier(2)

    def one(user):
        barrier.wait()
        try:
            answers.append(len(approve(proposal, user)))
        except actions.ProposalDecided as error:
            answers.append(error.message)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(user,)) for user in (fred, gina)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    decided = sorted(answers, key=str)
    assert decided[0] == 2
    assert "approved by" in str(decided[1])
    assert Price.objects.filter(source="Upload: new.csv").count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_approval_while_calls_are_booked_loses_none_of_them(workspace, priced, upload, fred):
    priced()
    proposal, done = upload(), threading.Event()

    def keep_booking():
        try:
            for _ in range(60):
                ledger.record([new_charge(workspace.pk, timezone.now(), model="gpt-x")])
        finally:
            done.set()
            connection.close()

    thread = threading.Thread(target=keep_booking)
    thread.start()
    approve(proposal, fred)
    thread.join()
    assert Charge.objects.count() == 60
    assert not [difference for total in verification.verify() for difference in total.differences]


def test_the_page_shows_the_diff_and_approves_what_is_ticked(client_of, priced, upload, fred):
    priced(input="0.1", output="4")
    proposal = upload()
    client = client_of(fred)
    text = client.get(address("proposal", proposal)).content.decode()
    assert "More than three times" in text
    assert "\N{MULTIPLICATION SIGN} 20.00" in text
    lines = {line.meter: line.pk for line in proposal.lines.all()}
    refused = client.post(address("proposal", proposal), {"line": list(lines.values())})
    assert refused.status_code == 422
    assert "second look" in refused.content.decode()
    sent = {"line": list(lines.values()), "confirm": [lines["input"]]}
    assert client.post(address("proposal", proposal), sent).status_code == 302
    assert Price.objects.filter(source="Upload: new.csv").count() == 2


def test_one_approved_price_is_spoken_of_as_one(client_of, priced, upload, fred):
    priced()
    proposal = upload()
    line = proposal.lines.get(meter="input")
    sent = {"line": [line.pk], "confirm": [line.pk]}
    answer = client_of(fred).post(address("proposal", proposal), sent, follow=True)
    assert "1 price is in the list." in answer.content.decode()


def test_the_pages_work_from_upload_to_rejection(client_of, priced, fay, django_assert_max_num_queries):
    priced()
    client = client_of(fay)
    assert client.post(address("proposal_upload"), {"content": CSV}).status_code == 302
    proposal = PriceProposal.objects.get()
    with django_assert_max_num_queries(16):
        assert "Upload: pasted" in client.get(address("proposal_list")).content.decode()
    client.post(address("proposal_renew", proposal))
    client.post(address("proposal_reject", proposal), {"reason": "not signed"})
    proposal.refresh_from_db()
    assert (proposal.state, proposal.reason) == ("rejected", "not signed")
    assert "not signed" in client.get(address("proposal", proposal)).content.decode()


def test_looking_from_the_page_answers_in_words_either_way(client_of, fay, book):
    client = client_of(fay)
    assert "every model in use" in client.post(address("proposal_look"), follow=True).content.decode()
    book()
    assert "prices would change" in client.post(address("proposal_look"), follow=True).content.decode()


def test_approving_takes_the_right_to_approve(client_of, priced, upload, stranger, paula):
    priced()
    proposal = upload()
    assert client_of(stranger).post(address("proposal", proposal)).status_code == 404
    assert client_of(paula).post(address("proposal", proposal)).status_code == 403
    assert Membership.objects.filter(user=paula).exists()
    assert PriceProposal.objects.get().state == "open"
