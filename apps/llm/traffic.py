"""What a prompt's real traffic was like, to reckon with: from the books, which name prompts by value."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Min, Sum

from apps.accounts.models import Workspace
from apps.costs import spend
from apps.costs.models import AxisName, Dimension, Purpose, SpendAxis, SpendDay

DAYS = 30


@dataclass(frozen=True)
class RealTraffic:
    """The production traffic of a prompt over so many days: means over the calls that came through."""

    prompt: str
    days: int
    requests_per_day: Decimal
    input_tokens: int
    output_tokens: int
    cached_share: Decimal


def prompts_of(workspace: Workspace, today: date) -> list[tuple[int, str]]:
    """Return the prompts that were called in the last 30 days, by name."""
    rows = SpendAxis.objects.of(workspace.pk, AxisName.PROMPT).within(today - timedelta(days=DAYS - 1), today)
    ids = [int(value) for value in rows.exclude(value="0").values_list("value", flat=True).distinct()]
    names = spend.names(workspace.pk, [Dimension.Kind.PROMPT], ids)
    return sorted(
        ((prompt, names.get((Dimension.Kind.PROMPT, prompt), f"Prompt {prompt}")) for prompt in ids), key=_name
    )


def _name(row: tuple[int, str]) -> str:
    return row[1]


def of_prompt(workspace: Workspace, prompt_id: int, today: date) -> RealTraffic | None:
    """Return a prompt's production traffic of the last 30 days, or since its first call in them; None without any."""
    rows = SpendDay.objects.of(workspace.pk).within(today - timedelta(days=DAYS - 1), today)
    sums = rows.filter(prompt_id=prompt_id, purpose=Purpose.PRODUCTION).aggregate(
        first=Min("day"),
        made=Sum("calls", default=0),
        failed=Sum("failed_calls", default=0),
        fresh=Sum("input_tokens", default=0),
        cached=Sum("cache_read_tokens", default=0),
        written=Sum("cache_write_tokens", default=0),
        out=Sum("output_tokens", default=0),
    )
    answered = sums["made"] - sums["failed"]
    if answered <= 0:
        return None
    days = (today - sums["first"]).days + 1
    read = sums["fresh"] + sums["cached"] + sums["written"]
    names = spend.names(workspace.pk, [Dimension.Kind.PROMPT], [prompt_id])
    return RealTraffic(
        prompt=names.get((Dimension.Kind.PROMPT, prompt_id), f"Prompt {prompt_id}"),
        days=days,
        requests_per_day=(Decimal(answered) / days).quantize(Decimal("0.1")),
        input_tokens=round(Decimal(read) / answered),
        output_tokens=round(Decimal(sums["out"]) / answered),
        cached_share=Decimal(sums["cached"]) / read if read else Decimal(0),
    )
