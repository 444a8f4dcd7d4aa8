"""The check Spend and its approval: forecast from the books, decided by finance, who reads no text."""

from decimal import Decimal
from typing import Any

import pytest

from apps.accounts.models import Membership, User, Workspace
from apps.accounts.rights import Role
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices.models import Notification
from apps.prompts import actions, rules, spend_board
from apps.prompts.actions.gate import NotReady
from apps.prompts.models import ChangeRequest, Check, Environment, Prompt, SpendApproval, Version
from tests import factories
from tests.conftest import ClientOf
from tests.costs.ingesting import price_of
from tests.prompts.policies import WEDNESDAY, ask, charges

CANARY = "canary-in-the-prompt"


@pytest.fixture
def dear(
    workspace: Workspace, prompt: Prompt, version: Version, environments: dict[str, Environment], paula: User, fay: User,
    ravi: User, time_machine: Any,
) -> ChangeRequest:  # fmt: skip
    """A request that wants 400 more tokens a call on 1,000 calls a month, over a limit of one cent."""
    time_machine.move_to(WEDNESDAY)
    factories.make_model(factories.make_connection(workspace))
    price_of(workspace, "practice-small", "practice", input="1", output="4")
    place = ask(environments["production"], approvals=0)
    actions.deploy(version=version, environment=place, actor=paula, replaces=None)
    charges(version, 1000)
    place = ask(place, approvals=1, checks=["spend"], spend_amount=Decimal("0.01"))
    messages = [{"role": "system", "content": f"{CANARY} " * 80}, version.messages[1]]
    long = factories.make_version(prompt, paula, messages=messages, message=CANARY)
    request = actions.open_change_request(version=long, environment=place, title=CANARY, why=CANARY, acting_user=paula)
    actions.review_change_request(change_request=request, decision="approve", acting_user=ravi)
    return request


def spend_of(request: ChangeRequest) -> Check:
    return request.checks.get(name="spend")


def decide(request: ChangeRequest, user: User, decision: str = "approve", **fields: str) -> SpendApproval:
    values = {"report_hash": spend_of(request).report_hash, "reason": "Worth it", **fields}
    return actions.decide_spend(change_request=request, decision=decision, acting_user=user, **values)


def promote(request: ChangeRequest, user: User) -> object:
    return actions.promote_change_request(change_request=request, actor=user)


def test_a_dearer_text_waits_for_finance_and_goes_live_with_it(dear: ChangeRequest, paula: User, fay: User) -> None:
    evidence = spend_of(dear).evidence
    assert evidence["over"]
    assert evidence["items"][0]["calls"] == 1000
    assert Notification.objects.filter(user=fay, kind="spend_approval_wanted").count() == 1
    with pytest.raises(NotReady, match="needs a spend approval"):
        promote(dear, paula)
    decide(dear, fay)
    assert promote(dear, paula)
    body = ChangeRequest.objects.get(pk=dear.pk).dossier.body
    assert body["spend_approvals"][0]["decided_by"] == "Fay"


def test_what_finance_is_told_holds_nothing_of_the_text(dear: ChangeRequest, fay: User) -> None:
    (notice,) = Notification.objects.filter(user=fay)
    assert dear.items.get().prompt.name in f"{notice.title} {notice.body}"
    assert CANARY not in f"{notice.title} {notice.body} {notice.url}"


def test_a_decline_blocks_with_its_reason(dear: ChangeRequest, paula: User, fay: User) -> None:
    with pytest.raises(DomainError, match="Say why"):
        decide(dear, fay, "decline", reason=" ")
    decide(dear, fay, "decline", reason="Not before January")
    with pytest.raises(NotReady, match="Not before January"):
        promote(dear, paula)


def test_a_forecast_is_stale_after_a_day(dear: ChangeRequest, paula: User, fay: User, time_machine: Any) -> None:
    decide(dear, fay)
    time_machine.shift(25 * 3600)
    assert spend_board.outdated() == [dear]
    with pytest.raises(NotReady, match="older than 24 hours"):
        promote(dear, paula)
    actions.refresh_spend_check(change_request=dear)
    assert promote(dear, paula)


def test_an_approval_does_not_cover_a_much_dearer_forecast(dear: ChangeRequest, paula: User, fay: User) -> None:
    decide(dear, fay)
    base = dear.items.get().base
    assert base is not None
    charges(base.version, 1000)
    actions.refresh_spend_check(change_request=dear)
    with pytest.raises(NotReady, match="more than Fay approved"):
        promote(dear, paula)


def test_an_approval_goes_with_the_right_to_give_it(dear: ChangeRequest, paula: User, fay: User) -> None:
    decide(dear, fay)
    Membership.objects.filter(user=fay).update(roles=[Role.ANNOTATOR])
    with pytest.raises(NotReady):
        promote(dear, paula)


def test_others_decide_nothing_and_old_forecasts_are_a_conflict(dear: ChangeRequest, ravi: User, fay: User) -> None:
    with pytest.raises(NotAllowed):
        decide(dear, ravi)
    with pytest.raises(Conflict):
        decide(dear, fay, report_hash="0" * 64)


def test_a_failed_forecast_is_no_failure_that_a_publisher_lets_pass(dear: ChangeRequest, olga: User) -> None:
    with pytest.raises(DomainError, match="reported and failed"):
        actions.accept_failure(
            change_request=dear, name="spend", report_hash=spend_of(dear).report_hash, reason="Hm", acting_user=olga
        )


def test_a_model_without_a_price_cannot_be_forecast(dear: ChangeRequest, prompt: Prompt, paula: User) -> None:
    unknown = factories.make_version(prompt, paula, model_config={"model": "mystery", "parameters": {}})
    actions.replace_version(change_request=dear, version=unknown, acting_user=paula)
    assert spend_of(dear).status == "errored"
    assert "No price is known for mystery" in spend_of(dear).summary


def test_finance_reads_names_and_numbers_and_nothing_of_the_text(
    client_of: ClientOf, dear: ChangeRequest, fay: User
) -> None:
    client = client_of(fay)
    pages = [client.get(f"/w/acme/spend/approvals/{rest}") for rest in ("", f"{dear.number}/")]
    for page in pages:
        said = page.content.decode()
        assert page.status_code == 200
        assert "support/reply" in said
        assert CANARY not in said
        assert "You answer customers" not in said
    told = Notification.objects.filter(user=fay)
    assert not any(CANARY in f"{one.title} {one.body}" for one in told)
    assert client.get(f"/w/acme/prompts/requests/{dear.number}/").status_code == 403
    values = {"decision": "approve", "report_hash": spend_of(dear).report_hash}
    answer = client.post(f"/w/acme/spend/approvals/{dear.number}/decide/", values)
    assert answer.status_code == 302
    assert "Decided, not live yet" in client.get("/w/acme/spend/approvals/").content.decode()


def test_the_list_asks_as_much_for_many_as_for_one(
    client_of: ClientOf, dear: ChangeRequest, fay: User, django_assert_max_num_queries: Any
) -> None:
    client = client_of(fay)
    with django_assert_max_num_queries(16):
        client.get("/w/acme/spend/approvals/")


def test_a_limit_that_grew_tighter_counts_at_once(
    dear: ChangeRequest, paula: User, olga: User, environments: dict[str, Environment]
) -> None:
    place = environments["production"]
    actions.update_policy(environment=place, spend_amount=Decimal(10**9), spend_percent=None, acting_user=olga)
    actions.refresh_spend_check(change_request=dear)
    Environment.objects.filter(pk=place.pk).update(
        policy=rules.stored(place.rules.with_(spend_amount=Decimal("0.01"), spend_percent=None))
    )
    with pytest.raises(NotReady, match="needs a spend approval"):
        promote(ChangeRequest.objects.get(pk=dear.pk), paula)


def test_finance_is_told_again_when_the_forecast_outgrows_the_approval(
    dear: ChangeRequest, fay: User, workspace: Workspace
) -> None:
    told = Notification.objects.filter(user=fay, kind="spend_approval_wanted")
    before = told.count()
    decide(dear, fay)
    membership = Membership.objects.get(user=fay)
    assert spend_board.waiting_for(membership).count() == 0
    base = dear.items.get().base
    assert base is not None
    charges(base.version, 1000)
    for _ in range(2):
        actions.refresh_spend_check(change_request=dear)
    assert told.count() == before + 1
    assert spend_board.waiting_for(membership).count() == 1
    assert [one.is_decided for one in spend_board.wanted_of(workspace)] == [False]
