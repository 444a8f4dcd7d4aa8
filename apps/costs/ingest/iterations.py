"""The single requests that one answer of Anthropic's took on the provider's side: each is billed at its own model's price.

The whole that the usage names leaves out what summed up the context (compaction) and what another model was asked
(advisor). Where another model answered in place of the first (fallback), what the first declined before it wrote
anything is not billed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.costs.ingest.refusals import Refused, shown
from apps.costs.models import Meter

MOST = 200
BESIDE = frozenset({"compaction", "advisor_message"})
KINDS = BESIDE | {"message", "fallback_message"}
Meters = dict[Meter, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One request of an answer: the model that took it ("" for the one that answered), and its disjoint meters."""

    model: str
    meters: Meters


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: str
    part: Part


def parts_of(given: object, whole: Meters, meters_of: Callable[[Mapping[str, Any]], Meters]) -> tuple[Part, ...]:
    """Return the requests that are billed; none where the usage names none, or one that is the whole.

    Raises Refused for entries that nobody knows, and when they do not add up to the whole.
    """
    if given is None or given == []:
        return ()
    if not isinstance(given, list) or len(given) > MOST:
        raise Refused("iterations", f"The usage's iterations are {shown(given)}, not a list of at most {MOST}.")
    entries = [_entry(one, meters_of) for one in given]
    _check(entries, whole)
    is_fallback = any(entry.kind == "fallback_message" for entry in entries)
    billed = [entry.part for entry in entries if not (is_fallback and _is_declined(entry))]
    tools = {meter: count for meter, count in whole.items() if meter.is_fee and count}
    if not billed:
        raise Refused("no-usage", "None of the usage's iterations is billed.")
    answered = next((n for n, part in enumerate(billed) if not part.model), len(billed) - 1)
    billed[answered] = Part(billed[answered].model, {**billed[answered].meters, **tools})
    return () if len(billed) == 1 and not billed[0].model else tuple(billed)


def _entry(given: object, meters_of: Callable[[Mapping[str, Any]], Meters]) -> _Entry:
    if not isinstance(given, Mapping) or given.get("type") not in KINDS:
        kind = given.get("type") if isinstance(given, Mapping) else given
        raise Refused("iterations", f"{shown(kind)} is no kind of iteration that we know.")
    model = given.get("model")
    if given["type"] in ("advisor_message", "fallback_message") and not model:
        raise Refused("iterations", "An iteration of another model does not say which.")
    return _Entry(given["type"], Part(model if isinstance(model, str) and len(model) <= 120 else "", meters_of(given)))


def _is_declined(entry: _Entry) -> bool:
    return entry.kind == "message" and not entry.part.meters.get(Meter.OUTPUT)


def _check(entries: list[_Entry], whole: Meters) -> None:
    """Hold the entries against the whole: that of all that answered, or of the model alone that answered in the end."""
    inside = [entry for entry in entries if entry.kind not in BESIDE]
    served = [entry for entry in inside if entry.kind == "fallback_message"]
    said = _tokens(whole)
    if said not in (_summed(inside), _summed(served or inside)):
        raise Refused(
            "sum-differs",
            f"The iterations add up to {sum(_summed(inside).values()):,} tokens, "
            f"the provider's own sum is {sum(said.values()):,}.",
        )


def _tokens(meters: Meters) -> Meters:
    return {meter: count for meter, count in meters.items() if count and not meter.is_fee}


def _summed(entries: Iterable[_Entry]) -> Meters:
    found: Meters = {}
    for entry in entries:
        for meter, count in _tokens(entry.part.meters).items():
            found[meter] = found.get(meter, 0) + count
    return found
