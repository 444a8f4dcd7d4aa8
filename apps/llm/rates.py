"""What models cost, as the workspace's price list says now: for the catalogue and for sums of what might be."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.accounts.models import Workspace
from apps.costs.models import Meter, Price, Tier
from apps.llm.models import Model

MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Rate:
    """One price: what a token of a meter costs, from when on, and who says so."""

    meter: Meter
    unit_price: Decimal
    since: datetime
    source: str
    tier: str = Tier.STANDARD
    above: int = 0
    is_negotiated: bool = False

    @property
    def per_million(self) -> Decimal:
        return self.unit_price * MILLION

    @property
    def qualities(self) -> list[str]:
        """Return in words what sets it apart from the plain price of its meter."""
        told = [] if self.tier == Tier.STANDARD else [f"{Tier(self.tier).label.lower()} tier"]
        if self.above:
            told.append(f"requests over {self.above:,} tokens")
        return told + (["negotiated"] if self.is_negotiated else [])


@dataclass(frozen=True)
class Rates:
    """Every price of a model that is in force. What has no price is not free: nobody knows what it costs."""

    provider: str
    model: str
    rows: tuple[Rate, ...] = ()

    def of(self, meter: Meter, *, tier: str = Tier.STANDARD, input_tokens: int = 0) -> Rate | None:
        """Return the price of a meter in a request that long, chosen as the books choose.

        What was negotiated goes before the list; among those, the highest step that the request has passed.
        """
        fitting = [row for row in self.rows if row.meter == meter and row.tier == tier]
        passed = [row for row in fitting if row.above == 0 or input_tokens > row.above]
        return max(passed, key=lambda row: (row.is_negotiated, row.above), default=None)

    @property
    def input(self) -> Rate | None:
        return self.of(Meter.INPUT)

    @property
    def output(self) -> Rate | None:
        return self.of(Meter.OUTPUT)

    @property
    def in_order(self) -> list[Rate]:
        """Return the prices as people read them: by meter, the plain one first."""
        meters = list(Meter)
        return sorted(self.rows, key=lambda row: (meters.index(row.meter), len(row.qualities), row.tier, row.above))

    @property
    def sources(self) -> list[str]:
        return sorted({row.source for row in self.rows})


def of_models(workspace: Workspace, models: Iterable[Model], now: datetime) -> dict[int, Rates]:
    """Return the prices of each model by its id, in one query: those of the list, and its connection's own."""
    wanted = list(models)
    rows: dict[tuple[str, str], list[Price]] = {}
    listed = Price.objects.filter(workspace=workspace, model__in={model.name for model in wanted}, region="")
    for row in listed.in_force(now):
        rows.setdefault((row.provider, row.model), []).append(row)
    return {model.pk: _rates(model, rows.get((model.connection.provider, model.name), ())) for model in wanted}


def _rates(model: Model, rows: Iterable[Price]) -> Rates:
    own = [_rate(row) for row in rows if row.connection_id in {None, model.connection_id}]
    return Rates(model.connection.provider, model.name, tuple(own))


def _rate(row: Price) -> Rate:
    return Rate(
        meter=Meter(row.meter),
        unit_price=row.unit_price,
        since=row.valid_from,
        source=row.source,
        tier=row.tier,
        above=row.above_input_tokens,
        is_negotiated=row.connection_id is not None,
    )
