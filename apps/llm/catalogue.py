"""The catalogue: each model with what is known of it, what it costs, and how it does for us."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.accounts.models import Workspace
from apps.llm import estimator, observed, rates
from apps.llm.estimator import Traffic
from apps.llm.finder import Candidate
from apps.llm.models import Model
from apps.llm.observed import Observed, milliseconds
from apps.llm.rates import Rates

# What people mostly say of where data goes and what is promised about it; they may write others.
REGIONS = ("eu", "us", "uk", "switzerland", "canada", "japan", "australia", "on-premises")
ASSURANCES = ("zero-retention", "no-training", "gdpr-dpa", "hipaa", "soc-2", "iso-27001")


@dataclass(frozen=True)
class Entry:
    """A model as the catalogue shows it. What was observed are the calls of the last seven days."""

    model: Model
    rates: Rates
    seen: Observed

    @property
    def in_price(self) -> Decimal | None:
        return self.rates.input.per_million if self.rates.input else None

    @property
    def out_price(self) -> Decimal | None:
        return self.rates.output.per_million if self.rates.output else None

    @property
    def is_priced(self) -> bool:
        return is_priced(self.model, self.rates)

    def candidate(self, cost: Decimal | None, currency: str) -> Candidate:
        """Return what the finder asks of it."""
        model, seen = self.model, self.seen
        return Candidate(
            model_id=model.pk,
            name=model.name,
            connection=model.connection.name,
            context_window=model.context_window,
            max_output_tokens=model.max_output_tokens,
            modalities=model.modalities,
            tools=model.supports_tools,
            json=model.supports_json,
            regions=model.regions,
            assurances=model.assurances,
            p50_ms=milliseconds(seen.p50),
            p99_ms=milliseconds(seen.p99),
            timed=seen.timed,
            error_share=seen.error_share,
            cost=cost,
            currency=currency,
        )


def is_priced(model: Model, found: Rates) -> bool:
    """Tell whether calls of the model can be priced. An embedding has no output to pay for."""
    return found.input is not None and (found.output is not None or model.kind == Model.Kind.EMBEDDING)


def unpriced_of(workspace: Workspace, models: Iterable[Model], now: datetime) -> set[int]:
    """Return the ids of those of the models that have no price."""
    wanted = list(models)
    prices = rates.of_models(workspace, wanted, now)
    return {model.pk for model in wanted if not is_priced(model, prices[model.pk])}


def entries_of(workspace: Workspace, now: datetime) -> list[Entry]:
    """Return every model that can be called, by connection and name, in four queries however many there are."""
    models = list(workspace.models.usable().with_connection().order_by("connection__name", "name", "id"))
    return _entries(workspace, models, observed.of_models(workspace.pk, now - observed.WEEK), now)


def entry_of(model: Model, now: datetime) -> Entry:
    """Return one model's entry."""
    seen = observed.of_models(model.workspace_id, now - observed.WEEK)
    return _entries(model.workspace, [model], seen, now)[0]


def _entries(workspace: Workspace, models: Sequence[Model], seen: dict[int, Observed], now: datetime) -> list[Entry]:
    prices = rates.of_models(workspace, models, now)
    return [Entry(model, prices[model.pk], seen.get(model.pk, Observed())) for model in models]


def matching(entries: Iterable[Entry], query: str) -> list[Entry]:
    """Keep the entries whose model, connection or data words hold every word that was typed."""
    words = query.lower().split()
    return [entry for entry in entries if all(word in _searched(entry.model) for word in words)]


def _searched(model: Model) -> str:
    parts = [model.name, model.connection.name, model.connection.provider, model.data_note]
    return " ".join([*parts, *(model.regions or ()), *(model.assurances or ())]).lower()


def cost_of_thousand(entry: Entry, input_tokens: int | None, output_tokens: int | None) -> Decimal | None:
    """Return what 1,000 requests of that size cost; None when that is not known or no size is given."""
    if not input_tokens and not output_tokens:
        return None
    traffic = Traffic(Decimal(1), input_tokens or 0, output_tokens or 0)
    return estimator.estimate(entry.model.name, traffic, entry.rates).per_thousand
