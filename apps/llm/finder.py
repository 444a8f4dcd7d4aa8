"""Which models meet what is asked of them: every requirement with its answer, and the numbers behind it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from apps.core import formats

# Of fewer answers, nobody can tell the slowest one in a hundred.
ENOUGH_FOR_P99 = 100


class Verdict(StrEnum):
    MEETS = "meets"
    UNKNOWN = "unknown"
    FAILS = "fails"


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What somebody needs. What is None or empty is not asked for."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    min_context: int | None = None
    max_p50_ms: int | None = None
    max_p99_ms: int | None = None
    max_cost: Decimal | None = None
    tools: bool = False
    json: bool = False
    modalities: Sequence[str] = ()
    region: str = ""
    assurances: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is known of a model; None is unknown. `cost` is of 1,000 requests of the size that is asked for."""

    model_id: int
    name: str
    connection: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    modalities: Sequence[str] | None = None
    tools: bool | None = None
    json: bool | None = None
    regions: Sequence[str] | None = None
    assurances: Sequence[str] | None = None
    p50_ms: Decimal | None = None
    p99_ms: Decimal | None = None
    timed: int = 0
    error_share: float | None = None
    cost: Decimal | None = None
    currency: str = "USD"


@dataclass(frozen=True)
class Reason:
    """One requirement: whether the model meets it, and by which numbers."""

    label: str
    verdict: Verdict
    words: str


@dataclass(frozen=True)
class Found:
    """A candidate with its reasons."""

    candidate: Candidate
    reasons: tuple[Reason, ...]

    def count(self, verdict: Verdict) -> int:
        return sum(reason.verdict == verdict for reason in self.reasons)

    @property
    def fits(self) -> bool:
        return not self.count(Verdict.FAILS)

    @property
    def verdict(self) -> Verdict:
        if not self.fits:
            return Verdict.FAILS
        return Verdict.UNKNOWN if self.count(Verdict.UNKNOWN) else Verdict.MEETS

    @property
    def worst_first(self) -> list[Reason]:
        """Return the reasons in the order that matters for a model that does not fit."""
        order = [Verdict.FAILS, Verdict.UNKNOWN, Verdict.MEETS]
        return sorted(self.reasons, key=lambda reason: order.index(reason.verdict))

    @property
    def failing(self) -> list[Reason]:
        return [reason for reason in self.reasons if reason.verdict == Verdict.FAILS]


def rank(wanted: Requirements, candidates: Iterable[Candidate]) -> list[Found]:
    """Return every candidate: first what surely fits, then what may, then what does not; each group cheapest first."""
    found = [Found(candidate, tuple(reasons_of(wanted, candidate))) for candidate in candidates]
    return sorted(found, key=_place)


def in_words(found: Sequence[Found], *, asks: bool) -> str:
    """Return what was found as a sentence."""
    if not asks:
        return f"{_models(len(found))} to choose from."
    sure = sum(one.verdict == Verdict.MEETS for one in found)
    maybe = sum(one.verdict == Verdict.UNKNOWN for one in found)
    if sure:
        told = f"{sure} of {_models(len(found))} meet{'s' if sure == 1 else ''} all of that"
        return f"{told}, {maybe} more may." if maybe else f"{told}."
    if maybe:
        return f"{maybe} of {_models(len(found))} may fit: not everything is known."
    return "No model meets all of that."


def _models(count: int) -> str:
    return f"{count} model{'' if count == 1 else 's'}"


def _place(one: Found) -> tuple[object, ...]:
    candidate = one.candidate
    return (
        one.count(Verdict.FAILS),
        one.count(Verdict.UNKNOWN),
        candidate.cost is None,
        candidate.cost or Decimal(0),
        candidate.p50_ms is None,
        candidate.p50_ms or Decimal(0),
        candidate.name,
        candidate.connection,
    )


def reasons_of(wanted: Requirements, candidate: Candidate) -> Iterable[Reason]:
    """Yield one reason for everything that is asked for."""
    yield from _lengths(wanted, candidate)
    yield from _times(wanted, candidate)
    if wanted.max_cost is not None:
        yield _cost(wanted.max_cost, candidate)
    if wanted.tools:
        yield _ability("Tools", candidate.tools)
    if wanted.json:
        yield _ability("JSON answers", candidate.json)
    for modality in wanted.modalities:
        yield _listed(f"Reads {modality}", modality, candidate.modalities)
    if wanted.region:
        yield _listed(f"Data in {wanted.region}", wanted.region, candidate.regions)
    for assurance in wanted.assurances:
        yield _listed(assurance.replace("-", " ").capitalize(), assurance, candidate.assurances)


def _lengths(wanted: Requirements, candidate: Candidate) -> Iterable[Reason]:
    needed = max(wanted.min_context or 0, (wanted.input_tokens or 0) + (wanted.output_tokens or 0))
    if needed:
        yield _at_least("Context", needed, candidate.context_window)
    if wanted.output_tokens:
        yield _at_least("Answer length", wanted.output_tokens, candidate.max_output_tokens)


def _at_least(label: str, needed: int, has: int | None) -> Reason:
    if has is None:
        return Reason(label, Verdict.UNKNOWN, f"needs {needed:,} tokens, not known")
    verdict = Verdict.MEETS if has >= needed else Verdict.FAILS
    return Reason(label, verdict, f"{has:,} tokens, needs {needed:,}")


def _times(wanted: Requirements, candidate: Candidate) -> Iterable[Reason]:
    if wanted.max_p50_ms is not None:
        yield _time("Typical answer", wanted.max_p50_ms, candidate.p50_ms, candidate.timed, enough=1)
    if wanted.max_p99_ms is not None:
        yield _time("Slowest 1 %", wanted.max_p99_ms, candidate.p99_ms, candidate.timed, enough=ENOUGH_FOR_P99)


def _time(label: str, most: int, has: Decimal | None, timed: int, *, enough: int) -> Reason:
    limit = formats.duration(most)
    if has is None:
        return Reason(label, Verdict.UNKNOWN, f"at most {limit}, not observed yet")
    told = f"{formats.duration(has)} over {timed:,} answer{'' if timed == 1 else 's'}, at most {limit}"
    if timed < enough:
        return Reason(label, Verdict.UNKNOWN, f"{told}: too few to tell")
    return Reason(label, Verdict.MEETS if has <= most else Verdict.FAILS, told)


def _cost(most: Decimal, candidate: Candidate) -> Reason:
    label = "Cost of 1,000"
    limit = formats.money(most, candidate.currency)
    if candidate.cost is None:
        return Reason(label, Verdict.UNKNOWN, f"at most {limit}, no price")
    verdict = Verdict.MEETS if candidate.cost <= most else Verdict.FAILS
    return Reason(label, verdict, f"{formats.money(candidate.cost, candidate.currency)}, at most {limit}")


def _ability(label: str, has: bool | None) -> Reason:
    if has is None:
        return Reason(label, Verdict.UNKNOWN, "not known")
    return Reason(label, Verdict.MEETS, "yes") if has else Reason(label, Verdict.FAILS, "no")


def _listed(label: str, wanted: str, has: Sequence[str] | None) -> Reason:
    if has is None:
        return Reason(label, Verdict.UNKNOWN, "not known")
    if wanted in has:
        return Reason(label, Verdict.MEETS, "yes")
    return Reason(label, Verdict.FAILS, f"only {', '.join(has)}" if has else "no")
