"""What is publicly known of models by their exact names, so that nobody need type it. What the list does not say stays
unknown."""

from functools import lru_cache
from importlib.metadata import version
from typing import Any

SOURCE = "genai-prices"


def source() -> str:
    """Return who says so."""
    return f"{SOURCE} {version(SOURCE)}"


@lru_cache(maxsize=1)
def _windows() -> dict[tuple[str, str], int]:
    """Return the context windows by provider and exact name. A name that only looks like one of theirs is not theirs."""
    from genai_prices import data_snapshot  # a second to read, which most pages need not spend

    return {
        (provider.id, name): model.context_window
        for provider in data_snapshot.get_snapshot().providers
        for model in provider.models
        if model.context_window
        for name in _names(model)
    }


def _names(model: Any) -> set[str]:
    clauses = getattr(model.match, "or_", [model.match])
    return {model.id, *(clause.equals for clause in clauses if hasattr(clause, "equals"))}


def context_window(provider: str, name: str) -> int | None:
    """Return how many tokens a model of that provider takes, or None when the list does not say."""
    return _windows().get((provider, name))
