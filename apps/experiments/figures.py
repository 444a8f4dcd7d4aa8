"""The figures of a run: counted by the database, judged by `statistics`, kept as plain values in `Run.summary`."""

from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Avg, Count, Max, Q, Sum

from apps.experiments import statistics
from apps.experiments.models import Output, Run, RunArm, Score

_CASES = """
SELECT count(*), COALESCE(sum(share), 0)
FROM (SELECT avg(passed::int) AS share FROM experiments_output WHERE arm_id = %s AND state = 'done' GROUP BY case_id) AS c
"""
_PAIRS = """
SELECT round(one.share, 9), round(two.share, 9), count(*)
FROM (SELECT case_id, avg(passed::int) AS share FROM experiments_output WHERE arm_id = %s AND state = 'done' GROUP BY case_id) one
JOIN (SELECT case_id, avg(passed::int) AS share FROM experiments_output WHERE arm_id = %s AND state = 'done' GROUP BY case_id) two
  USING (case_id)
GROUP BY 1, 2
"""
_LATENCY = """
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms), percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms)
FROM experiments_output WHERE arm_id = %s AND state = 'done' AND latency_ms IS NOT NULL
"""
_FLAKY = """
SELECT count(*) FROM (
  SELECT case_id FROM experiments_output WHERE arm_id = %s AND state = 'done' GROUP BY case_id
  HAVING bool_or(passed) AND NOT bool_and(passed)) AS flaky
"""


def summary(run: Run) -> dict[str, Any]:
    """Return everything that the result of a run says: per arm, per comparison with live, per assertion."""
    arms = list(run.arms.select_related("version", "model").order_by("position"))
    baseline = next((arm for arm in arms if arm.role == RunArm.Role.BASELINE), None)
    candidates = [arm for arm in arms if arm.role == RunArm.Role.CANDIDATE]
    return {
        "dataset": run.dataset.name,
        "dataset_version": run.dataset_version,
        "suite_version": run.suite_version,
        "repeats": run.repeats,
        "cases": Output.objects.filter(run=run).aggregate(n=Count("case", distinct=True))["n"],
        "arms": [_arm(arm) for arm in arms],
        "comparisons": [_comparison(arm, baseline) for arm in candidates if baseline],
        "assertions": _assertions(run, arms),
    }


def _rows(sql: str, *parameters: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _arm(arm: RunArm) -> dict[str, Any]:
    outputs = Output.objects.filter(arm=arm)
    done = Q(state=Output.State.DONE)
    totals = outputs.aggregate(
        answered=Count("pk", filter=done),
        failed=Count("pk", filter=Q(state=Output.State.FAILED)),
        unpriced=Count("pk", filter=done & Q(cost=None)),
        reused=Count("pk", filter=done & Q(reused=True)),
        saved=Sum("saved"),
        cost=Sum("cost"),
        input_tokens=Sum("input_tokens"),
        output_tokens=Sum("output_tokens"),
        mean_score=Avg("score"),
    )
    n, passed = _rows(_CASES, arm.pk)[0]
    median, slow = _rows(_LATENCY, arm.pk)[0]
    bought = totals["answered"] - totals["unpriced"] - totals["reused"]
    return {
        "arm": arm.pk,
        "role": arm.role,
        "version": arm.version.number,
        "version_id": arm.version_id,
        "model": arm.model.name,
        "rate": statistics.rate(float(passed), n).as_dict(),
        "answered": totals["answered"],
        "failed": totals["failed"],
        "unpriced": totals["unpriced"],
        "cost": _money(totals["cost"]),
        "cost_per_answer": _per_answer(totals["cost"], bought),
        "reused": totals["reused"],
        "saved": _money(totals["saved"]),
        "input_tokens": totals["input_tokens"] or 0,
        "output_tokens": totals["output_tokens"] or 0,
        "mean_score": totals["mean_score"],
        "latency_p50": median,
        "latency_p95": slow,
        "flaky": _rows(_FLAKY, arm.pk)[0][0],
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _per_answer(cost: Decimal | None, bought: int) -> str | None:
    return _money((cost / bought).quantize(Decimal("1e-12"))) if cost is not None and bought else None


def _comparison(candidate: RunArm, baseline: RunArm) -> dict[str, Any]:
    pairs = {(float(one), float(two)): count for one, two, count in _rows(_PAIRS, candidate.pk, baseline.pk)}
    found = statistics.compare(pairs)
    return {"arm": candidate.pk, **found.as_dict(), "sentence": statistics.sentence(found)}


def _assertions(run: Run, arms: list[RunArm]) -> list[dict[str, Any]]:
    """Return for each assertion how many answers of each arm hold it."""
    rows = (
        Score.objects.filter(output__run=run, source=Score.Source.ASSERTION, output__state=Output.State.DONE)
        .values("assertion_index", "output__arm")
        .annotate(n=Count("pk"), passed=Count("pk", filter=Q(verdict=True)), title=Max("name"))
        .order_by("assertion_index")
    )
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        entry = found.setdefault(row["assertion_index"], {"title": row["title"], "arms": {}})
        entry["arms"][str(row["output__arm"])] = {"passed": row["passed"], "n": row["n"]}
    return [{**found[index], "index": index} for index in sorted(found)]


def progress(run: Run) -> dict[str, Any]:
    """Return what a running run shows: counts, errors by kind and what it has cost so far."""
    totals = Output.objects.filter(run=run).aggregate(
        total=Count("pk"),
        done=Count("pk", filter=Q(state=Output.State.DONE)),
        failed=Count("pk", filter=Q(state=Output.State.FAILED)),
        leased=Count("pk", filter=Q(state=Output.State.LEASED)),
        passed=Count("pk", filter=Q(passed=True)),
        unpriced=Count("pk", filter=Q(state=Output.State.DONE, cost=None)),
        reused=Count("pk", filter=Q(reused=True)),
        saved=Sum("saved"),
        cost=Sum("cost"),  # last: from here on `cost` is the sum
    )
    errors = (
        Output.objects.filter(run=run)
        .exclude(error_kind="")
        .values("error_kind")
        .annotate(n=Count("pk"))
        .order_by("-n")
    )
    return {**totals, "errors": list(errors), "ended": totals["done"] + totals["failed"]}
