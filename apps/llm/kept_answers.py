"""What there is of kept answers, and what using them again has saved."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Count, Sum

from apps.costs.models import AxisName, SpendAxis
from apps.llm.models import CachedAnswer
from apps.llm.traces import names

COUNTED = 10_000
PROMPTS_SHOWN = 20


@dataclass(frozen=True)
class OfPrompt:
    """How many answers to one prompt are kept; no prompt at all is None."""

    prompt_id: int | None
    name: str
    answers: int


def count(workspace_id: int, now: datetime) -> int:
    """Return how many answers may be used again; counting stops at COUNTED."""
    return CachedAnswer.objects.fresh(now).filter(workspace=workspace_id)[:COUNTED].count()


def by_prompt(workspace_id: int, now: datetime) -> list[OfPrompt]:
    """Return the prompts with the most kept answers."""
    rows = (
        CachedAnswer.objects.fresh(now)
        .filter(workspace=workspace_id, prompt_id__isnull=False)
        .values_list("prompt_id")
        .annotate(n=Count("id"))
        .order_by("-n", "prompt_id")[:PROMPTS_SHOWN]
    )
    found = list(rows)
    called = names.prompts_called(workspace_id) if found else {}
    return [OfPrompt(prompt_id, called.get(prompt_id) or f"prompt {prompt_id}", n) for prompt_id, n in found]


def saved_between(workspace_id: int, first: date, last: date) -> Decimal:
    """Return what reuse has saved on these days of the workspace, both included: as the books have it."""
    days = SpendAxis.objects.of(workspace_id, AxisName.ALL).within(first, last)
    return days.aggregate(sum=Sum("saved"))["sum"] or Decimal(0)
