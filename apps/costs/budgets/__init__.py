"""Budgets that cannot be overshot: `reserve` before a call leaves, the ledger settles, `release` if it never left."""

from apps.costs.budgets.known import Facts, forget
from apps.costs.budgets.refusals import OverBudget, Unbounded
from apps.costs.budgets.reserving import release, reserve
from apps.costs.budgets.worst_case import worst_case

__all__ = ["Facts", "OverBudget", "Unbounded", "forget", "release", "reserve", "worst_case"]
