"""The cases of a run, as its page lists them: one row a case, read a page at a time."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.experiments.models import Case, Output, Run, RunArm

PAGE = 50
FILTERS = {
    "fixed": "Fixed",
    "broken": "Broken",
    "failing": "Failing",
    "flaky": "Flaky",
    "slow": "Slow",
    "unanswered": "No answer",
    "all": "All",
}
COMPARING = frozenset({"broken", "fixed"})
SELDOM = frozenset({"flaky", "slow", "unanswered"})
_HAVING = {
    "all": "TRUE",
    "broken": "avg(passed::int) FILTER (WHERE arm_id = %(arm)s) < avg(passed::int) FILTER (WHERE arm_id = %(live)s)",
    "fixed": "avg(passed::int) FILTER (WHERE arm_id = %(arm)s) > avg(passed::int) FILTER (WHERE arm_id = %(live)s)",
    "failing": "bool_or(NOT passed) FILTER (WHERE arm_id = %(arm)s)",
    "flaky": "count(DISTINCT passed) FILTER (WHERE arm_id = %(arm)s) > 1",
    "slow": "max(latency_ms) FILTER (WHERE arm_id = %(arm)s) >= %(slow)s",
    "unanswered": "bool_or(state = 'failed')",
}
# What changed stands first: fixed, then broken, then the rest.
_RANK = f"CASE WHEN {_HAVING['fixed']} THEN 0 WHEN {_HAVING['broken']} THEN 1 ELSE 2 END"
_COUNTS = f"""
SELECT {", ".join(f'count(*) FILTER (WHERE "{name}")' for name in FILTERS)}
FROM (
  SELECT {", ".join(f'({_HAVING[name]}) AS "{name}"' for name in FILTERS)}
  FROM experiments_output
  WHERE run_id = %(run)s AND arm_id IN (%(arm)s, %(live)s)
  GROUP BY case_id) AS judged
"""  # noqa: S608  (names and conditions of this module alone)
_PLACE = """
SELECT before, behind, place, total
FROM (
  SELECT case_id, lag(case_id) OVER kept AS before, lead(case_id) OVER kept AS behind,
    row_number() OVER kept AS place, count(*) OVER () AS total
  FROM (
    SELECT case_id, {rank} AS rank
    FROM experiments_output
    WHERE run_id = %(run)s AND arm_id IN (%(arm)s, %(live)s)
    GROUP BY case_id
    HAVING {having}) AS found
  WINDOW kept AS (ORDER BY rank, case_id)) AS placed
WHERE case_id = %(case)s
"""
_ROWS = """
SELECT case_id, {rank},
  avg(passed::int) FILTER (WHERE arm_id = %(arm)s), avg(passed::int) FILTER (WHERE arm_id = %(live)s),
  count(*) FILTER (WHERE arm_id = %(arm)s AND passed), count(*) FILTER (WHERE arm_id = %(live)s AND passed),
  count(*) FILTER (WHERE arm_id = %(arm)s AND state = 'done'), count(*) FILTER (WHERE arm_id = %(live)s AND state = 'done'),
  avg(latency_ms) FILTER (WHERE arm_id = %(arm)s), sum(cost) FILTER (WHERE arm_id = %(arm)s),
  count(*) FILTER (WHERE state = 'failed')
FROM experiments_output
WHERE run_id = %(run)s AND arm_id IN (%(arm)s, %(live)s)
GROUP BY case_id
HAVING ({having}) AND ({rank}, case_id) > (%(after_rank)s, %(after_case)s)
ORDER BY 2, 1
LIMIT %(limit)s
"""


@dataclass(frozen=True)
class CaseRow:
    """What a run found for one case: passes of the candidate and of live, and what it took."""

    case: Case
    candidate: float | None
    live: float | None
    candidate_passed: int
    live_passed: int
    candidate_answers: int
    live_answers: int
    latency_ms: float | None
    cost: Any
    failed: int

    @property
    def change(self) -> str:
        """Return fixed, broken or nothing."""
        if self.candidate is None or self.live is None or self.candidate == self.live:
            return ""
        return "fixed" if self.candidate > self.live else "broken"


@dataclass(frozen=True)
class CasePage:
    """A page of cases; `next_after` is where the next one begins, as rank and case."""

    rows: list[CaseRow]
    next_after: str | None


@dataclass(frozen=True)
class Place:
    """Where a case stands among those that a filter keeps, and the cases beside it."""

    before: int | None
    behind: int | None
    number: int
    total: int


@dataclass(frozen=True)
class Selection:
    """Cases of a run: a candidate, what it is measured against, and the filter that was chosen."""

    run: Run
    arm: RunArm
    live: RunArm | None
    chosen: str = "all"

    @property
    def query(self) -> str:
        """Return the query string that leads back here."""
        return f"show={self.chosen}&arm={self.arm.pk}"

    @property
    def parameters(self) -> dict[str, Any]:
        arms = (self.run.summary or {}).get("arms", [])
        figures: dict[str, Any] = next((item for item in arms if item["arm"] == self.arm.pk), {})
        live = self.live.pk if self.live else 0
        return {"run": self.run.pk, "arm": self.arm.pk, "live": live, "slow": figures.get("latency_p95")}


def select(run: Run, *, arm: str, chosen: str) -> Selection:
    """Return what was chosen in words of the address; what does not fit this run falls back to what does."""
    arms = sorted(run.arms.all(), key=lambda each: each.position)
    live = next((each for each in arms if each.role == RunArm.Role.BASELINE), None)
    candidates = [each for each in arms if each is not live]
    if chosen not in FILTERS or (live is None and chosen in COMPARING):
        chosen = "all"
    return Selection(run, next((each for each in candidates if str(each.pk) == arm), candidates[0]), live, chosen)


def case_page(selection: Selection, *, after: str = "") -> CasePage:
    """Return up to a page of the cases behind `after` that the filter keeps, those that changed first."""
    rank, _, case = after.partition(".")
    is_place = rank in ("0", "1", "2") and case.isdecimal() and len(case) < 18
    place = {"after_rank": int(rank) if is_place else -1, "after_case": int(case) if is_place else 0}
    sql = _ROWS.format(having=_HAVING[selection.chosen], rank=_RANK)
    found = _fetch(sql, {**selection.parameters, **place, "limit": PAGE + 1})
    cases = Case.objects.in_bulk([row[0] for row in found])
    rows = [CaseRow(cases[row[0]], *row[2:]) for row in found[:PAGE]]
    last = found[PAGE - 1] if len(found) > PAGE else None
    return CasePage(rows, f"{last[1]}.{last[0]}" if last else None)


def counts(selection: Selection) -> dict[str, int]:
    """Return how many cases each filter keeps."""
    [row] = _fetch(_COUNTS, selection.parameters)
    return dict(zip(FILTERS, row, strict=True))


def place_of(selection: Selection, case: Case) -> Place | None:
    """Return where the case stands among those that the filter keeps; nothing when it is not among them."""
    sql = _PLACE.format(having=_HAVING[selection.chosen], rank=_RANK)
    return next((Place(*row) for row in _fetch(sql, {**selection.parameters, "case": case.pk})), None)


def _fetch(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def answers(run: Run, case: Case) -> list[dict[str, Any]]:
    """Return what each arm answered to a case, with scores, for the page that shows them side by side."""
    outputs = (
        Output.objects.filter(run=run, case=case)
        .select_related("arm__version__prompt", "arm__model")
        .prefetch_related("scores")
        .order_by("arm__position", "repeat")
    )
    columns: dict[int, dict[str, Any]] = {}
    for output in outputs:
        column = columns.setdefault(output.arm_id, {"arm": output.arm, "outputs": []})
        column["outputs"].append(
            {"output": output, "scores": sorted(output.scores.all(), key=lambda s: s.assertion_index)}
        )
    return list(columns.values())


def pairs(columns: list[dict[str, Any]], selection: Selection) -> dict[int, tuple[str, str]]:
    """Return by repeat what the baseline and the candidate answered to a case, where both did."""
    texts = {
        column["arm"].pk: {
            entry["output"].repeat: entry["output"].text
            for entry in column["outputs"]
            if entry["output"].state == Output.State.DONE
        }
        for column in columns
    }
    before, now = texts.get(selection.live.pk if selection.live else 0, {}), texts.get(selection.arm.pk, {})
    return {repeat: (before[repeat], now[repeat]) for repeat in sorted(before.keys() & now.keys())}
