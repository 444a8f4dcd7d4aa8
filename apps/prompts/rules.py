"""What an environment asks for before something goes live: read from its stored policy, checked, and said in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.core.errors import DomainError
from apps.prompts.freezes import Dated, Weekly, free_minutes, read, written

BUILT_IN = ("tests", "people", "spend")
SPOKEN = {"tests": "Tests", "people": "People", "spend": "Spend"}
MOST_CHECKS, MOST_WINDOWS, MOST_NAMED = 20, 20, 100
MOST_HOURS = 24 * 90
ENOUGH_FREE = 60


@dataclass(frozen=True)
class Rules:
    """A policy. Without `members` and `teams` all publishers may promote; None means that nothing is asked."""

    approvals: int = 0
    self_approval: bool = False
    checks: tuple[str, ...] = ()
    members: tuple[int, ...] = ()
    teams: tuple[int, ...] = ()
    previous_hours: int | None = None
    weekly: tuple[Weekly, ...] = ()
    dated: tuple[Dated, ...] = ()
    max_age_hours: int | None = None
    spend_amount: Decimal | None = None
    spend_percent: Decimal | None = None

    @property
    def names_promoters(self) -> bool:
        return bool(self.members or self.teams)

    @property
    def asks_for_request(self) -> bool:
        """Tell whether a version needs a change request: there is nowhere else to approve it or to show evidence."""
        return bool(self.approvals or self.checks)

    @property
    def is_open(self) -> bool:
        asks = self.asks_for_request or self.previous_hours is not None
        return not (asks or self.weekly or self.dated or self.names_promoters)

    def admits(self, user_id: int | None, team_id: int | None) -> bool:
        """Tell whether the policy lets this person, or a key of this team, promote. Rights are asked apart."""
        return not self.names_promoters or user_id in self.members or (team_id is not None and team_id in self.teams)

    def with_(self, **asked: Any) -> "Rules":
        """Return the rules with some parts exchanged; lists become what they are kept as."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in asked.items()}
        return replace(self, **values)


def of(policy: dict[str, Any]) -> Rules:
    """Read a stored policy."""
    promoters, spend = policy.get("promoters", {}), policy.get("spend", {})
    return Rules(
        approvals=int(policy.get("approvals", 0)),
        self_approval=bool(policy.get("self_approval", False)),
        checks=tuple(policy.get("checks", [])),
        members=tuple(promoters.get("members", [])),
        teams=tuple(promoters.get("teams", [])),
        previous_hours=policy.get("previous_hours"),
        weekly=tuple(Weekly(read(one["from"]), read(one["to"])) for one in policy.get("weekly", [])),
        dated=tuple(
            Dated(datetime.fromisoformat(one["from"]), datetime.fromisoformat(one["to"]), one["reason"])
            for one in policy.get("dated", [])
        ),
        max_age_hours=policy.get("max_age_hours"),
        spend_amount=_decimal(spend.get("amount")),
        spend_percent=_decimal(spend.get("percent")),
    )


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def stored(rules: Rules) -> dict[str, Any]:
    """Return the policy as it is kept: what is not asked for is left out."""
    policy: dict[str, Any] = {
        "approvals": rules.approvals,
        "self_approval": rules.self_approval,
        "checks": sorted(set(rules.checks)),
    }
    if rules.names_promoters:
        policy["promoters"] = {"members": sorted(set(rules.members)), "teams": sorted(set(rules.teams))}
    if rules.previous_hours is not None:
        policy["previous_hours"] = rules.previous_hours
    if rules.weekly:
        policy["weekly"] = [{"from": written(one.start), "to": written(one.end)} for one in rules.weekly]
    if rules.dated:
        policy["dated"] = [_stored_dated(one) for one in sorted(rules.dated, key=lambda one: (one.start, one.end))]
    if rules.max_age_hours is not None:
        policy["max_age_hours"] = rules.max_age_hours
    if rules.spend_amount is not None or rules.spend_percent is not None:
        limits = {"amount": rules.spend_amount, "percent": rules.spend_percent}
        policy["spend"] = {name: f"{limit:f}" for name, limit in limits.items() if limit is not None}
    return policy


def _in_order(checks: Iterable[str]) -> list[str]:
    """Return each name once: ours in the order people know them, then others by name."""
    names = set(checks)
    return [name for name in BUILT_IN if name in names] + sorted(names - set(BUILT_IN))


def _stored_dated(one: Dated) -> dict[str, str]:
    return {
        "from": one.start.astimezone(UTC).isoformat(),
        "to": one.end.astimezone(UTC).isoformat(),
        "reason": one.reason,
    }


def check(rules: Rules) -> None:
    """Raise DomainError for a policy that nobody could meet or that says nothing."""
    _check_numbers(rules)
    if any(one.start == one.end for one in rules.weekly):
        raise DomainError("A weekly freeze needs an end that differs from its start.")
    if free_minutes(rules.weekly) < ENOUGH_FREE:
        raise DomainError("The weekly freezes leave less than an hour of the week: nothing could ever go live.")
    if any(one.start >= one.end for one in rules.dated):
        raise DomainError("A freeze must end after it begins.")
    if any(not one.reason for one in rules.dated):
        raise DomainError("Say why nothing may go live then: people will ask.")
    limited = rules.spend_amount is not None or rules.spend_percent is not None
    if "spend" in rules.checks and not limited:
        raise DomainError("Say from which amount or share on the check Spend needs an approval.")


def _check_numbers(rules: Rules) -> None:
    if not 0 <= rules.approvals <= 10:
        raise DomainError("Ask for 0 to 10 approvals.")
    if len(rules.checks) > MOST_CHECKS or len(rules.weekly) + len(rules.dated) > MOST_WINDOWS:
        raise DomainError(f"At most {MOST_CHECKS} checks and {MOST_WINDOWS} freezes fit into a policy.")
    if len(rules.members) + len(rules.teams) > MOST_NAMED:
        raise DomainError(f"Name at most {MOST_NAMED} people and teams, or let all publishers in.")
    if rules.previous_hours is not None and not 0 <= rules.previous_hours <= MOST_HOURS:
        raise DomainError(f"Ask for 0 to {MOST_HOURS:,} hours in the environment before.")
    if rules.max_age_hours is not None and not 1 <= rules.max_age_hours <= MOST_HOURS:
        raise DomainError(f"Evidence may be 1 to {MOST_HOURS:,} hours old.")
    if any(limit is not None and limit < 0 for limit in (rules.spend_amount, rules.spend_percent)):
        raise DomainError("A limit for spend is not negative.")


def spoken_check(name: str) -> str:
    """Return a check's name as sentences use it."""
    return SPOKEN.get(name, name)


def sentence(
    rules: Rules,
    place: str,
    *,
    previous: str | None = "the environment before",
    who: Sequence[str] = (),
    money: str = "",
) -> str:
    """Say the policy as people would; `who` names the people and teams that may promote, if it is not all."""
    if rules.is_open:
        return f"Whoever may promote to {place} puts a version live at once."
    parts = [*_of_people(rules), *_of_evidence(rules, previous, money), *_of_time(rules)]
    if rules.names_promoters:
        parts.append(f"only {all_of(list(who) or ['those named'])} may promote")
    said = f"{place[:1].upper()}{place[1:]} {', '.join(parts)}."
    if rules.weekly or rules.dated:
        said += " What was live before may be put back at any time."
    return said


def _of_people(rules: Rules) -> list[str]:
    count = rules.approvals
    if not rules.asks_for_request:
        return ["needs no change request"]
    parts = [f"needs {count or 'no'} approval{'' if count == 1 else 's'}"]
    if count:
        parts.append("everybody may approve their own" if rules.self_approval else "nobody approves their own")
    return parts


def _of_evidence(rules: Rules, previous: str | None, money: str) -> list[str]:
    parts = []
    if rules.checks:
        parts.append(f"{all_of([spoken_check(name) for name in _in_order(rules.checks)])} must pass")
    if "spend" in rules.checks:
        limits = [f"{money} {rules.spend_amount:,f}".strip() + " a month"] if rules.spend_amount is not None else []
        limits += [f"{rules.spend_percent:f} %"] if rules.spend_percent is not None else []
        parts.append(f"spending over {' or '.join(limits)} more needs somebody who manages budgets")
    if rules.max_age_hours is not None and rules.checks:
        parts.append(f"evidence is at most {hours(rules.max_age_hours)} old")
    if rules.previous_hours is not None and previous is not None:
        long = f" for {hours(rules.previous_hours)}" if rules.previous_hours else ""
        parts.append(f"the same text must have been live in {previous}{long}")
    return parts


def _of_time(rules: Rules) -> list[str]:
    parts = [f"not {one}" for one in rules.weekly]
    if rules.dated:
        parts.append(f"not on {len(rules.dated)} dated freeze{'s' if len(rules.dated) > 1 else ''}")
    return parts


def hours(count: int) -> str:
    """Say a span: 36 hours, 7 days."""
    number, unit = (count // 24, "day") if count >= 48 and count % 24 == 0 else (count, "hour")
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def all_of(names: Sequence[str]) -> str:
    """Join names as a sentence does."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
