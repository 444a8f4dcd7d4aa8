"""What a new price list would change: compared with the list in force, line by line."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from typing import NamedTuple

from django.db.models import QuerySet

from apps.accounts.models import Workspace
from apps.costs import price_entry, price_units
from apps.costs.model_names import undated
from apps.costs.models import Meter, Price, PriceProposal, PriceProposalLine, SpendMonth, Tier
from apps.costs.models.prices import TERMS
from apps.costs.public_prices import public_prices

PUBLIC = "genai-prices"
UPLOAD = "Upload: "
INCOMPLETE = "The list leaves out something that this model has a price for."


class Model(NamedTuple):
    provider: str
    name: str


class Compared(NamedTuple):
    """The lines that differ, unsaved, and what the list leaves out of the models that it names, in words."""

    lines: list[PriceProposalLine]
    left_out: list[str]


def lines_of(proposal: PriceProposal) -> "QuerySet[PriceProposalLine]":
    return PriceProposalLine.objects.filter(proposal=proposal)


def public_source() -> str:
    return f"{PUBLIC} {version('genai-prices')}"


def is_upload(proposal: PriceProposal) -> bool:
    return proposal.source.startswith(UPLOAD)


def used_models(workspace: Workspace) -> set[Model]:
    """Return the models that the books hold charges of, and the names whose prices those take."""
    rows = SpendMonth.objects.filter(workspace_id=workspace.pk).values_list("provider", "model").distinct()
    used = {Model(*row) for row in rows}
    return used | {Model(one.provider, undated(one.name)) for one in used}


def public_list(workspace: Workspace, at: datetime) -> list[Price]:
    """Return what the installed public list says of the models in use at a moment."""
    wanted = used_models(workspace)
    return [row for row in public_prices() if (row.provider, row.model) in wanted and _holds(row, at)]


def without_public_price(workspace: Workspace, listed: Iterable[Price]) -> list[str]:
    """Return the models in use that neither the list in force nor this one knows, by name."""
    known = {row.model for row in listed} | set(workspace.prices.standing().values_list("model", flat=True).distinct())
    used = SpendMonth.objects.filter(workspace_id=workspace.pk).values_list("provider", "model").distinct()
    return sorted(model for provider, model in used if model not in known and undated(model) not in known)


def compare(workspace: Workspace, listed: Sequence[Price], at: datetime) -> Compared:
    """Return how a list differs from the prices in force at a moment, with an alarm on what needs a second look."""
    standing = in_force(workspace, {row.model for row in listed}, at)
    left_out = _left_out(listed, standing.values())
    found = [
        _line(row, standing, row.unit_price, is_incomplete=Model(row.provider, row.model) in left_out) for row in listed
    ]
    lines = [line for line in found if line.old_price != line.new_price]
    changed = {Model(line.provider, line.model) for line in lines}
    words = [f"{', '.join(meters)} of {model.name}" for model, meters in left_out.items() if model in changed]
    return Compared(lines, words)


def compare_anew(workspace: Workspace, lines: Sequence[PriceProposalLine], at: datetime) -> list[PriceProposalLine]:
    """Return the lines of a proposal as they differ from the prices in force at a moment, unsaved."""
    standing = in_force(workspace, {line.model for line in lines}, at)
    found = [
        _line(line, standing, line.new_price, is_incomplete=reason_for_alarm(line) == INCOMPLETE) for line in lines
    ]
    return [line for line in found if line.old_price != line.new_price]


def _line(
    row: Price | PriceProposalLine, standing: Mapping[price_entry.Key, Price], new: Decimal, *, is_incomplete: bool
) -> PriceProposalLine:
    before = _amount(standing.get(price_entry.key_of(row)))
    facts = {name: getattr(row, name) for name in TERMS}
    alarmed = bool(price_units.alarm(before, new)) or is_incomplete
    return PriceProposalLine(**facts, old_price=before, new_price=new, alarm=alarmed)


def in_force(workspace: Workspace, models: Collection[str], at: datetime) -> dict[price_entry.Key, Price]:
    """Return the prices of these models that hold at a moment, by what they are for."""
    rows = workspace.prices.in_force(at).filter(model__in=models)
    return {price_entry.key_of(row): row for row in rows}


def is_stale(workspace: Workspace, lines: Sequence[PriceProposalLine], at: datetime) -> bool:
    """Tell whether any of these lines was compared with a price that no longer holds at that moment."""
    standing = in_force(workspace, {line.model for line in lines}, at)
    return any(line.old_price != _amount(standing.get(price_entry.key_of(line))) for line in lines)


def reason_for_alarm(line: PriceProposalLine) -> str:
    """Say why a line needs a second look; nothing when it does not."""
    if not line.alarm:
        return ""
    return price_units.alarm(line.old_price, line.new_price) or INCOMPLETE


def _amount(price: Price | None) -> Decimal | None:
    return price.unit_price if price else None


def _holds(row: Price, at: datetime) -> bool:
    return row.valid_from <= at and (row.valid_to is None or at < row.valid_to)


def _left_out(listed: Sequence[Price], standing: Iterable[Price]) -> dict[Model, list[str]]:
    """Return the plain prices in force that a list does not name of the models for which it has plain ones."""
    named: dict[Model, set[str]] = defaultdict(set)
    for row in listed:
        if _is_plain(row):
            named[Model(row.provider, row.model)].add(row.meter)
    found: dict[Model, list[str]] = defaultdict(list)
    for price in sorted(standing, key=lambda row: (row.model, row.meter)):
        model = Model(price.provider, price.model)
        if _is_plain(price) and model in named and price.meter not in named[model]:
            found[model].append(str(Meter(price.meter).label))
    return found


def _is_plain(row: Price) -> bool:
    return row.tier == Tier.STANDARD and not row.region and row.connection_id is None and not row.above_input_tokens
