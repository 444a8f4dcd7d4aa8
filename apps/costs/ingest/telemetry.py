"""Books what spans tell of calls to models."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from apps.costs.ingest import booking
from apps.costs.ingest.drafts import Sender
from apps.costs.ingest.spans import SpanRead

SOURCE = "otlp"


@dataclass
class Taken:
    """What became of the spans of a request."""

    spans: int = 0
    ours: int = 0
    silent: int = 0
    booked: int = 0
    not_booked: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        return self.not_booked.total()

    @property
    def message(self) -> str:
        """Return what the sender should know, or nothing."""
        parts = []
        if self.rejected:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self.not_booked.most_common(5))
            parts.append(
                f"{self.rejected} of {self.spans} spans were set aside ({reasons}); they are kept under Ingest."
            )
        if self.silent:
            parts.append(f"{self.silent} calls to models say nothing of their usage and were not booked.")
        return " ".join(parts)


def take_spans(sender: Sender, spans: Iterable[SpanRead], *, own_servers: Collection[str]) -> Taken:
    """Book the spans that tell of a call with its usage; the others are nothing to the books.

    A call to our own address is left out: it was charged when it passed through.
    """
    taken = Taken()
    for outcome in booking.take(sender, _items(spans, own_servers, taken)):
        if outcome.charge_id is None:
            taken.not_booked[outcome.reason] += 1
        else:
            taken.booked += 1
    return taken


def _items(spans: Iterable[SpanRead], own_servers: Collection[str], taken: Taken) -> Iterator[dict[str, Any]]:
    for span in spans:
        taken.spans += 1
        if span.item is None:
            taken.silent += span.is_silent
        elif span.server in own_servers:
            taken.ours += 1
        else:
            yield span.item
