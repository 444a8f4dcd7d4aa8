"""Calls found without ever reading all of them: a page looks through so many rows at most, and says how far it came."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from apps.llm.models import Call
from apps.llm.models.calls import CallQuerySet
from apps.llm.traces.wanted import NEWEST, Condition, Wanted

PAGE = 50


@dataclass(frozen=True)
class Place:
    """Where a page begins: at the newest call, or next to one, going back in time or forward."""

    call_id: UUID | None = None
    is_forward: bool = False

    @property
    def cursor(self) -> str:
        """The name of the parameter that carries it."""
        return "after" if self.is_forward else "before"

    def beyond(self, rows: CallQuerySet) -> CallQuerySet:
        if self.call_id is None:
            return rows
        return rows.after(self.call_id) if self.is_forward else rows.before(self.call_id)

    def sorted(self, rows: CallQuerySet) -> CallQuerySet:
        return rows.order_by("id" if self.is_forward else "-id")


@dataclass(frozen=True)
class Found:
    """A stretch of the list, newest first. `older` and `newer` are where the stretches beside it begin.

    `stopped_at` is the call at which looking ended before the page was full, though there may be more beyond it.
    `place` is where it begins: not where it was asked to when nothing was newer than that.
    """

    calls: Sequence[Call] = field(default_factory=list)
    older: UUID | None = None
    newer: UUID | None = None
    stopped_at: UUID | None = None
    place: Place = Place()


def page_of_calls(workspace_id: int, wanted: Wanted, place: Place = Place()) -> Found:
    """Return the calls that match, from a place on."""
    if wanted.model_ids == ():
        return Found()
    calls, stopped_at = _look(workspace_id, wanted, place)
    has_more, shown = len(calls) > PAGE, calls[:PAGE]
    if place.is_forward:
        if not has_more and stopped_at is None:
            return page_of_calls(workspace_id, wanted)
        shown.reverse()
        return Found(shown, _end_of(shown, place), shown[0].pk if has_more else None, stopped_at, place)
    newer = shown[0].pk if shown else place.call_id
    return Found(shown, shown[-1].pk if has_more else None, newer if place.call_id else None, stopped_at, place)


def _end_of(shown: Sequence[Call], place: Place) -> UUID | None:
    return shown[-1].pk if shown else place.call_id


def _look(workspace_id: int, wanted: Wanted, place: Place) -> tuple[list[Call], UUID | None]:
    """Return one more call than fit on a page if there are so many, or where looking stopped before."""
    conditions = wanted.conditions() or [NEWEST]
    bounded = _Bounded(workspace_id, wanted, place)
    if len(conditions) == 1 and conditions[0].is_ordered:
        return _through(bounded.along(conditions[0])[: PAGE + 1], bounded.matching(conditions)), None
    matching = bounded.matching(conditions)
    for condition in conditions:
        if condition.indexed_by and (few := bounded.all_of(condition)) is not None:
            return _through(few, matching), None
    ways = [*(condition for condition in conditions if condition.is_ordered), NEWEST]
    way = bounded.furthest(ways) if len(ways) > 1 else NEWEST
    found = _through(bounded.along(way)[: way.most], matching)
    return found, bounded.end_of(way) if len(found) <= PAGE else None


@dataclass(frozen=True)
class _Bounded:
    """The calls of a workspace, of a time, beyond a place; and which of them an index leads to."""

    workspace_id: int
    wanted: Wanted
    place: Place

    def within(self, rows: CallQuerySet) -> CallQuerySet:
        return self.place.sorted(self.place.beyond(self.wanted.within(rows)))

    def matching(self, conditions: list[Condition]) -> CallQuerySet:
        rows = Call.objects.filter(workspace=self.workspace_id)
        for condition in conditions:
            rows = condition.narrow(rows)
        return self.within(rows)

    def start(self, condition: Condition) -> CallQuerySet:
        """Return the calls that the index leads to. What it leads to is narrowed to the workspace in any case."""
        rows = Call.objects.filter(workspace=self.workspace_id) if condition.needs_workspace else Call.objects.all()
        return condition.narrow(rows)

    def along(self, condition: Condition) -> CallQuerySet:
        return self.within(self.start(condition))

    def all_of(self, condition: Condition) -> CallQuerySet | None:
        """Return all the calls that the index leads to, whenever they were; None when there are too many."""
        rows = self.start(condition).order_by(condition.indexed_by)
        if rows.values_list(condition.indexed_by)[condition.most : condition.most + 1]:
            return None
        return rows[: condition.most]

    def furthest(self, ways: list[Condition]) -> Condition:
        """Return the way that reaches furthest."""
        ends = {}
        for way in ways:
            end = self.end_of(way)
            if end is None:
                return way
            ends[way] = end
        return (max if self.place.is_forward else min)(ways, key=lambda way: ends[way])

    def end_of(self, way: Condition) -> UUID | None:
        """Return the call where looking ends on a way; None when it reaches everything."""
        return self.along(way).values_list("id", flat=True)[way.most - 1 : way.most].first()


def _through(looked: CallQuerySet, matching: CallQuerySet) -> list[Call]:
    """Return the first calls that match among those looked through, and read no others.

    The rows to look through stand in for the table by its own name. They are cut off before anything else is asked
    of them, so the planner cannot choose to walk the whole table for something that never comes.
    """
    rows, given = looked.query.sql_with_params()
    query, asked = matching[: PAGE + 1].query.sql_with_params()
    return list(Call.objects.raw(f'WITH "llm_call" AS ({rows}) {query}', (*given, *asked)))
