"""Names of models with a date at their end, and the name of the family that a price list has in their place."""

import re

DATED = re.compile(r"(?:-20\d\d-?[01]\d-?[0-3]\d|@20\d{6}|-latest)$")
# The same for the database, which has no groups that capture nothing.
DATED_IN_SQL = r"(-20[0-9]{2}-?[01][0-9]-?[0-3][0-9]|@20[0-9]{6}|-latest)$"
GUESSED = "No price list knows that name; the price of the model without its date was taken."
REPORTED = "reported_model"  # the tag that keeps the name under which a model was reported


def is_dated(name: str) -> bool:
    return DATED.search(name) is not None


def undated(name: str) -> str:
    """Return the name of the family; of a name without a date, the name itself."""
    return DATED.sub("", name)


def is_guess(provider: str, name: str) -> bool:
    """Tell whether a family's price is only the likeliest for this name.

    Anthropic's answers name a model by its date and its price list does not, so there it is the price.
    """
    return provider != "anthropic" and is_dated(name)
