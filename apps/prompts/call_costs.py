"""What one call of a prompt costs: its own tokens at the price list, and an answer as long as answers have been."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.costs.models import Meter, SpendMonth
from apps.llm import counting, rates
from apps.llm.models import Model
from apps.llm.rates import Rates
from apps.prompts.models.prompts import Content


@dataclass(frozen=True)
class PerCall:
    """Tokens that are sent, what sending them and an answer costs, and how long that answer is taken to be.

    `cost` is None when the model or a price is not known: that is not zero.
    """

    tokens: int
    cost: Decimal | None
    answer: int
    model: str

    @property
    def assumption(self) -> str:
        """Say in words what the sum holds."""
        if not self.model:
            return "Choose a model to see what a call costs."
        if self.cost is None:
            return f"The price list does not say what {self.model} costs."
        if not self.answer:
            return (
                "What is sent, at the price list of today. Nobody has called this prompt yet, so no answer is counted."
            )
        return f"What is sent and an answer of {self.answer:,} tokens, the mean so far, at the price list of today."


def rates_of(workspace: Workspace, names: set[str]) -> dict[str, Rates]:
    """Return the prices in force of the models with these names, in two queries."""
    models = list(Model.objects.usable().with_connection().filter(workspace=workspace, name__in=names).order_by("-id"))
    found = rates.of_models(workspace, models, timezone.now()) if models else {}
    return {model.name: found[model.pk] for model in models}


def usual_answer(workspace_id: int, prompt_id: int) -> int:
    """Return the mean length of the answers that a prompt got; 0 when there were none."""
    rows = SpendMonth.objects.filter(workspace_id=workspace_id, prompt_id=prompt_id)
    sums = rows.aggregate(calls=Sum("calls"), tokens=Sum("output_tokens"))
    return int(sums["tokens"] / sums["calls"]) if sums["calls"] else 0


def per_call(content: Content, messages: list[dict[str, Any]], known: dict[str, Rates], answer: int) -> PerCall:
    """Return what a call costs that sends these filled messages of a draft or version."""
    sent = counting.input_tokens(messages, content.tools, content.output_schema)
    name = content.model_config.get("model") or ""
    return PerCall(sent, _cost(known.get(name), sent, answer), answer, name)


def _cost(prices: Rates | None, sent: int, answer: int) -> Decimal | None:
    if prices is None:
        return None
    reading = prices.of(Meter.INPUT, input_tokens=sent)
    writing = prices.of(Meter.OUTPUT, input_tokens=sent)
    if reading is None or (answer and writing is None):
        return None
    return sent * reading.unit_price + (answer * writing.unit_price if writing else 0)
