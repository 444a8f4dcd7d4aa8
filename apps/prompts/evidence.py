"""Does a check's report count? Pure: what is asked for, what was reported, who let what pass, and the moment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.costs.change_forecast import is_over
from apps.prompts import rules
from apps.prompts.models import AcceptedFailure, Check, SpendApproval
from apps.prompts.rules import Rules, spoken_check

SPEND = "spend"
# Traffic moves: a forecast of yesterday says nothing of today's month.
SPEND_AGE_HOURS = 24
# An approval covers later forecasts of the same content that come out at most a tenth dearer.
COVERS = Decimal("1.1")
EARLIER = "what was found is about an earlier"
OLD = "what was found is older than"


@dataclass(frozen=True)
class CheckStanding:
    """A required or reported check: `check` is None when nobody has reported it."""

    name: str
    required: bool
    check: Check | None
    problem: str = ""
    accepted: AcceptedFailure | None = None
    spend_approval: SpendApproval | None = None
    is_present: bool = True

    @property
    def may_be_accepted(self) -> bool:
        """Tell whether this is a failure that a person may let pass: money has its own door."""
        failed = self.check is not None and is_failure(self.check)
        return failed and self.is_present and bool(self.problem) and self.name != SPEND


@dataclass(frozen=True)
class Judge:
    """What decides whether reports count: the rules, the present content, and decisions that still stand."""

    rules: Rules
    identity: str
    now: datetime
    accepted: Iterable[AcceptedFailure]
    spend_decisions: Iterable[SpendApproval]

    def standing_of(self, name: str, check: Check | None) -> CheckStanding:
        """Say how a check stands, and why it does not count if it does not."""
        required = name in self.rules.checks
        if check is None:
            return CheckStanding(name, required, None, f"{self.who(name)}: not reported yet.")
        if problem := self._out_of_date(check) or self._empty(check):
            return CheckStanding(name, required, check, problem, is_present=False)
        if name == SPEND:
            return self._spend(check, required)
        if check.status == Check.Status.PASSED:
            return CheckStanding(name, required, check)
        accepted = next((one for one in self.accepted if one.report_hash == check.report_hash), None)
        problem = "" if accepted and is_failure(check) else f"{self.who(name)}: {_words(check)}"
        return CheckStanding(name, required, check, problem, accepted)

    def who(self, name: str) -> str:
        return spoken_check(name) if name in rules.SPOKEN else f"The check {name}"

    def _out_of_date(self, check: Check) -> str:
        if check.content_hash != self.identity:
            return f"{self.who(check.name)}: {EARLIER} difference. Start it again."
        limits = [self.rules.max_age_hours, SPEND_AGE_HOURS if check.name == SPEND else None]
        oldest = min((limit for limit in limits if limit is not None), default=None)
        if oldest is None or check.reported_at >= self.now - timedelta(hours=oldest):
            return ""
        return f"{self.who(check.name)}: {OLD} {rules.hours(oldest)}. Start it again."

    def _empty(self, check: Check) -> str:
        if check.status != Check.Status.PASSED or not looked_at_nothing(check):
            return ""
        return f"{self.who(check.name)}: it looked at nothing, zero cases. That proves nothing."

    def _spend(self, check: Check, required: bool) -> CheckStanding:
        """Money over the limit passes with the newest word of those who manage budgets, as far as it goes."""
        if check.status in {Check.Status.PENDING, Check.Status.ERRORED}:
            return CheckStanding(SPEND, required, check, f"Spend: {_words(check)}")
        increase = increase_of(check)
        if not over_limit(check, self.rules):
            return CheckStanding(SPEND, required, check)
        decisions = [one for one in self.spend_decisions if one.content_hash == self.identity]
        newest = max(decisions, key=lambda one: one.pk, default=None)
        return CheckStanding(SPEND, required, check, _spend_problem(check, newest, increase), None, newest)


def looked_at_nothing(check: Check) -> bool:
    n = check.evidence.get("n") if isinstance(check.evidence, dict) else None
    return n == 0 and not isinstance(n, bool)


def is_failure(check: Check) -> bool:
    """Tell whether it ran to its end over something and failed: what broke or was empty has to run again."""
    return check.status == Check.Status.FAILED and not looked_at_nothing(check)


def over_limit(check: Check, asked: Rules) -> bool:
    """Tell whether a forecast passes the limits as they are now, whatever they were when it was made."""
    try:
        before, after = (Decimal(str(check.evidence.get(side))) for side in ("before", "after"))
    except InvalidOperation:
        return bool(check.evidence.get("over"))
    return is_over(before, after, asked.spend_amount, asked.spend_percent)


def increase_of(check: Check) -> Decimal | None:
    """Return how much more a month costs by a spend check's evidence; None when it does not say."""
    try:
        return Decimal(str(check.evidence.get("increase")))
    except InvalidOperation:
        return None


def covers(approval: SpendApproval, increase: Decimal | None) -> bool:
    """Tell whether what was approved goes as far as the present forecast."""
    return increase is not None and increase <= max(approval.increase * COVERS, approval.increase)


def _spend_problem(check: Check, newest: SpendApproval | None, increase: Decimal | None) -> str:
    if newest is None:
        return f"Spend: {check.summary} It needs a spend approval."
    if newest.decision == SpendApproval.Decision.DECLINE:
        return f"Spend: {newest.decided_by} declined the forecast. {newest.reason}".strip()
    if not covers(newest, increase):
        return (
            f"Spend: {check.summary} That is more than {newest.decided_by} approved. It needs another spend approval."
        )
    return ""


def _words(check: Check) -> str:
    words = {"pending": "still running", "failed": "failed", "errored": "could not finish"}[check.status]
    return f"{words}. {check.summary}"


def standings(reported: dict[str, Check], judge: Judge) -> list[CheckStanding]:
    """Return the required checks first, in the policy's order, then what else was reported."""
    required = judge.rules.checks
    names = [*required, *sorted(reported.keys() - set(required))]
    return [judge.standing_of(name, reported.get(name)) for name in names]


People = Callable[[], set[int]]


def still_standing(rows: Iterable[Any], by: str, may: People) -> list[Any]:
    """Keep the decisions of those who may still decide so; nobody is asked for when nothing was decided."""
    found = list(rows)
    if not found:
        return []
    able = may()
    return [row for row in found if getattr(row, f"{by}_id") in able]
