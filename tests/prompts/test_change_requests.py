import pytest
from django.db import DatabaseError, connection, transaction

from apps.accounts import audit
from apps.accounts.models import Membership, User, Workspace
from apps.core import canonical
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices.models import Notification
from apps.prompts import actions
from apps.prompts.actions.promoting import NotReady
from apps.prompts.models import ChangeRequest, Check, Deployment, Environment, Version
from tests import db_guards

Environments = dict[str, Environment]


def approve(change_request: ChangeRequest, reviewer: User, **fields: str) -> None:
    actions.review_change_request(
        change_request=change_request, acting_user=reviewer, **{"decision": "approve", **fields}
    )


def require(environment: Environment, *checks: str) -> None:
    environment.policy = {**environment.policy, "checks": list(checks)}
    environment.save()


def report(change_request: ChangeRequest, status: str, name: str = "legal") -> Check:
    return actions.report_check(change_request=change_request, name=name, status=status, summary="31 of 50")


def test_an_approved_request_goes_live(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    approve(change_request, ravi)
    made = actions.promote_change_request(change_request=change_request, actor=paula)
    change_request.refresh_from_db()
    assert change_request.state == ChangeRequest.State.APPLIED
    assert [deployment.version.number for deployment in made] == [1]


def test_without_its_approval_nothing_goes_live(change_request: ChangeRequest, paula: User) -> None:
    with pytest.raises(NotReady, match="1 more approval"):
        actions.promote_change_request(change_request=change_request, actor=paula)
    assert not Deployment.objects.exists()


def test_nobody_approves_their_own_request(change_request: ChangeRequest, paula: User) -> None:
    with pytest.raises(NotAllowed, match="eyes of somebody else"):
        approve(change_request, paula)


def test_nobody_approves_a_version_they_wrote_in_another_persons_request(
    version: Version, environments: Environments, olga: User, paula: User
) -> None:
    request = actions.open_change_request(
        version=version, environment=environments["production"], title="For Paula", acting_user=olga
    )
    with pytest.raises(NotAllowed):
        approve(request, paula)


@pytest.mark.parametrize(
    ("status", "words"),
    [(None, "not reported yet"), ("pending", "still running"), ("failed", "failed"), ("errored", "not finish")],
)
def test_a_required_check_that_did_not_pass_blocks(
    change_request: ChangeRequest, ravi: User, paula: User, status: str | None, words: str
) -> None:
    require(change_request.environment, "legal")
    if status:
        report(change_request, status)
    approve(change_request, ravi)
    with pytest.raises(NotReady, match=words):
        actions.promote_change_request(change_request=change_request, actor=paula)


def test_a_passed_check_lets_it_through(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    require(change_request.environment, "legal")
    report(change_request, "passed")
    approve(change_request, ravi)
    assert actions.promote_change_request(change_request=change_request, actor=paula)


def test_a_newer_version_voids_approvals_and_checks(
    change_request: ChangeRequest, better: Version, ravi: User, paula: User
) -> None:
    require(change_request.environment, "legal")
    report(change_request, "passed")
    approve(change_request, ravi)
    actions.replace_version(change_request=change_request, version=better, acting_user=paula)
    with pytest.raises(NotReady) as caught:
        actions.promote_change_request(change_request=change_request, actor=paula)
    assert "about an earlier difference" in caught.value.message
    assert "approval" in caught.value.message


def test_an_approval_of_what_is_no_longer_there_is_refused(
    change_request: ChangeRequest, better: Version, ravi: User, paula: User
) -> None:
    from apps.prompts import policy

    seen = policy.content_hash(change_request)
    actions.replace_version(change_request=change_request, version=better, acting_user=paula)
    with pytest.raises(Conflict, match="changed while you read"):
        approve(change_request, ravi, content_hash=seen)


def test_the_newest_decision_of_a_reviewer_counts(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    actions.review_change_request(
        change_request=change_request, decision="request_changes", comment="Too curt.", acting_user=ravi
    )
    with pytest.raises(NotReady, match="Ravi asked for changes"):
        actions.promote_change_request(change_request=change_request, actor=paula)
    approve(change_request, ravi)
    assert actions.promote_change_request(change_request=change_request, actor=paula)


def test_a_refusal_needs_a_reason(change_request: ChangeRequest, ravi: User) -> None:
    with pytest.raises(DomainError, match="Say what should change"):
        actions.review_change_request(change_request=change_request, decision="reject", acting_user=ravi)


def test_a_rejected_request_is_over(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    actions.review_change_request(
        change_request=change_request, decision="reject", comment="Not now.", acting_user=ravi
    )
    with pytest.raises(Conflict, match="already rejected"):
        approve(change_request, ravi)
    with pytest.raises(NotReady):
        actions.promote_change_request(change_request=change_request, actor=paula)


def test_what_moved_since_is_a_conflict(
    change_request: ChangeRequest, better: Version, olga: User, ravi: User, paula: User
) -> None:
    approve(change_request, ravi)
    Environment.objects.update(policy={"approvals": 0, "self_approval": True, "checks": []})
    environment = Environment.objects.get(pk=change_request.environment_id)
    actions.deploy(version=better, environment=environment, actor=olga, replaces=None)
    with pytest.raises(Conflict, match="version 2 is live now"):
        actions.promote_change_request(change_request=change_request, actor=paula)


def test_reviewers_are_told_and_the_author_hears_back(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    approve(change_request, ravi)
    kinds = Notification.objects.filter(user=paula).values_list("kind", flat=True)
    assert "reviewed" in kinds


def test_opening_tells_everybody_who_may_review(
    version: Version, environments: Environments, ravi: User, paula: User, ana: User
) -> None:
    actions.open_change_request(
        version=version, environment=environments["production"], title="First", acting_user=paula
    )
    wanted = Notification.objects.filter(kind="review_wanted").values_list("user__name", flat=True)
    assert list(wanted) == ["Ravi"]


def test_the_same_wish_is_asked_once(change_request: ChangeRequest, better: Version, paula: User) -> None:
    with pytest.raises(DomainError, match="already waits"):
        actions.open_change_request(
            version=better, environment=change_request.environment, title="Again", acting_user=paula
        )


def test_the_dossier_freezes_the_evidence_with_its_hash(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    report(change_request, "passed")
    approve(change_request, ravi, comment="Good.")
    actions.promote_change_request(change_request=change_request, actor=paula)
    dossier = ChangeRequest.objects.get(pk=change_request.pk).dossier
    assert {check["name"]: check["summary"] for check in dossier.body["checks"]}["legal"] == "31 of 50"
    assert dossier.body["decisions"][0]["comment"] == "Good."
    assert dossier.hash == canonical.sha256(dossier.body)


def test_a_late_report_changes_nothing_that_is_closed(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    report(change_request, "passed")
    approve(change_request, ravi)
    actions.promote_change_request(change_request=change_request, actor=paula)
    assert report(change_request, "failed").status == Check.Status.PASSED


def test_only_the_author_withdraws(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    with pytest.raises(NotAllowed):
        actions.withdraw_change_request(change_request=change_request, acting_user=ravi)
    actions.withdraw_change_request(change_request=change_request, acting_user=paula)
    change_request.refresh_from_db()
    assert change_request.state == ChangeRequest.State.WITHDRAWN


@pytest.mark.parametrize(
    "table", ["prompts_deployment", "prompts_deploymentarm", "prompts_approval", "prompts_dossier"]
)
def test_the_database_refuses_to_alter_the_record(
    change_request: ChangeRequest, ravi: User, paula: User, table: str
) -> None:
    approve(change_request, ravi)
    actions.promote_change_request(change_request=change_request, actor=paula)
    with pytest.raises(DatabaseError, match="append_only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")


def test_every_step_stands_in_the_audit_log_which_verifies(
    workspace: Workspace, change_request: ChangeRequest, ravi: User, paula: User
) -> None:
    approve(change_request, ravi)
    actions.promote_change_request(change_request=change_request, actor=paula)
    verbs = list(workspace.audit_events.order_by("number").values_list("actor_name", "verb"))
    assert [verb for verb in verbs if verb[0] != "Galley"] == [
        ("Paula", "proposed"),
        ("Ravi", "reviewed"),
        ("Paula", "promoted"),
    ]
    assert list(audit.breaks(workspace)) == []


def test_an_approval_of_somebody_who_may_not_review_any_more_does_not_count(
    change_request: ChangeRequest, ravi: User, paula: User
) -> None:
    approve(change_request, ravi)
    Membership.objects.filter(user=ravi).delete()
    with pytest.raises(NotReady, match="1 more approval"):
        actions.promote_change_request(change_request=change_request, actor=paula)


def test_a_policy_that_grew_stricter_voids_what_it_would_forbid_now(
    change_request: ChangeRequest, olga: User, paula: User
) -> None:
    environment = change_request.environment
    actions.update_policy(environment=environment, approvals=1, self_approval=True, checks=[], acting_user=olga)
    Membership.objects.filter(user=paula).update(roles=["editor", "publisher", "reviewer"])
    approve(change_request, paula)
    actions.update_policy(environment=environment, approvals=1, self_approval=False, checks=[], acting_user=olga)
    with pytest.raises(NotReady, match="1 more approval"):
        actions.promote_change_request(change_request=change_request, actor=paula)


def test_a_new_base_voids_the_approval_of_the_old_difference(
    change_request: ChangeRequest, better: Version, ravi: User, paula: User, olga: User
) -> None:
    approve(change_request, ravi)
    environment = change_request.environment
    Environment.objects.filter(pk=environment.pk).update(policy={})
    actions.deploy(version=better, environment=Environment.objects.get(pk=environment.pk), actor=olga, replaces=None)
    Environment.objects.filter(pk=environment.pk).update(policy=environment.policy)
    actions.replace_version(
        change_request=change_request, version=change_request.items.get().version, acting_user=paula
    )
    with pytest.raises(NotReady, match="1 more approval"):
        actions.promote_change_request(change_request=change_request, actor=paula)


def test_comments_stay_out_of_notices(change_request: ChangeRequest, ravi: User) -> None:
    actions.comment_on_change_request(change_request=change_request, remark="CANARY text", acting_user=ravi)
    assert not Notification.objects.filter(body__contains="CANARY").exists()


def test_a_report_for_what_closed_without_it_is_kept_out(change_request: ChangeRequest, paula: User) -> None:
    actions.withdraw_change_request(change_request=change_request, acting_user=paula)
    assert report(change_request, "passed") is None


@pytest.mark.parametrize("table", ["prompts_version", "prompts_deployment", "prompts_approval", "prompts_dossier"])
def test_the_database_refuses_to_empty_the_record(db: None, table: str) -> None:
    with (
        db_guards.switched_on(table),
        pytest.raises(DatabaseError, match="cannot be truncated"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"TRUNCATE {table} CASCADE")
