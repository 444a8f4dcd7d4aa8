"""What is allowed, told a second time: plain Python that knows nothing of the rooms it is held against."""

import itertools
from dataclasses import dataclass, field
from typing import Any

Identity = tuple[tuple[int, int, int | None], ...]


@dataclass
class Person:
    """Somebody's rights as they are now."""

    reviews: bool = False
    promotes: bool = False
    bypasses: bool = False


@dataclass
class Policy:
    approvals: int = 1
    self_approval: bool = False
    checks: tuple[str, ...] = ()
    is_frozen: bool = False

    @property
    def is_guarded(self) -> bool:
        return bool(self.approvals or self.checks)


@dataclass
class Wish:
    """A change request: what it asks for by prompt, as (version, base), and all that was said about it."""

    author: int
    items: dict[int, tuple[int, int | None]] = field(default_factory=dict)
    is_draft: bool = False
    is_over: bool = False
    decisions: list[tuple[int, str, Identity]] = field(default_factory=list)
    # check → (status, what it was about, the number of the report)
    checks: dict[str, tuple[str, Identity, int]] = field(default_factory=dict)
    # (the number of a report, who let its failure pass)
    accepted: set[tuple[int, int]] = field(default_factory=set)

    @property
    def identity(self) -> Identity:
        return tuple(sorted((prompt, *asked) for prompt, asked in self.items.items()))

    @property
    def is_waiting(self) -> bool:
        return not (self.is_draft or self.is_over)


@dataclass
class Rules:
    """Everything that decides whether something may go live."""

    people: dict[int, Person] = field(default_factory=dict)
    writers: dict[int, int] = field(default_factory=dict)  # version → who wrote it
    policy: Policy = field(default_factory=Policy)
    # prompt → [(deployment, version)], oldest first; no version where it was taken down
    live: dict[int, list[tuple[int, int | None]]] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)  # deployment → how it came
    wishes: dict[int, Wish] = field(default_factory=dict)

    def now(self, prompt: int) -> tuple[int | None, int | None]:
        """Return (deployment, version) of what is live, nothing twice when nothing is."""
        last = self.live[prompt][-1] if self.live.get(prompt) else (None, None)
        return last if last[1] else (None, None)

    def before(self, prompt: int, deployment: int) -> int | None:
        """Return the version that was live just before a deployment, if any was."""
        past = [(None, None), *self.live[prompt]]
        return next(version for (_, version), (pk, _) in itertools.pairwise(past) if pk == deployment)

    def may_come_back(self, prompt: int, deployment: int) -> bool:
        """Tell whether a state was let in by a promotion that nobody took back, or stood just before the last one."""
        past = self.live[prompt]
        at = next(place for place, (pk, _) in enumerate(past) if pk == deployment)
        undone = at + 1 < len(past) and self.kinds[past[at + 1][0]] == "roll_back"
        return (self.kinds[deployment] == "deploy" and not undone) or self.was_just_before(prompt, deployment)

    def was_just_before(self, prompt: int, deployment: int) -> bool:
        """Tell whether one undo leads there: what the last promotion replaced, or what was taken down last."""
        past = self.live[prompt]
        return len(past) > 1 and past[-2][0] == deployment and self.kinds[past[-1][0]] != "roll_back"

    def is_in_conflict(self, wish: Wish) -> bool:
        return any(self.now(prompt)[0] != base for prompt, (_, base) in wish.items.items())

    def may_go(self, wish: Wish) -> bool:
        """Tell whether it may go live this moment: nothing is missing, and no freeze holds."""
        return self.is_complete(wish) and not self.policy.is_frozen

    def may_be_forced(self, wish: Wish) -> bool:
        """Tell whether an emergency may put it live: there has to be something to go round, but never another's work."""
        return wish.is_waiting and not self.is_in_conflict(wish) and not self.may_go(wish)

    def is_complete(self, wish: Wish) -> bool:
        """Tell whether nothing is missing: no conflict, no objection, enough eyes, all evidence."""
        if not wish.is_waiting or self.is_in_conflict(wish):
            return False
        said = {who: what for who, what, about in wish.decisions if about == wish.identity and self.counts(wish, who)}
        if any(what != "approve" for what in said.values()):
            return False
        return len(said) >= self.policy.approvals and all(self.is_met(wish, name) for name in self.policy.checks)

    def is_met(self, wish: Wish, name: str) -> bool:
        """Tell whether a check passed, or failed and somebody who still may and has no part in it let that pass."""
        status, about, report = wish.checks.get(name, ("", (), 0))
        if about != wish.identity:
            return False
        let_pass = any(number == report and self.may_accept(wish, who) for number, who in wish.accepted)
        return status == "passed" or (status == "failed" and let_pass)

    def may_accept(self, wish: Wish, who: int) -> bool:
        return self.people[who].promotes and who not in self.own(wish)

    def own(self, wish: Wish) -> set[int]:
        return {wish.author, *(self.writers[version] for version, _ in wish.items.values())}

    def counts(self, wish: Wish, who: int) -> bool:
        return self.people[who].reviews and (self.policy.self_approval or who not in self.own(wish))

    def went_live(self, deployment: Any, version: int | None) -> None:
        self.live.setdefault(deployment.prompt_id, []).append((deployment.pk, version))
        self.kinds[deployment.pk] = deployment.kind

    def applied(self, key: int) -> None:
        """Close a wish that went live, and those that it overtook."""
        mine = self.wishes[key]
        mine.is_over = True
        for wish in self.wishes.values():
            if wish.is_waiting and wish.items.keys() & mine.items.keys():
                wish.is_over = True
