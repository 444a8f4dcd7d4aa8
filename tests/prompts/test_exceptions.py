"""The ways round, each by a right of its own and on the record: a failure let pass, and an emergency."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from apps.accounts.models import AuditEvent, Membership, User, Workspace
from apps.accounts.rights import Role
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices.models import Notification
from apps.prompts import actions, beat, policy
from apps.prompts.actions.gate import NotReady
from apps.prompts.models import AcceptedFailure, ChangeRequest, Check, Deployment, Environment, FollowUp, Version
from tests import factories
from tests.conftest import ClientOf
from tests.prompts.policies import SATURDAY, WEEKEND, ask

Environments = dict[str, Environment]


@pytest.fixture
def failed(change_request: ChangeRequest, environments: Environments, ravi: User) -> Check:
    ask(environments["production"], checks=["legal"])
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)
    return report(change_request, "failed")


def report(request: ChangeRequest, status: str, summary: str = "2 of 50 promise a refund") -> Check:
    check = actions.report_check(change_request=request, name="legal", status=status, summary=summary)
    assert check is not None
    return check


@pytest.fixture
def pia(workspace: Workspace) -> User:
    return factories.make_member(workspace, "Pia", Role.PUBLISHER, environments=["production"])


def accept(check: Check, user: User, **fields: str) -> AcceptedFailure:
    values = {
        "name": check.name,
        "report_hash": check.report_hash,
        "reason": "Both are quotes of the customer",
        **fields,
    }
    return actions.accept_failure(change_request=check.change_request, acting_user=user, **values)


def test_a_failure_that_a_publisher_let_pass_blocks_no_more(failed: Check, pia: User) -> None:
    with pytest.raises(NotReady):
        actions.promote_change_request(change_request=failed.change_request, actor=pia)
    accept(failed, pia)
    assert actions.promote_change_request(change_request=failed.change_request, actor=pia)
    body = ChangeRequest.objects.get().dossier.body
    assert body["accepted_failures"][0]["accepted_by"] == "Pia"
    assert body["accepted_failures"][0]["reason"] == "Both are quotes of the customer"


def test_who_asked_lets_nothing_pass(failed: Check, paula: User) -> None:
    with pytest.raises(NotAllowed, match="Somebody else"):
        accept(failed, paula)


def test_who_may_not_promote_there_lets_nothing_pass(failed: Check, ravi: User) -> None:
    with pytest.raises(NotAllowed):
        accept(failed, ravi)


def test_it_holds_for_that_report_alone(failed: Check, pia: User) -> None:
    accept(failed, pia)
    report(failed.change_request, "failed", "9 of 50 promise a refund")
    with pytest.raises(NotReady, match="9 of 50"):
        actions.promote_change_request(change_request=failed.change_request, actor=pia)


def test_it_holds_for_that_text_alone(failed: Check, pia: User, paula: User, better: Version, ravi: User) -> None:
    accept(failed, pia)
    request = actions.replace_version(change_request=failed.change_request, version=better, acting_user=paula)
    actions.review_change_request(change_request=request, decision="approve", acting_user=ravi)
    with pytest.raises(NotReady, match="earlier difference"):
        actions.promote_change_request(change_request=request, actor=pia)


def test_it_does_not_outlive_the_right_to_promote(failed: Check, pia: User, olga: User) -> None:
    accept(failed, pia)
    Membership.objects.filter(user=pia).update(environments=["staging"])
    with pytest.raises(NotReady):
        actions.promote_change_request(change_request=failed.change_request, actor=olga)


@pytest.mark.parametrize(
    ("status", "fields"), [("pending", {}), ("passed", {}), ("failed", {"reason": " "}), ("failed", {"name": "other"})]
)
def test_only_a_listed_failure_passes_and_only_for_a_reason(
    failed: Check, pia: User, status: str, fields: dict[str, str]
) -> None:
    check = report(failed.change_request, status)
    with pytest.raises(DomainError):
        accept(check, pia, **fields)


def test_a_report_that_came_in_between_is_a_conflict(failed: Check, pia: User) -> None:
    report(failed.change_request, "failed", "newer")
    with pytest.raises(Conflict, match="anew"):
        accept(failed, pia)


def test_nobody_rewrites_what_was_let_pass(failed: Check, pia: User) -> None:
    made = accept(failed, pia)
    with pytest.raises(DatabaseError), transaction.atomic():
        AcceptedFailure.objects.filter(pk=made.pk).update(reason="Nobody knew")


def emergency(request: ChangeRequest, user: User, **fields: str) -> list[Deployment]:
    values = {
        "typed": "production",
        "reason": "Customers see somebody else's orders",
        "content_hash": policy.content_hash(request),
        **fields,
    }
    return actions.promote_in_emergency(change_request=request, acting_user=user, **values)


def test_in_an_emergency_nothing_goes_live_that_was_not_seen(
    failed: Check, olga: User, paula: User, better: Version
) -> None:
    seen = policy.content_hash(failed.change_request)
    request = actions.replace_version(change_request=failed.change_request, version=better, acting_user=paula)
    with pytest.raises(Conflict, match="while you read"):
        emergency(request, olga, content_hash=seen)
    assert not FollowUp.objects.exists()


@pytest.mark.parametrize(("status", "evidence"), [("errored", {}), ("failed", {"n": 0})])
def test_what_broke_or_looked_at_nothing_has_to_run_again(
    failed: Check, pia: User, status: str, evidence: dict[str, int]
) -> None:
    check = actions.report_check(
        change_request=failed.change_request, name=failed.name, status=status, summary="no case", evidence=evidence
    )
    assert check
    with pytest.raises(DomainError, match="has to run"):
        accept(check, pia)


def test_a_late_look_back_is_asked_for_once_a_day(failed: Check, olga: User, ravi: User, time_machine: Any) -> None:
    time_machine.move_to(timezone.now())
    emergency(failed.change_request, olga)
    beat.remind_of_look_backs()
    late = Notification.objects.filter(kind="look_back_overdue")
    assert not late.exists()
    time_machine.shift(timedelta(days=2, minutes=1))
    for _ in range(3):
        beat.remind_of_look_backs()
    assert late.filter(user=ravi).count() == 1
    assert not late.filter(user=olga).exists()
    time_machine.shift(timedelta(days=1))
    beat.remind_of_look_backs()
    assert late.filter(user=ravi).count() == 2


def test_in_an_emergency_it_goes_live_without_what_is_missing(
    failed: Check, olga: User, ravi: User, environments: Environments, time_machine: Any
) -> None:
    ask(environments["production"], weekly=[WEEKEND], approvals=2)
    time_machine.move_to(SATURDAY)
    made = emergency(failed.change_request, olga)
    follow_up = FollowUp.objects.get()
    assert [one.emergency for one in made] == [True]
    assert any("promise a refund" in text for text in follow_up.skipped)
    assert any("until Monday" in text for text in follow_up.skipped)
    assert Notification.objects.get(kind="emergency", user=ravi).title.startswith("EMERGENCY")
    assert AuditEvent.objects.filter(verb="promoted in an emergency", reason__contains="orders").exists()
    assert AuditEvent.objects.filter(verb="went round the policy of").exists()
    assert ChangeRequest.objects.get().dossier.body["emergency"]["by"] == "Olga"


def test_it_takes_the_right_and_the_environment(failed: Check, paula: User, workspace: Workspace) -> None:
    with pytest.raises(NotAllowed, match="right of its own"):
        emergency(failed.change_request, paula)
    Membership.objects.filter(user=paula).update(roles=[Role.PUBLISHER, Role.ON_CALL], environments=["staging"])
    with pytest.raises(NotAllowed):
        emergency(failed.change_request, paula)
    Membership.objects.filter(user=paula).update(environments=["production"])
    assert emergency(failed.change_request, paula)


@pytest.mark.parametrize("fields", [{"typed": "prod"}, {"reason": "now"}, {"reason": " "}])
def test_it_takes_the_name_typed_out_and_a_sentence(failed: Check, olga: User, fields: dict[str, str]) -> None:
    with pytest.raises(DomainError):
        emergency(failed.change_request, olga, **fields)
    assert not FollowUp.objects.exists()


def test_where_nothing_is_missing_there_is_no_emergency(failed: Check, pia: User, olga: User) -> None:
    accept(failed, pia)
    with pytest.raises(DomainError, match="usual way"):
        emergency(failed.change_request, olga)


def test_an_emergency_never_overwrites_what_moved(
    failed: Check, olga: User, better: Version, environments: Environments
) -> None:
    place = ask(environments["production"], approvals=0, checks=[])
    actions.deploy(version=better, environment=place, actor=olga, replaces=None)
    ask(environments["production"], approvals=1)
    with pytest.raises(Conflict):
        emergency(failed.change_request, olga)


def test_somebody_else_looks_back_once(failed: Check, olga: User, ravi: User) -> None:
    emergency(failed.change_request, olga)
    follow_up = FollowUp.objects.get()
    with pytest.raises(NotAllowed, match="Somebody else"):
        actions.close_follow_up(follow_up=follow_up, verdict="right", note="", acting_user=olga)
    with pytest.raises(DomainError):
        actions.close_follow_up(follow_up=follow_up, verdict="wrong", note=" ", acting_user=ravi)
    actions.close_follow_up(follow_up=follow_up, verdict="mend", note="Mask the names", acting_user=ravi)
    with pytest.raises(Conflict):
        actions.close_follow_up(follow_up=follow_up, verdict="right", note="", acting_user=ravi)
    assert Notification.objects.filter(kind="looked_back", user=olga).exists()


def test_the_pages_offer_what_each_may_do(
    client_of: ClientOf, failed: Check, pia: User, olga: User, ravi: User
) -> None:
    panel = f"/w/acme/prompts/requests/{failed.change_request.number}/exceptions/"
    assert "Let legal pass" in client_of(pia).get(panel).content.decode()
    assert "Promote in an emergency" not in client_of(pia).get(panel).content.decode()
    assert "Promote in an emergency" in client_of(olga).get(panel).content.decode()
    assert "Let legal pass" not in client_of(ravi).get(panel).content.decode()
    where = f"/w/acme/prompts/requests/{failed.change_request.number}"
    values = {
        "typed": "production",
        "reason": "Customers see other people's orders",
        "content_hash": policy.content_hash(failed.change_request),
    }
    assert client_of(olga).post(f"{where}/emergency/", values).status_code == 302
    assert "Promoted in an emergency" in client_of(ravi).get(panel).content.decode()
    assert "Somebody has to look back" in client_of(ravi).get("/w/acme/prompts/emergencies/").content.decode()
    history = client_of(ravi).get(f"/w/acme/prompts/{failed.change_request.items.get().prompt_id}/deployments/")
    assert "emergency" in history.content.decode()
    assert "Promoted in an emergency" in client_of(ravi).get(f"{where}/dossier/").content.decode()
    assert client_of(ravi).post(f"{where}/look-back/", {"verdict": "right"}).status_code == 302
    assert FollowUp.objects.get().closed_by == ravi
