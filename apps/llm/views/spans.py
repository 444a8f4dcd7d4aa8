"""Which stretch of time a chart shows: 24 hours, 7 or 30 days."""

from typing import Any

from apps.core.htmx import HttpRequest
from apps.llm.observed import DEFAULT_SPAN, SPANS, Span


def spans_of(request: HttpRequest) -> tuple[Span, list[dict[str, Any]]]:
    """Return the span that is asked for, and the tabs that lead to each."""
    chosen = SPANS.get(request.GET.get("span", ""), DEFAULT_SPAN)
    tabs = [
        {"label": span.label, "url": f"{request.path}?span={span.name}", "active": span == chosen}
        for span in SPANS.values()
    ]
    return chosen, tabs
