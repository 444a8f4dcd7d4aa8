"""Where a prompt is running: who fetched which version last, and who has not come for the newest yet."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Max

from apps.core import formats
from apps.prompts import boards
from apps.prompts.models import Deployment, Fetch, Prompt

# Who has not asked for this long is not counted as running.
RUNNING = timedelta(days=7)


@dataclass(frozen=True)
class Caller:
    """A key and what it was sent last; `took` is how long after the promotion it first had what is live."""

    fetch: Fetch
    count: int
    took: timedelta | None = None
    is_behind: bool = False

    @property
    def took_ms(self) -> float | None:
        return None if self.took is None else self.took.total_seconds() * 1000


@dataclass(frozen=True)
class Whereabouts:
    """One environment: what is live there and who fetches it."""

    name: str
    live: Deployment | None
    callers: list[Caller] = field(default_factory=list)

    @property
    def behind(self) -> list[Caller]:
        return [caller for caller in self.callers if caller.is_behind]

    @property
    def sentence(self) -> str:
        """Say it in one sentence: how many have it, and since when all of them do."""
        if self.live is None:
            return f"Nothing is live in {self.name}."
        if not self.callers:
            return f"No key has fetched it from {self.name} in the last {RUNNING.days} days."
        number, count = self.live.version.number, len(self.callers)
        if self.behind:
            have = count - len(self.behind)
            verb = "has" if have == 1 else "have"
            return f"{have} of {count} {_keys(count)} {verb} version {number}. {_late(self.behind)} since it went live."
        last = max(caller.took_ms or 0.0 for caller in self.callers)
        if count == 1:
            return f"The one key that fetches it has version {number}, and had it {formats.duration(last)} after it went live."
        return f"All {count} keys have version {number}; the last had it {formats.duration(last)} after it went live."


@dataclass(frozen=True)
class Pinned:
    """A key that asks for a version by its number or by a label, whatever is live."""

    fetch: Fetch
    is_behind: bool


def _late(behind: list[Caller]) -> str:
    if len(behind) == 1:
        return f"{behind[0].fetch.key} has not asked"
    return f"{len(behind)} have not asked"


def _keys(count: int) -> str:
    return "key" if count == 1 else "keys"


def of(prompt: Prompt, now: datetime) -> tuple[list[Whereabouts], list[Pinned]]:
    """Return who runs a prompt, by environment from the highest down, and who asks for versions or labels."""
    fetches = list(prompt.fetches.since(now - RUNNING).latest_first())
    live = {deployment.environment.name: deployment for deployment in boards.live_of(prompt)}
    places = [place.name for place in boards.environments_of(prompt.workspace)]
    found = [_whereabouts(name, live.get(name), [f for f in fetches if f.place == name]) for name in reversed(places)]
    top = max((deployment.version.number for deployment in live.values()), default=0)
    apart = [fetch for fetch in fetches if fetch.place not in places]
    newest = {(fetch.key_id, fetch.place): fetch for fetch in reversed(apart)}
    pinned = [Pinned(fetch, fetch.version.number < top) for fetch in reversed(newest.values())]
    return [place for place in found if place.live or place.callers], pinned


def _whereabouts(name: str, live: Deployment | None, fetches: list[Fetch]) -> Whereabouts:
    """Take each key's latest fetch; it is behind unless it was sent what is live since that went live."""
    callers = []
    for key_id in dict.fromkeys(fetch.key_id for fetch in fetches):
        mine = [fetch for fetch in fetches if fetch.key_id == key_id]
        current = [fetch for fetch in mine if live and fetch.deployment_id == live.pk]
        took = max(current[0].first_at - live.at, timedelta()) if live and current else None
        callers.append(Caller(mine[0], sum(fetch.count for fetch in mine), took, not current))
    return Whereabouts(name, live, callers)


def last_served(prompts: Iterable[int]) -> dict[int, datetime]:
    """Return when each prompt was last fetched by any key; those that never were are left out."""
    rows = Fetch.objects.filter(prompt__in=list(prompts)).values("prompt").annotate(last=Max("last_at"))
    return {row["prompt"]: row["last"] for row in rows}
