"""What a list of calls is narrowed to, and which of its conditions an index answers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import TextChoices

from apps.llm.models import Call
from apps.llm.models.calls import CallQuerySet

Narrow = Callable[[CallQuerySet], CallQuerySet]


class Look(TextChoices):
    """What can be asked of a call's state: more than the state alone."""

    TROUBLE = "trouble", "In trouble"
    ANSWERED = Call.State.ANSWERED.value, "Answered"
    FAILED = Call.State.FAILED.value, "Failed"
    LOST = Call.State.LOST.value, "Lost"
    SENT = Call.State.SENT.value, "In flight"
    REUSED = "reused", "Answered from what is kept"
    ESTIMATED = "estimated", "Tokens estimated"
    UNPRICED = "unpriced", "Without a price"


@dataclass(frozen=True)
class Condition:
    """One thing to narrow by. An index may lead to its calls newest first, or to all of them by some column.

    `most` is how many rows a page may look through along that index: few where each lies on a page of its own.
    `needs_workspace` tells whether the index begins with the workspace.
    """

    narrow: Narrow
    is_ordered: bool = False
    indexed_by: str = ""
    most: int = 4_000
    needs_workspace: bool = True


NEWEST = Condition(lambda rows: rows, is_ordered=True, most=20_000)
TROUBLE = Condition(lambda rows: rows.in_trouble(), is_ordered=True)


def _error(kind: str) -> Condition:
    return Condition(lambda rows: rows.in_trouble().filter(error_kind=kind), is_ordered=True)


LOOKS: dict[str, tuple[Condition, ...]] = {
    Look.TROUBLE: (TROUBLE,),
    Look.ANSWERED: (Condition(lambda rows: rows.filter(state=Call.State.ANSWERED)),),
    Look.FAILED: (TROUBLE, Condition(lambda rows: rows.filter(state=Call.State.FAILED))),
    Look.LOST: (_error("lost"), Condition(lambda rows: rows.filter(state=Call.State.LOST))),
    Look.SENT: (Condition(lambda rows: rows.in_flight(), indexed_by="deadline_at"),),
    Look.REUSED: (Condition(lambda rows: rows.reused(), is_ordered=True),),
    Look.ESTIMATED: (Condition(lambda rows: rows.estimated()),),
    Look.UNPRICED: (
        Condition(lambda rows: rows.filter(cost=None), indexed_by="cost"),
        Condition(lambda rows: rows.unpriced()),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which calls to list; what is None or empty is left open. `model_ids` are one model, or all of a connection."""

    prompt_id: int | None = None
    version_id: int | None = None
    model_ids: tuple[int, ...] | None = None
    purpose: str = ""
    operation: str = ""
    look: str = ""
    error_kind: str = ""
    latency_ms: int | None = None
    cost: Decimal | None = None
    user_id: int | None = None
    api_key_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[Condition]:
        """Return everything to narrow by but the time, which every index knows."""
        found = [*self._of_prompt(), *self._of_models(), *LOOKS.get(self.look, ())]
        equal = {"purpose": self.purpose, "operation": self.operation}
        found += [Condition(_where(name, value)) for name, value in equal.items() if value]
        if self.error_kind:
            found.append(_error(self.error_kind))
        least = {"latency_ms": self.latency_ms, "cost": self.cost}
        found += [
            Condition(_where(f"{name}__gte", value), indexed_by=name)
            for name, value in least.items()
            if value is not None
        ]
        return [*found, *self._of_people()]

    def _of_prompt(self) -> list[Condition]:
        prompt, version = self.prompt_id, self.version_id
        if prompt is None:
            return []
        if version is None:
            return [Condition(lambda rows: rows.of_prompt(prompt), is_ordered=True)]
        return [Condition(lambda rows: rows.of_prompt(prompt).of_version(version), is_ordered=True)]

    def _of_models(self) -> list[Condition]:
        models = self.model_ids
        if models is None:
            return []
        if len(models) == 1:
            return [Condition(lambda rows: rows.filter(model=models[0]), is_ordered=True, needs_workspace=False)]
        of_any = Condition(lambda rows: rows.filter(model__in=models), indexed_by="model_id", needs_workspace=False)
        return [of_any]

    def _of_people(self) -> list[Condition]:
        found = []
        if (person := self.user_id) is not None:
            found.append(Condition(lambda rows: rows.by_person(person), is_ordered=True))
        if (key := self.api_key_id) is not None:
            found.append(Condition(lambda rows: rows.by_key(key)))
        return found

    def within(self, rows: CallQuerySet) -> CallQuerySet:
        """Keep what lies in the time that was asked for."""
        if self.since:
            rows = rows.since(self.since)
        return rows.until(self.until) if self.until else rows


def _where(lookup: str, value: object) -> Narrow:
    return lambda rows: rows.filter(**{lookup: value})
