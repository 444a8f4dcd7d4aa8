"""The prices of many events at once: whose model a name means, and what it cost at the event's moment."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.costs.amounts import Priced, PriceRow, Terms, cost_of, in_force
from apps.costs.ingest.items import Event
from apps.costs.models import Price, Tier

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
DATED = re.compile(r"(?:-20\d\d-?[01]\d-?[0-3]\d|@20\d{6}|-latest)$")
GUESSED = "No price list knows that name; the price of the model without its date was taken."


@dataclass(frozen=True, slots=True)
class Found:
    """Which model of the price list a name means. Without rows nothing can price it; the provider may be nobody's."""

    provider: str
    model: str
    rows: Sequence[Price] = ()
    edges: Sequence[datetime] = ()
    is_guess: bool = False


class PriceBook:
    """The prices of the models that some events name, read once."""

    def __init__(self, workspace_id: int, events: Iterable[Event]) -> None:
        self._rows: dict[tuple[str, str], list[Price]] = {}
        self._found: dict[tuple[str, tuple[str, ...]], Found] = {}
        self._in_force: dict[tuple[str, str, int, str, str], tuple[Sequence[PriceRow], Terms]] = {}
        asked = {(event.provider, event.models) for event in events}
        names = {name for provider, models in asked for name, _ in _candidates(provider, models)}
        for price in Price.objects.standing().filter(workspace_id=workspace_id, model__in=names):
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
        rows, terms = self._at(found, event)
        priced = cost_of(event.used.meters, rows, terms)
        if found.is_guess and not priced.doubt:
            return Priced(priced.cost, priced.price_ids, GUESSED)
        return priced

    def _at(self, found: Found, event: Event) -> tuple[Sequence[PriceRow], Terms]:
        """Return the rows in force at the moment of an event that could hold for its terms."""
        key = (found.provider, found.model, bisect_right(found.edges, event.at), event.tier, event.region)
        known = self._in_force.get(key)
        if known is None:
            terms = Terms(event.tier, event.region)
            tiers, regions = {Tier.STANDARD, terms.wanted_tier}, {"", terms.wanted_region}
            rows = [row for row in in_force(found.rows, event.at) if row.tier in tiers and row.region in regions]
            known = self._in_force[key] = ([row for row in rows if row.connection_id is None], terms)
        return known

    def _find(self, given: str, models: tuple[str, ...]) -> Found:
        for name, is_guess in _candidates(given, models):
            provider = _provider(given, models) or self._only_provider(name)
            rows = self._rows.get((provider, name))
            if rows:
                return Found(provider, name, rows, _edges(rows), is_guess)
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
    yield from ((DATED.sub("", name), True) for name in plain if DATED.search(name))


def _edges(rows: Iterable[Price]) -> list[datetime]:
    """Return the moments at which any of the prices begins or ends."""
    return sorted({edge for row in rows for edge in (row.valid_from, row.valid_to) if edge})
