"""The books. Everything here names things above by value (id and name at the time), never by foreign key.

A rollup's id of 0 stands for "nobody": a team, prompt, version or key that the charge did not name.
"""

from apps.costs.models.budgets import Budget, BudgetAlert, BudgetPeriod, BudgetQuerySet, Reservation
from apps.costs.models.charges import Charge, ChargeQuerySet, Purpose
from apps.costs.models.ingest import IngestCount, Quarantined, QuarantinedQuerySet
from apps.costs.models.meters import BASE_METERS, CHARGE_COLUMNS, Meter
from apps.costs.models.prices import (
    Price,
    PriceProposal,
    PriceProposalLine,
    PriceQuerySet,
    Repricing,
    Tier,
)
from apps.costs.models.rollups import (
    AxisName,
    Brief,
    Dimension,
    SpendAxis,
    SpendAxisQuerySet,
    SpendDay,
    SpendDayQuerySet,
    SpendHour,
    SpendMonth,
    Totals,
)
from apps.costs.models.state import LetGo, Retention, Verification

__all__ = [
    "BASE_METERS",
    "CHARGE_COLUMNS",
    "AxisName",
    "Brief",
    "Budget",
    "BudgetAlert",
    "BudgetPeriod",
    "BudgetQuerySet",
    "Charge",
    "ChargeQuerySet",
    "Dimension",
    "IngestCount",
    "LetGo",
    "Meter",
    "Price",
    "PriceProposal",
    "PriceProposalLine",
    "PriceQuerySet",
    "Purpose",
    "Quarantined",
    "QuarantinedQuerySet",
    "Repricing",
    "Reservation",
    "Retention",
    "SpendAxis",
    "SpendAxisQuerySet",
    "SpendDay",
    "SpendDayQuerySet",
    "SpendHour",
    "SpendMonth",
    "Tier",
    "Totals",
    "Verification",
]
