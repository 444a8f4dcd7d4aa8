"""What a change request will cost a month: its prompts' traffic, tokens and prices, put together for the check Spend."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from apps.accounts.models import Workspace
from apps.core import formats
from apps.core.errors import DomainError
from apps.costs import change_traffic, spend
from apps.costs.change_forecast import ChangeForecast, Side, is_over, of_change, percent_more
from apps.costs.models import Dimension, Meter
from apps.llm import counting, rates
from apps.llm.rates import Rates
from apps.prompts import rendering, variables
from apps.prompts.models import ChangeRequest, ChangeRequestItem, Check, Version

ZERO = Decimal(0)
DIGITS = Decimal(1).scaleb(-12)


@dataclass(frozen=True)
class Item:
    """One prompt of a request: which versions, on which models, and its month."""

    item: ChangeRequestItem
    before: Side | None
    after: Side
    forecast: ChangeForecast
    teams: list[str]


@dataclass(frozen=True)
class Forecast:
    """The month of a whole request, and whether it is over the environment's limits."""

    items: list[Item]
    currency: str
    over: bool

    @property
    def before(self) -> Decimal:
        return sum((one.forecast.before for one in self.items), ZERO)

    @property
    def after(self) -> Decimal:
        return sum((one.forecast.after for one in self.items), ZERO)

    @property
    def increase(self) -> Decimal:
        return self.after - self.before

    @property
    def problems(self) -> list[str]:
        return [f"{one.item.prompt.name}: {one.forecast.problem}" for one in self.items if one.forecast.problem]

    @property
    def status(self) -> Check.Status:
        if self.problems:
            return Check.Status.ERRORED
        return Check.Status.FAILED if self.over else Check.Status.PASSED

    @property
    def summary(self) -> str:
        """Say the change as people would: +$41.20 a month (+14 %)."""
        if self.problems:
            return " ".join(self.problems)[:500]
        if not any(one.forecast.traffic.calls for one in self.items):
            return "No traffic in the last 30 days: it changes nothing yet."
        share = percent_more(self.before, self.after)
        sign = "+" if self.increase >= 0 else ""
        words = f"{sign}{formats.money(self.increase, self.currency)} a month"
        words += f" ({'+' if share >= 0 else formats.MINUS}{abs(share):.0f} %)" if share is not None else ""
        return f"{words}, over the limit." if self.over else f"{words}."

    def evidence(self) -> dict[str, Any]:
        """Return the forecast as JSON, with names and numbers and nothing of any text."""
        share = percent_more(self.before, self.after)
        return {
            "over": self.over,
            "before": _spelt(self.before),
            "after": _spelt(self.after),
            "increase": _spelt(self.increase),
            "percent": f"{share:.1f}" if share is not None else None,
            "currency": self.currency,
            "items": [_as_data(one) for one in self.items],
        }


def _as_data(one: Item) -> dict[str, Any]:
    forecast, base = one.forecast, one.item.base
    return {
        "prompt": one.item.prompt.name,
        "before": {"version": base.version.number if base else None, "model": one.before.model if one.before else None},
        "after": {"version": one.item.version.number, "model": one.after.model},
        "calls": forecast.traffic.calls,
        "days": forecast.traffic.days,
        "per_call_before": _spelt(forecast.per_call_before),
        "per_call_after": _spelt(forecast.per_call_after),
        "month_before": _spelt(forecast.before),
        "month_after": _spelt(forecast.after),
        "basis": forecast.problem or forecast.basis,
        "teams": one.teams,
    }


def _spelt(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.quantize(DIGITS):f}"


def of_request(request: ChangeRequest, now: datetime) -> Forecast:
    """Forecast the month of every prompt that a request changes, in the environment where it wants to go live."""
    workspace, place = request.workspace, request.environment
    today = now.astimezone(workspace.zone).date()
    rows = request.items.select_related("version", "prompt", "base").prefetch_related("base__arms__version")
    wanted = list(rows.order_by("prompt_id"))
    versions = [one.version for one in wanted] + [one.base.version for one in wanted if one.base]
    priced = _prices(workspace, versions, now)
    items = [_item(one, place.name, today, priced) for one in wanted]
    before = sum((one.forecast.before for one in items), ZERO)
    after = sum((one.forecast.after for one in items), ZERO)
    asked = place.rules
    known = not any(one.forecast.problem for one in items)
    over = known and is_over(before, after, asked.spend_amount, asked.spend_percent)
    return Forecast(items, workspace.currency, over)


def _item(item: ChangeRequestItem, place: str, today: Any, priced: dict[str, Rates]) -> Item:
    workspace_id = item.prompt.workspace_id
    base = item.base.version if item.base else None
    pairs = {(version.pk, model_of(version)) for version in (item.version, base) if version}
    tests = change_traffic.measured(workspace_id, item.prompt_id, pairs)
    traffic = change_traffic.traffic(workspace_id, item.prompt_id, place, today)
    before, after = (
        Side(
            model_of(version),
            example_tokens(version, workspace_id),
            *_per_token(priced.get(model_of(version))),
            tests[version.pk, model_of(version)],
        )
        if version
        else None
        for version in (base, item.version)
    )
    assert after is not None  # noqa: S101  a request always asks for a version
    ids = change_traffic.teams(workspace_id, item.prompt_id, place, today) - {0}
    names = spend.names(workspace_id, [Dimension.Kind.TEAM], ids) if ids else {}
    return Item(item, before, after, of_change(traffic, before, after), sorted(names.values()))


def model_of(version: Version) -> str:
    return str((version.model_config or {}).get("model") or "")


def _prices(workspace: Workspace, versions: list[Version], now: datetime) -> dict[str, Rates]:
    """Return the prices of the versions' models by name, of the connection that would be asked."""
    names = {model_of(version) for version in versions}
    models: dict[str, Any] = {}
    for model in workspace.models.usable().with_connection().filter(name__in=names).order_by("id"):
        models.setdefault(model.name, model)
    found = rates.of_models(workspace, models.values(), now)
    return {name: found[model.pk] for name, model in models.items()}


def _per_token(found: Rates | None) -> tuple[Decimal | None, Decimal | None]:
    if found is None:
        return None, None
    plain_in, plain_out = found.of(Meter.INPUT), found.of(Meter.OUTPUT)
    return (plain_in.unit_price if plain_in else None), (plain_out.unit_price if plain_out else None)


def example_tokens(version: Version, workspace_id: int) -> int:
    """Count about what a call with the contract's examples sends; a text that cannot be filled counts as it stands."""
    try:
        messages = rendering.messages_of(version, variables.example_values(version.variables))
    except DomainError:
        messages = [message for message in version.messages if "content" in message]
    return counting.input_tokens(messages, version.tools, version.output_schema)
