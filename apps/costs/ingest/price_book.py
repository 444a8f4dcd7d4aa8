"""The prices of many events at once: whose model a name means, and what it cost at the event's moment."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from apps.costs.amounts import Priced, PriceRow, Terms, cost_by, in_force, input_tokens_of, rows_for, used_of
from apps.costs.ingest.items import Event
from apps.costs.model_names import GUESSED, is_dated, is_guess, undated
from apps.costs.models import Meter, Price

# What instrumentation calls a provider, and what price lists do.
PROVIDERS = {
    **dict.fromkeys(
        ("azure.ai.openai", "az.ai.openai", "azure_openai", "az.ai.inference", "azure.ai.inference"), "azure"
    ),
    **dict.fromkeys(("aws.bedrock", "aws_bedrock", "bedrock", "amazon_bedrock"), "aws"),
    **dict.fromkeys(
        ("gcp.vertex_ai", "gcp.gemini", "gcp.gen_ai", "vertex_ai", "vertexai", "gemini", "google-gla", "google-vertex"),
        "google",
    ),
    **dict.fromkeys(("mistral_ai", "mistralai"), "mistral"),
    **dict.fromkeys(("x_ai", "xai"), "x-ai"),
    "openai-responses": "openai",
}


class Row(NamedTuple):
    """What pricing asks of a price, without the weight of a model."""

    id: int
    provider: str
    model: str
    meter: str
    tier: str
    region: str
    connection_id: int | None
    above_input_tokens: int
    unit_price: Decimal
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """Which model of the price list a name means. Without rows nothing can price it; the provider may be nobody's."""

    provider: str
    model: str
    rows: Sequence[Row] = ()
    edges: Sequence[datetime] = ()
    steps: Sequence[int] = ()
    is_guess: bool = False


class PriceBook:
    """The prices of the models that some events name, read once."""

    def __init__(self, workspace_id: int, events: Iterable[Event]) -> None:
        self._rows: dict[tuple[str, str], list[Row]] = {}
        self._found: dict[tuple[str, tuple[str, ...]], Found] = {}
        self._rows_at: dict[tuple[str, str, int, int, str, str], tuple[Mapping[Meter, PriceRow], Terms]] = {}
        asked = {(event.provider, event.models) for event in events}
        names = {name for provider, models in asked for name, _ in _candidates(provider, models)}
        prices = Price.objects.standing().filter(workspace_id=workspace_id, model__in=names)
        for row in prices.values_list(*Row._fields):
            price = Row(*row)
            self._rows.setdefault((price.provider, price.model), []).append(price)

    def find(self, event: Event) -> Found:
        """Return the model that an event means: as it is named, else as it was asked for, else without its date."""
        key = (event.provider, event.models)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(*key)
        return found

    def price(self, event: Event, found: Found) -> Priced:
        """Price an event at the rows in force at its moment. Raises UsageError for a negative meter."""
        used = used_of(event.used.meters)
        rows, terms = self._at(found, event, input_tokens_of(used))
        priced = cost_by(used, rows, terms)
        if found.is_guess and not priced.doubt:
            return Priced(priced.cost, priced.price_ids, GUESSED)
        return priced

    def _at(self, found: Found, event: Event, length: int) -> tuple[Mapping[Meter, PriceRow], Terms]:
        """Return the row of each meter at the moment of an event, at its terms and for the length of its input."""
        when, step = bisect_right(found.edges, event.at), bisect_left(found.steps, length)
        key = (found.provider, found.model, when, step, event.tier, event.region)
        known = self._rows_at.get(key)
        if known is None:
            terms = Terms(event.tier, event.region)
            rows = [row for row in in_force(found.rows, event.at) if row.connection_id is None]
            known = self._rows_at[key] = (rows_for({Meter.INPUT: length}, rows, terms), terms)
        return known

    def _find(self, given: str, models: tuple[str, ...]) -> Found:
        for name, guessed in _candidates(given, models):
            provider = _provider(given, models) or self._only_provider(name)
            rows = self._rows.get((provider, name))
            if rows:
                steps = sorted({row.above_input_tokens for row in rows})
                return Found(provider, name, rows, _edges(rows), steps, guessed)
        return Found(_provider(given, models), models[0])

    def _only_provider(self, model: str) -> str:
        """Return whose model it is when nobody said so and one provider alone has a model of that name."""
        providers = [provider for provider, name in self._rows if name == model]
        return providers[0] if len(providers) == 1 else ""


def _provider(given: str, models: tuple[str, ...]) -> str:
    name = given or (models[0].split("/", 1)[0].lower() if "/" in models[0] else "")
    return PROVIDERS.get(name, name)


def _candidates(given: str, models: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Yield the names that a price may stand under, best first, and whether it would be a guess."""
    prefix = f"{_provider(given, models)}/"
    plain = [name.removeprefix(prefix) for name in models]
    exact = list(dict.fromkeys([*models, *plain]))
    yield from ((name, False) for name in exact)
    provider = _provider(given, models)
    yield from ((undated(name), is_guess(provider, name)) for name in plain if is_dated(name))


def _edges(rows: Iterable[Row]) -> list[datetime]:
    """Return the moments at which any of the prices begins or ends."""
    return sorted({edge for row in rows for edge in (row.valid_from, row.valid_to) if edge})
