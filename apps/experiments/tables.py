"""The cases of a run, as its page lists them: one row a case, read a page at a time."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.experiments.models import Case, Output, Run, RunArm

PAGE = 50
FILTERS = {
    "all": "All",
    "broken": "Broken",
    "fixed": "Fixed",
    "failing": "Failing",
    "flaky": "Flaky",
    "slow": "Slow",
    "unanswered": "No answer",
}
COMPARING = frozenset({"broken", "fixed"})
_HAVING = {
    "all": "TRUE",
    "broken": "avg(passed::int) FILTER (WHERE arm_id = %(arm)s) < avg(passed::int) FILTER (WHERE arm_id = %(live)s)",
    "fixed": "avg(passed::int) FILTER (WHERE arm_id = %(arm)s) > avg(passed::int) FILTER (WHERE arm_id = %(live)s)",
    "failing": "bool_or(NOT passed) FILTER (WHERE arm_id = %(arm)s)",
    "flaky": "count(DISTINCT passed) FILTER (WHERE arm_id = %(arm)s) > 1",
    "slow": "max(latency_ms) FILTER (WHERE arm_id = %(arm)s) >= %(slow)s",
    "unanswered": "bool_or(state = 'failed')",
}
_ROWS = """
SELECT case_id,
  avg(passed::int) FILTER (WHERE arm_id = %(arm)s), avg(passed::int) FILTER (WHERE arm_id = %(live)s),
  count(*) FILTER (WHERE arm_id = %(arm)s AND passed), count(*) FILTER (WHERE arm_id = %(live)s AND passed),
  count(*) FILTER (WHERE arm_id = %(arm)s AND state = 'done'), count(*) FILTER (WHERE arm_id = %(live)s AND state = 'done'),
  avg(latency_ms) FILTER (WHERE arm_id = %(arm)s), sum(cost) FILTER (WHERE arm_id = %(arm)s),
  count(*) FILTER (WHERE state = 'failed')
FROM experiments_output
WHERE run_id = %(run)s AND arm_id IN (%(arm)s, %(live)s) AND case_id > %(after)s
GROUP BY case_id
HAVING {having}
ORDER BY case_id
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
    rows: list[CaseRow]
    next_after: int | None


def case_page(run: Run, arm: RunArm, live: RunArm | None, *, chosen: str = "all", after: int = 0) -> CasePage:
    """Return up to a page of the run's cases behind `after` that the chosen filter keeps."""
    figures: dict[str, Any] = next((item for item in (run.summary or {}).get("arms", []) if item["arm"] == arm.pk), {})
    parameters = {
        "run": run.pk,
        "arm": arm.pk,
        "live": live.pk if live else 0,
        "after": after,
        "slow": figures.get("latency_p95") or 0,
        "limit": PAGE + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ROWS.format(having=_HAVING[chosen]), parameters)
        found = cursor.fetchall()
    cases = Case.objects.in_bulk([row[0] for row in found])
    rows = [CaseRow(cases[row[0]], *row[1:]) for row in found[:PAGE]]
    return CasePage(rows, rows[-1].case.pk if len(found) > PAGE else None)


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
