"""Every named address inside a workspace, filled with the ids that a test has."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.urls import URLResolver, get_resolver, reverse

FILL: dict[str, Any] = {"UUIDConverter": uuid4(), "IntConverter": 1}


def pages_of_workspace(slug: str, ids: dict[str, Any]) -> Iterator[str]:
    for name, converters in _named(get_resolver(), {}):
        if "workspace" in converters:
            values = {key: ids.get(key, FILL.get(type(kind).__name__, "x")) for key, kind in converters.items()}
            yield reverse(name, kwargs={**values, "workspace": slug})


def _named(resolver: URLResolver, above: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in resolver.url_patterns:
        converters = {**above, **entry.pattern.converters}
        if isinstance(entry, URLResolver):
            yield from _named(entry, converters)
        elif entry.name:
            yield entry.name, converters
