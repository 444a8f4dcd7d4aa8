"""Proposals as pages show them: the list of them, and the lines of one grouped by model."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from django.db.models import Case, Count, Q, QuerySet, When

from apps.accounts.models import Workspace
from apps.costs import connection_names, price_units, proposals
from apps.costs.models import PriceProposal, PriceProposalLine


@dataclass(frozen=True)
class Line:
    """A line of a proposal as people read it."""

    row: PriceProposalLine
    words: str
    unit: str
    old: Decimal | None
    new: Decimal
    factor: Decimal | None
    why: str
    is_chosen: bool
    is_confirmed: bool


@dataclass(frozen=True)
class Group:
    provider: str
    model: str
    lines: list[Line]


def listed(workspace: Workspace) -> "QuerySet[PriceProposal]":
    """Return the proposals, those that wait first, each with how many lines it has and how many were taken."""
    counts = {
        "line_count": Count("lines"),
        "alarm_count": Count("lines", filter=Q(lines__alarm=True)),
        "taken_count": Count("lines", filter=Q(lines__price__isnull=False)),
    }
    waiting_first = Case(When(state=PriceProposal.State.OPEN, then=0), default=1)
    rows = workspace.price_proposals.select_related("proposed_by", "decided_by").annotate(**counts)
    return rows.order_by(waiting_first, "-created_at", "-pk")


def without_price(workspace: Workspace, now: datetime) -> list[str]:
    """Return the models in use that neither the list in force nor the public list knows."""
    return proposals.without_public_price(workspace, proposals.public_list(workspace, now))


def lines_of(found: PriceProposal, confirmed: Collection[int], chosen: Collection[int] | None) -> list[Line]:
    """Return the lines of a proposal; all are chosen until somebody chose."""
    names = connection_names.names(found.workspace_id)
    rows = proposals.lines_of(found).order_by(
        "provider", "model", "tier", "region", "connection_id", "above_input_tokens", "pk"
    )
    return [
        Line(
            row=row,
            words=price_units.terms_words(row, names.get(row.connection_id or 0, "")),
            unit=price_units.unit_words(row.meter),
            old=None if row.old_price is None else price_units.shown(row.meter, row.old_price),
            new=price_units.shown(row.meter, row.new_price),
            factor=price_units.factor(row.old_price, row.new_price),
            why=proposals.reason_for_alarm(row),
            is_chosen=chosen is None or row.pk in chosen,
            is_confirmed=row.confirmed or row.pk in confirmed,
        )
        for row in rows
    ]


def grouped(lines: Sequence[Line]) -> list[Group]:
    pairs = groupby(lines, key=lambda line: (line.row.provider, line.row.model))
    return [Group(provider, model, list(group)) for (provider, model), group in pairs]


def is_stale(found: PriceProposal, lines: Sequence[Line], now: datetime) -> bool:
    """Tell whether the list changed since it was compared with this proposal."""
    return proposals.is_stale(found.workspace, [line.row for line in lines], max(found.valid_from, now))
