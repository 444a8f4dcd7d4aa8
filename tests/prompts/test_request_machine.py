"""Whatever people and programs try, in whatever order: nothing reaches production without what its policy asks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from apps.accounts.models import Membership
from apps.accounts.rights import Role
from apps.core.clock import database_now
from apps.prompts import actions, beat, policy
from apps.prompts.freezes import Dated
from apps.prompts.models import ChangeRequest, Deployment, FollowUp
from apps.prompts.models.changes import State
from tests.prompts.request_model import Policy, Wish
from tests.prompts.request_scene import Scene

CHECKS = ("legal", "tests")
PEOPLE = st.sampled_from(["paula", "ravi", "rosa", "olga", "eve", "otto"])
WRITERS = st.sampled_from(["paula", "olga", "eve"])
NUMBERS = st.integers(0, 50)


class Desk(Scene):
    """Every rule is something that a page or a key can cause."""

    # What people do

    @rule(number=NUMBERS, who=WRITERS, replace=st.booleans())
    def open_request(self, number: int, who: str, replace: bool) -> None:
        version, user = self.version(number), self.users[who]
        old = ChangeRequest.objects.waiting().filter(items__prompt=version.prompt_id, author=user).first()
        made = self.tried(
            lambda: actions.open_change_request(
                version=version, environment=self.place, title="t", replaces=old if replace else None, acting_user=user
            )
        )
        if made:
            self.rules.wishes[made.pk] = wish = Wish(user.pk)
            self.read_items(made, wish)
            if replace and old:
                self.rules.wishes[old.pk].is_over = True

    @rule(number=NUMBERS, who=WRITERS)
    def begin_draft(self, number: int, who: str) -> None:
        user = self.users[who]
        made = self.tried(
            lambda: actions.start_change_request(
                versions=[self.version(number)], environment=self.place, title="d", acting_user=user
            )
        )
        if made:
            self.rules.wishes[made.pk] = wish = Wish(user.pk, is_draft=True)
            self.read_items(made, wish)

    @rule(number=NUMBERS, who=WRITERS)
    def ask_with_all_that_is_needed(self, number: int, who: str) -> None:
        """Open a request that everybody approves and every check passes: chance alone seldom gets there."""
        self.open_request(number=number, who=who, replace=True)
        if not self.rules.wishes:
            return
        newest = len(self.rules.wishes) - 1
        for name in CHECKS:
            self.report(number=newest, name=name, status="passed")
        for person in ("ravi", "rosa", "olga"):
            self.review(number=newest, who=person, decision="approve")

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS)
    def submit(self, number: int) -> None:
        request, wish = self.wish(number)
        if self.tried(lambda: actions.submit_change_request(change_request=request, acting_user=request.author)):
            self.read_opened(request, wish)

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS, wanted=NUMBERS, who=WRITERS, deed=st.sampled_from(["replace", "add", "remove", "rebase"]))
    def change(self, number: int, wanted: int, who: str, deed: str) -> None:
        request, wish = self.wish(number)
        version, user = self.version(wanted), self.users[who]
        was_superseded = request.state == State.SUPERSEDED
        works: dict[str, Callable[[], Any]] = {
            "replace": lambda: actions.replace_version(change_request=request, version=version, acting_user=user),
            "add": lambda: actions.add_to_change_request(change_request=request, version=version, acting_user=user),
            "remove": lambda: actions.remove_from_change_request(
                change_request=request, prompt_id=version.prompt_id, acting_user=user
            ),
            "rebase": lambda: actions.rebase_change_request(change_request=request, acting_user=user),
        }
        if deed == "replace" and version.prompt_id not in wish.items:
            return
        if self.tried(works[deed]):
            self.read_items(request, wish)
            if deed == "rebase" and was_superseded:
                wish.is_over = False

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS)
    def reword(self, number: int) -> None:
        """Save the words without changing what is asked for: no approval may be lost by it, and none won."""
        request, _ = self.wish(number)
        self.tried(
            lambda: actions.edit_change_request(
                change_request=request, title="other words", why="", reviewers=[], acting_user=request.author
            )
        )

    @precondition(lambda self: self.rules.wishes)
    @rule(
        number=NUMBERS,
        who=PEOPLE,
        decision=st.sampled_from(["approve", "approve", "approve", "request_changes", "reject"]),
    )
    def review(self, number: int, who: str, decision: str) -> None:
        request, wish = self.wish(number)
        user, identity = self.users[who], wish.identity
        made = self.tried(
            lambda: actions.review_change_request(
                change_request=request, decision=decision, comment="so", acting_user=user
            )
        )
        if made:
            wish.decisions.append((user.pk, decision, identity))
            wish.is_over = decision == "reject"

    @precondition(lambda self: self.rules.wishes)
    @rule(
        number=NUMBERS, name=st.sampled_from(CHECKS), status=st.sampled_from(["passed", "passed", "failed", "pending"])
    )
    def report(self, number: int, name: str, status: str) -> None:
        request, wish = self.wish(number)
        self.reports += 1
        actions.report_check(change_request=request, name=name, status=status, summary=f"report {self.reports}")
        if wish.is_waiting:
            wish.checks[name] = (status, wish.identity, self.reports)

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS)
    def withdraw(self, number: int) -> None:
        request, wish = self.wish(number)
        if self.tried(lambda: actions.withdraw_change_request(change_request=request, acting_user=request.author)):
            wish.is_over, wish.is_draft = True, False

    # Ways into production

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS, who=PEOPLE, by_key=st.booleans())
    def promote(self, number: int, who: str, by_key: bool) -> None:
        request, wish = self.wish(number)
        user = self.users[who]
        allowed = self.rules.may_go(wish) and (by_key or self.rules.people[user.pk].promotes)
        actor = self.key if by_key else user
        made = self.tried(lambda: actions.promote_change_request(change_request=request, actor=actor))
        assert bool(made) == allowed
        if made:
            self.went_live(made)
            self.rules.applied(request.pk)

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS, who=PEOPLE)
    def schedule(self, number: int, who: str) -> None:
        request, wish = self.wish(number)
        user = self.users[who]
        allowed = self.rules.may_go(wish) and self.rules.people[user.pk].promotes
        at = database_now() + timedelta(hours=1)
        made = self.tried(lambda: actions.schedule_promotion(change_request=request, at=at, acting_user=user))
        assert bool(made) == allowed

    @rule()
    def an_hour_passes(self) -> None:
        """Let everything that is scheduled be due, twice in a row."""
        due = list(ChangeRequest.objects.filter(workspace=self.workspace, state=State.SCHEDULED).order_by("pk"))
        ChangeRequest.objects.filter(pk__in=[one.pk for one in due]).update(scheduled_at=Now() - timedelta(minutes=1))
        for request in due:
            wish = self.rules.wishes[request.pk]
            allowed = self.rules.may_go(wish) and self.rules.people[request.scheduled_by_id].promotes
            actions.promote_scheduled(change_request=request)
            made = self.deployed_of(request)
            assert bool(made) == allowed
            if made:
                self.went_live(made)
                self.rules.applied(request.pk)
        count = Deployment.objects.count()
        beat.promote_due()
        assert Deployment.objects.count() == count

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS, who=PEOPLE, has_seen=st.sampled_from([True, True, False]))
    def promote_in_emergency(self, number: int, who: str, has_seen: bool) -> None:
        request, wish = self.wish(number)
        user = self.users[who]
        person = self.rules.people[user.pk]
        allowed = has_seen and person.promotes and person.bypasses and self.rules.may_be_forced(wish)
        made = self.tried(
            lambda: actions.promote_in_emergency(
                change_request=request,
                typed="production",
                reason="The shop answers nobody.",
                content_hash=policy.content_hash(request) if has_seen else "0" * 64,
                acting_user=user,
            )
        )
        assert bool(made) == allowed
        if made:
            assert all(one.emergency for one in made)
            assert FollowUp.objects.filter(change_request=request, opened_by=user, closed_at=None).exists()
            self.went_live(made)
            self.rules.applied(request.pk)

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS, who=PEOPLE, name=st.sampled_from(CHECKS))
    def let_pass(self, number: int, who: str, name: str) -> None:
        """Accept a failed check."""
        request, wish = self.wish(number)
        user = self.users[who]
        status, about, report = wish.checks.get(name, ("", (), 0))
        known = (report, user.pk) in wish.accepted
        was_met = self.rules.is_met(wish, name)
        check = request.checks.filter(name=name).first()
        allowed = (
            wish.is_waiting
            and (status, about) == ("failed", wish.identity)
            and self.rules.may_accept(wish, user.pk)
            and not was_met
        )
        made = self.tried(
            lambda: actions.accept_failure(
                change_request=request,
                name=name,
                report_hash=check.report_hash if check else "",
                reason="known",
                acting_user=user,
            )
        )
        assert bool(made) == (allowed and not known)
        if made:
            wish.accepted.add((report, user.pk))

    @rule(number=NUMBERS, key=st.sampled_from(["promotes", "writes"]))
    def point_a_label(self, number: int, key: str) -> None:
        """Move the label of production, as SDKs of others do."""
        version = self.version(number)
        _, there = self.rules.now(version.prompt_id)
        acting = self.key if key == "promotes" else self.writing_key
        free = not self.rules.policy.is_guarded and not self.rules.policy.is_frozen
        count = Deployment.objects.filter(environment=self.place).count()
        self.tried(lambda: actions.point_at(version=version, labels=["production"], acting_key=acting))
        made = list(Deployment.objects.filter(environment=self.place).order_by("pk")[count:])
        assert bool(made) == (free and key == "promotes" and there != version.pk)
        self.went_live(made)

    @rule(number=NUMBERS, who=PEOPLE, by_key=st.booleans())
    def deploy_directly(self, number: int, who: str, by_key: bool) -> None:
        version = self.version(number)
        live, there = self.rules.now(version.prompt_id)
        may = by_key or self.rules.people[self.users[who].pk].promotes
        free = not self.rules.policy.is_guarded and not self.rules.policy.is_frozen
        allowed = may and free and there != version.pk
        made = self.tried(
            lambda: actions.deploy(
                version=version,
                environment=self.place,
                actor=self.key if by_key else self.users[who],
                replaces=Deployment.objects.filter(pk=live).first(),
            )
        )
        assert bool(made) == allowed
        if made:
            self.went_live([made])

    @rule(number=NUMBERS, back=NUMBERS, who=PEOPLE)
    def roll_back(self, number: int, back: int, who: str) -> None:
        """Put back what was live before: it needs the right and a reason, no new evidence, and nobody took it back."""
        past = self.rules.live.get(self.version(number).prompt_id, [])
        if len(past) < 2:
            return
        live, target = past[-1], past[back % (len(past) - 1)]
        rows = Deployment.objects.in_bulk([live[0], target[0]])
        is_another = target[1] is not None and target[1] != live[1]
        made = self.tried(
            lambda: actions.roll_back(
                prompt=self.version(number).prompt,
                environment=self.place,
                to=rows[target[0]],
                replaces=rows[live[0]] if live[1] else None,
                actor=self.users[who],
                reason="r",
            )
        )
        may = self.rules.people[self.users[who].pk].promotes and is_another
        prompt = self.version(number).prompt_id
        assert not made or (may and self.rules.may_come_back(prompt, target[0]))
        if may and self.rules.was_just_before(prompt, target[0]):
            assert made
        if made:
            self.went_live([made])

    @rule(number=NUMBERS, who=PEOPLE, by_key=st.booleans())
    def take_down(self, number: int, who: str, by_key: bool) -> None:
        prompt = self.version(number).prompt
        live, _ = self.rules.now(prompt.pk)
        if live is None:
            return
        made = self.tried(
            lambda: actions.take_down(
                prompt=prompt,
                environment=self.place,
                replaces=Deployment.objects.get(pk=live),
                actor=self.key if by_key else self.users[who],
                reason="r",
            )
        )
        assert bool(made) == (by_key or self.rules.people[self.users[who].pk].promotes)
        if made:
            self.went_live([made])

    @precondition(lambda self: self.rules.wishes)
    @rule(number=NUMBERS, who=PEOPLE)
    def undo_release(self, number: int, who: str) -> None:
        request, _ = self.wish(number)
        user = self.users[who]
        mine = {made.prompt_id: made for made in self.deployed_of(request)}
        untouched = mine and all(self.rules.now(pk)[0] == made.pk for pk, made in mine.items())
        wanted = {prompt: self.rules.before(prompt, made.pk) for prompt, made in mine.items()}
        made = self.tried(lambda: actions.undo_release(change_request=request, reason="r", acting_user=user))
        assert bool(made) == bool(untouched and self.rules.people[user.pk].promotes)
        if made:
            self.went_live(made)
            assert {prompt: self.rules.now(prompt)[1] for prompt in wanted} == wanted

    # What changes around them

    @rule(approvals=st.integers(0, 2), own=st.booleans(), checks=st.sets(st.sampled_from(CHECKS)))
    def change_policy(self, approvals: int, own: bool, checks: set[str]) -> None:
        actions.update_policy(
            environment=self.place,
            approvals=approvals,
            self_approval=own,
            checks=sorted(checks),
            acting_user=self.users["olga"],
        )
        self.rules.policy = Policy(approvals, own, tuple(sorted(checks)), self.rules.policy.is_frozen)
        self.place.refresh_from_db()

    @rule(holds=st.booleans())
    def freeze(self, holds: bool) -> None:
        """Let a freeze begin that lasts for days, or end."""
        now = database_now()
        window = Dated(now - timedelta(hours=1), now + timedelta(days=3), "Sale")
        actions.update_policy(environment=self.place, dated=[window] if holds else [], acting_user=self.users["olga"])
        self.rules.policy.is_frozen = holds
        self.place.refresh_from_db()

    @rule(
        who=st.sampled_from(["paula", "ravi", "eve", "otto"]),
        role=st.sampled_from([Role.REVIEWER, Role.PUBLISHER, Role.EDITOR]),
    )
    def change_rights(self, who: str, role: Role) -> None:
        Membership.objects.filter(workspace=self.workspace, user=self.users[who]).update(roles=[role])
        self.look_at_rights()
        beat.settle_requests()

    # What must hold whatever happened

    @invariant()
    def nothing_is_live_that_the_model_did_not_let_in(self) -> None:
        rows = (
            Deployment.objects.filter(environment=self.place)
            .order_by("pk")
            .values_list("prompt", "pk", "kind", "arms__version")
        )
        found: dict[int, list[tuple[int, int | None]]] = {}
        for prompt, pk, kind, version in rows:
            found.setdefault(prompt, []).append((pk, None if kind == "take_down" else version))
        assert found == {prompt: past for prompt, past in self.rules.live.items() if past}

    @invariant()
    def approved_means_that_nothing_is_missing(self) -> None:
        for request in ChangeRequest.objects.filter(workspace=self.workspace).exclude(state=State.SCHEDULED):
            wish = self.rules.wishes[request.pk]
            assert (request.state == State.APPROVED) == self.rules.is_complete(wish), request.state
            assert request.is_waiting == wish.is_waiting


@pytest.mark.django_db
def test_no_path_leads_around_the_policy() -> None:
    limits = settings(
        max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    run_state_machine_as_test(Desk, settings=limits)
