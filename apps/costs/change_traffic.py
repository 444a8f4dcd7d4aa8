"""The reads behind a forecast of a change: a prompt's traffic in one place, and what tests of its versions cost."""

from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Min, Sum

from apps.costs.change_forecast import DAYS, Measured, Traffic
from apps.costs.models import Purpose, SpendDay


def traffic(workspace_id: int, prompt_id: int, environment: str, today: date) -> Traffic:
    """Return what callers asked of a prompt in an environment in the 30 days before today and today, from the rollups."""
    rows = (
        SpendDay.objects.of(workspace_id)
        .within(today - timedelta(days=DAYS - 1), today)
        .filter(prompt_id=prompt_id, environment=environment, purpose=Purpose.PRODUCTION)
    )
    found: dict[str, Any] = rows.aggregate(
        calls=Sum("calls", default=0),
        unpriced=Sum("unpriced_calls", default=0),
        cost=Sum("cost", default=Decimal(0)),
        tokens_in=Sum(F("input_tokens") + F("cache_read_tokens") + F("cache_write_tokens"), default=0),
        tokens_out=Sum("output_tokens", default=0),
        first=Min("day"),
    )
    return Traffic(
        calls=found["calls"],
        priced_calls=found["calls"] - found["unpriced"],
        cost=found["cost"],
        input_tokens=found["tokens_in"],
        output_tokens=found["tokens_out"],
        days=(today - found["first"]).days + 1 if found["first"] else DAYS,
    )


def measured(
    workspace_id: int, prompt_id: int, versions: Collection[tuple[int, str]]
) -> dict[tuple[int, str], Measured]:
    """Return what tests of the (version id, model) pairs cost, in one query: other models' runs stay out of it."""
    rows = (
        SpendDay.objects.of(workspace_id)
        .filter(prompt_id=prompt_id, purpose=Purpose.EVALUATION, version_id__in={version for version, _ in versions})
        .values("version_id", "model")
        .annotate(n=Sum("calls") - Sum("unpriced_calls"), sum=Sum("cost"))
    )
    found = {(row["version_id"], row["model"]): Measured(row["n"], row["sum"]) for row in rows}
    return {pair: found.get(pair, Measured()) for pair in versions}


def teams(workspace_id: int, prompt_id: int, environment: str, today: date) -> set[int]:
    """Return the ids of the teams that paid for that traffic; 0 is nobody."""
    rows = SpendDay.objects.of(workspace_id).within(today - timedelta(days=DAYS - 1), today)
    return set(
        rows.filter(prompt_id=prompt_id, environment=environment, purpose=Purpose.PRODUCTION)
        .values_list("team_id", flat=True)
        .distinct()
    )
