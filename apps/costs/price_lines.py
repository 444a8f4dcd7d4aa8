"""The price list as a table: one line for each model, its prices per million tokens side by side."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from urllib.parse import urlencode

from django.db.models import Case, QuerySet, When
from django.urls import reverse

from apps.accounts.models import Workspace
from apps.costs.models import Meter, Price, SpendMonth

MILLION = Decimal(1_000_000)


@dataclass
class Line:
    """A model's base prices in force, by meter."""

    provider: str
    model: str
    prices: dict[str, Decimal] = field(default_factory=dict)
    has_steps: bool = False
    since: datetime | None = None
    source: str = ""
    is_used: bool = False

    @property
    def cells(self) -> list[Decimal | None]:
        return [self.prices.get(meter) for meter in Meter]


@dataclass(frozen=True)
class Entry:
    """One row of a model's history."""

    price: Price
    per_million: Decimal
    state: str

    @property
    def label(self) -> str:
        return {"live": "In force", "superseded": "Ended", "scheduled": "Scheduled"}[self.state]


def models_of(workspace: Workspace, query: str) -> "QuerySet[Price, tuple[str, str]]":
    """Return the (provider, model) pairs that have prices and match the words typed, those in use first."""
    rows = workspace.prices.all()
    for word in query.split()[:5]:
        rows = rows.filter(model__icontains=word) | rows.filter(provider__icontains=word)
    in_use_first = Case(When(model__in=_used_models(workspace), then=0), default=1)
    return rows.order_by(in_use_first, "provider", "model").values_list("provider", "model").distinct()


def _used_models(workspace: Workspace) -> "QuerySet[SpendMonth, str]":
    """Return the names of the models that the books hold charges of."""
    return SpendMonth.objects.filter(workspace_id=workspace.pk).values_list("model", flat=True).distinct()


def lines(workspace: Workspace, pairs: Iterable[tuple[str, str]], now: datetime) -> list[Line]:
    """Return the lines of these models, in one query."""
    wanted = list(pairs)
    rows = workspace.prices.in_force(now).filter(model__in={model for _, model in wanted}).newest_first()
    used = set(_used_models(workspace))
    found = {pair: Line(*pair, is_used=pair[1] in used) for pair in wanted}
    for pair, prices in groupby(rows, key=lambda row: (row.provider, row.model)):
        if pair in found:
            _fill(found[pair], prices)
    return list(found.values())


def _fill(line: Line, prices: Iterable[Price]) -> None:
    for price in prices:
        if price.above_input_tokens:
            line.has_steps = True
            continue
        line.prices[price.meter] = price.unit_price * MILLION
        if line.since is None or price.valid_from > line.since:
            line.since, line.source = price.valid_from, price.source


def history(workspace: Workspace, provider: str, model: str, now: datetime) -> list[Entry]:
    """Return every price that a model has had or will have, newest first within a meter."""
    rows = workspace.prices.of(provider, model).select_related("approved_by").newest_first()
    order = list(Meter)
    entries = [Entry(price, price.unit_price * MILLION, _state(price, now)) for price in rows]
    return sorted(entries, key=lambda entry: (order.index(Meter(entry.price.meter)), entry.price.above_input_tokens))


def missing(entries: Iterable[Entry]) -> str:
    """Name which of input and output tokens has no price in force: a call that uses them stays unpriced."""
    live = {entry.price.meter for entry in entries if entry.state == "live"}
    return " and ".join(str(meter.label) for meter in (Meter.INPUT, Meter.OUTPUT) if meter not in live)


def _state(price: Price, now: datetime) -> str:
    if price.valid_from > now:
        return "scheduled"
    return "superseded" if price.valid_to and price.valid_to <= now else "live"


def address(workspace: Workspace, price: Price) -> str:
    """Return where the history of a price's model is shown."""
    page = reverse("price_history", kwargs={"workspace": workspace.slug})
    return f"{page}?{urlencode({'provider': price.provider, 'model': price.model})}"
