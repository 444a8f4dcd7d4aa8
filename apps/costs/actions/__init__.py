"""Everything that may be done to prices, budgets and charges from outside."""

from apps.costs.actions.books import RetentionRefused, keep_charges, verify_books
from apps.costs.actions.budgets import change_budget, create_budget, end_budget
from apps.costs.actions.ingest import book_sheet, dismiss_quarantined, mend_quarantined, retry_quarantined
from apps.costs.actions.price_mistakes import PriceWithdrawn, correct_price, withdraw_price
from apps.costs.actions.prices import (
    PriceInThePast,
    PriceListMoved,
    PriceRefused,
    PriceSurprising,
    PriceTerms,
    add_price,
    add_prices,
)
from apps.costs.actions.proposals import (
    NothingNew,
    NotYourOwn,
    ProposalDecided,
    ProposalStale,
    ProposalUnconfirmed,
    approve_proposal,
    compare_proposal_anew,
    must_be_another,
    propose_price_list,
    propose_public_prices,
    reject_proposal,
)
from apps.costs.actions.repricing import RepricingRefused, RepricingUnderWay, reprice_period, resume_repricing

__all__ = [
    "NotYourOwn",
    "NothingNew",
    "PriceInThePast",
    "PriceListMoved",
    "PriceRefused",
    "PriceSurprising",
    "PriceTerms",
    "PriceWithdrawn",
    "ProposalDecided",
    "ProposalStale",
    "ProposalUnconfirmed",
    "RepricingRefused",
    "RepricingUnderWay",
    "RetentionRefused",
    "add_price",
    "add_prices",
    "approve_proposal",
    "book_sheet",
    "change_budget",
    "compare_proposal_anew",
    "correct_price",
    "create_budget",
    "dismiss_quarantined",
    "end_budget",
    "keep_charges",
    "mend_quarantined",
    "must_be_another",
    "propose_price_list",
    "propose_public_prices",
    "reject_proposal",
    "reprice_period",
    "resume_repricing",
    "retry_quarantined",
    "verify_books",
    "withdraw_price",
]
