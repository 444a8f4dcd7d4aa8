"""The price list as a table: a line for each model and, below it, one for every other terms it is sold at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from urllib.parse import urlencode

from django.db.models import Case, QuerySet, When
from django.urls import reverse

from apps.accounts.models import Workspace
from apps.costs import connection_names, price_units
from apps.costs.models import BASE_METERS, Meter, Price, SpendMonth, Tier

HEADS = ("Input", "Cached input", "Cache write", "Cache write 1 h", "Output")
LIST = (Tier.STANDARD.value, "", None, 0)


@dataclass
class Line:
    """A model's prices in force at some terms, by meter, as people write them."""

    provider: str
    model: str
    words: str = ""
    prices: dict[str, Decimal] = field(default_factory=dict)
    since: datetime | None = None
    source: str = ""
    is_used: bool = False
    is_first: bool = True

    @property
    def cells(self) -> list[Decimal | None]:
        return [self.prices.get(meter) for meter in BASE_METERS]

    @property
    def others(self) -> list[tuple[str, Decimal, str]]:
        """Return the prices that have no column: audio, images, tools."""
        return [
            (str(meter.label), self.prices[meter], price_units.unit_words(meter))
            for meter in Meter
            if meter not in BASE_METERS and meter in self.prices
        ]


def models_of(workspace: Workspace, query: str, *, only_used: bool = False) -> "QuerySet[Price, tuple[str, str]]":
    """Return the (provider, model) pairs that have prices and match the words typed, those in use first."""
    rows = workspace.prices.all()
    for word in query.split()[:5]:
        rows = rows.filter(model__icontains=word) | rows.filter(provider__icontains=word)
    if only_used:
        rows = rows.filter(model__in=used_models(workspace))
    in_use_first = Case(When(model__in=used_models(workspace), then=0), default=1)
    return rows.order_by(in_use_first, "provider", "model").values_list("provider", "model").distinct()


def used_models(workspace: Workspace) -> "QuerySet[SpendMonth, str]":
    """Return the names of the models that the books hold charges of."""
    return SpendMonth.objects.filter(workspace_id=workspace.pk).values_list("model", flat=True).distinct()


def used_pairs(workspace: Workspace) -> list[tuple[str, str]]:
    """Return the (provider, model) pairs that the books hold charges of, by name."""
    rows = SpendMonth.objects.filter(workspace_id=workspace.pk).values_list("provider", "model").distinct()
    return sorted(rows, key=lambda pair: (pair[1], pair[0]))


def lines(workspace: Workspace, pairs: Iterable[tuple[str, str]], now: datetime) -> list[Line]:
    """Return the lines of these models: the plain list price first, then the other terms."""
    wanted = list(pairs)
    rows = workspace.prices.in_force(now).filter(model__in={model for _, model in wanted}).newest_first()
    used = set(used_models(workspace))
    names = connection_names.names(workspace.pk)
    found: dict[tuple[str, str], list[Line]] = {}
    for pair, prices in groupby(rows, key=lambda row: (row.provider, row.model)):
        found[pair] = _lines_of(pair, prices, names)
    return [line for pair in wanted for line in _marked(found.get(pair) or [Line(*pair)], pair[1] in used)]


def _lines_of(pair: tuple[str, str], prices: Iterable[Price], names: Mapping[int, str]) -> list[Line]:
    by_terms: dict[tuple[object, ...], Line] = {LIST: Line(*pair)}
    for price in prices:
        key = (str(price.tier), price.region, price.connection_id, price.above_input_tokens)
        words = price_units.terms_words(price, names.get(price.connection_id or 0, ""))
        line = by_terms.setdefault(key, Line(*pair, words=words))
        line.prices[price.meter] = price_units.shown(price.meter, price.unit_price)
        if line.since is None or price.valid_from > line.since:
            line.since, line.source = price.valid_from, price.source
    tiers = [tier.value for tier in Tier]
    keys = sorted(by_terms, key=lambda key: (tiers.index(str(key[0])), str(key[1]), str(key[2] or ""), key[3]))
    return [by_terms[key] for key in keys]


def _marked(found: list[Line], is_used: bool) -> list[Line]:
    for number, line in enumerate(found):
        line.is_first, line.is_used = number == 0, is_used and number == 0
    return found


def standing(workspace: Workspace, provider: str, model: str, now: datetime) -> dict[str, Decimal]:
    """Return the plain list prices of a model in force, by meter, as people write them."""
    rows = workspace.prices.of(provider, model).in_force(now)
    plain = rows.filter(tier=Tier.STANDARD, region="", connection_id=None, above_input_tokens=0)
    return {row.meter: price_units.shown(row.meter, row.unit_price) for row in plain}


def address(workspace: Workspace, price: Price) -> str:
    """Return where the history of a price's model is shown."""
    page = reverse("price_history", kwargs={"workspace": workspace.slug})
    return f"{page}?{urlencode({'provider': price.provider, 'model': price.model})}"
