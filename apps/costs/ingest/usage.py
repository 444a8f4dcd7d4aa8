"""What a call used, read from a provider's own words into disjoint meters. Nothing is guessed, sums must agree."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.costs.amounts import UsageError, split_inclusive
from apps.costs.ingest.iterations import Part, parts_of
from apps.costs.ingest.refusals import Refused, shown
from apps.costs.models import Meter

MOST = 10**12
METERS = {meter.value: meter for meter in Meter}
Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Used:
    """Disjoint meters, and the terms that a usage object may name."""

    meters: dict[Meter, int]
    reasoning: int = 0
    tier: str = ""
    region: str = ""
    # The single requests of the answer where there were several; together they are billed in place of the whole.
    parts: tuple[Part, ...] = ()


def of_dialect(dialect: str, given: object) -> Used:
    """Return what a provider's usage object says.

    Raises Refused for a dialect that we do not know, a count that is none, and sums that do not agree.
    """
    reader = DIALECTS.get(dialect)
    if reader is None:
        raise Refused("unknown-dialect", f"{shown(dialect)} is none of {', '.join(DIALECTS)}.")
    if not isinstance(given, Mapping):
        raise Refused("no-usage", "The usage is not an object.")
    try:
        return reader(given)
    except UsageError as error:
        raise Refused("usage-contradicts-itself", error.message) from None


def of_meters(given: object, *, total: object = None, reasoning: object = None) -> Used:
    """Return meters that were sent as ours: disjoint, by their names. Raises Refused as `of_dialect` does."""
    if not isinstance(given, Mapping) or not given:
        raise Refused("no-usage", "Neither meters nor a usage object with its dialect was sent.")
    meters = {}
    for name, value in given.items():
        if name not in METERS:
            raise Refused("unknown-meter", f"{shown(name)} is none of {', '.join(METERS)}.")
        meters[METERS[name]] = count(value, name)
    _check_total(meters, total)
    return Used(meters, _part(reasoning, meters))


def with_fees(used: Used, given: object) -> Used:
    """Return what a usage object says with the uses of tools that stand beside it, since providers leave them out.

    Raises Refused for tokens beside a usage object: then two counts of the same would be there.
    """
    if not given:
        return used
    if not isinstance(given, Mapping) or any(name not in METERS or not METERS[name].is_fee for name in given):
        raise Refused("counted-twice", "Beside a usage object, meters may count uses of tools alone.")
    fees = {METERS[name]: count(value, name) for name, value in given.items()}
    if doubled := next((meter for meter in fees if used.meters.get(meter)), None):
        raise Refused("counted-twice", f"Both the usage object and the meters count {doubled.label}.")
    if not used.parts:
        return replace(used, meters={**used.meters, **fees})
    first, *others = used.parts
    return replace(used, parts=(replace(first, meters={**first.meters, **fees}), *others))


def count(value: object, name: str) -> int:
    """Return a count; none is 0. Raises Refused for what is no whole number from 0 to 10^12."""
    if type(value) is int and 0 <= value <= MOST:
        return value
    if value is not None:
        raise Refused("not-a-count", f"{name} is {shown(value)}, not a whole number from 0 to {MOST:,}.")
    return 0


def _openai(given: Given) -> Used:
    """Read chat completions, embeddings and responses: the whole includes what was cached, written, heard."""
    names = ("input", "output") if "input_tokens" in given else ("prompt", "completion")
    inside, outside = (_inside(given, f"{n}_tokens_details") or _inside(given, f"{n}_token_details") for n in names)
    again = _inside(inside, "cached_tokens_details")
    if given.get(f"{names[0]}_tokens") is None:
        raise Refused("no-usage", "The usage says nothing of input tokens.")
    prompt = count(given.get(f"{names[0]}_tokens"), f"{names[0]}_tokens")
    output = count(given.get(f"{names[1]}_tokens"), f"{names[1]}_tokens")
    _same(given.get("total_tokens"), prompt + output)
    meters = split_inclusive(
        prompt=prompt,
        output=output,
        cached=count(inside.get("cached_tokens"), "cached_tokens"),
        cache_write=count(inside.get("cache_write_tokens"), "cache_write_tokens"),
        audio_input=count(inside.get("audio_tokens"), "audio_tokens"),
        audio_output=count(outside.get("audio_tokens"), "audio_tokens"),
        audio_cached=count(again.get("audio_tokens"), "cached audio_tokens"),
        image_input=count(inside.get("image_tokens"), "image_tokens"),
        image_cached=count(again.get("image_tokens"), "cached image_tokens"),
        image_output=count(outside.get("image_tokens"), "image_tokens"),
    )
    return Used(meters, _part(outside.get("reasoning_tokens"), meters), tier=_word(given.get("service_tier")))


def _anthropic(given: Given) -> Used:
    """Read messages: the input leaves out what the cache gave and took."""
    meters = _anthropic_meters(given)
    thought = _inside(given, "output_tokens_details").get("thinking_tokens")
    tier = "fast" if given.get("speed") == "fast" else _word(given.get("service_tier"))
    parts = parts_of(given.get("iterations"), meters, _anthropic_meters)
    region = _word(given.get("inference_geo"))
    return Used(meters, _part(thought, meters), tier=tier, region=region, parts=parts)


def _anthropic_meters(given: Given) -> dict[Meter, int]:
    if given.get("input_tokens") is None:
        raise Refused("no-usage", "The usage says nothing of input tokens.")
    written = count(given.get("cache_creation_input_tokens"), "cache_creation_input_tokens")
    split = _inside(given, "cache_creation")
    hour = count(split.get("ephemeral_1h_input_tokens"), "ephemeral_1h_input_tokens")
    if split:
        _same(written, hour + count(split.get("ephemeral_5m_input_tokens"), "ephemeral_5m_input_tokens"))
    tools = _inside(given, "server_tool_use")
    return {
        Meter.INPUT: count(given["input_tokens"], "input_tokens"),
        Meter.CACHE_READ: count(given.get("cache_read_input_tokens"), "cache_read_input_tokens"),
        Meter.CACHE_WRITE: written - hour,
        Meter.CACHE_WRITE_1H: hour,
        Meter.OUTPUT: count(given.get("output_tokens"), "output_tokens"),
        Meter.WEB_SEARCH: count(tools.get("web_search_requests"), "web_search_requests"),
    }


def _telemetry(given: Given) -> Used:
    """Read counts of a span. The conventions say that input includes the cache; what cannot be so is read otherwise.

    A total decides where there is one. Without it, a cache that is larger than the input lies outside of it.
    """
    read = {name: count(given.get(name), name) for name in TELEMETRY}
    parts = read["cache_read"] + read["cache_write"]
    prompt, output = read["input"], read["output"]
    total = given.get("total")
    apart = parts > prompt if total is None else parts > 0 and total == prompt + parts + output
    if apart:
        prompt += parts
    _same(total, prompt + output)
    meters = split_inclusive(
        prompt=prompt,
        output=output,
        cached=read["cache_read"],
        cache_write=read["cache_write"],
        audio_input=read["audio_input"],
        audio_output=read["audio_output"],
    )
    return Used(meters, _part(read["reasoning"], meters))


TELEMETRY = ("input", "output", "cache_read", "cache_write", "audio_input", "audio_output", "reasoning")
DIALECTS: dict[str, Callable[[Given], Used]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "opentelemetry": _telemetry,
}


def _inside(given: Given, name: str) -> Given:
    found = given.get(name)
    return found if isinstance(found, Mapping) else {}


def _word(value: object) -> str:
    return value[:20] if isinstance(value, str) else ""


def _part(given: object, meters: Mapping[Meter, int]) -> int:
    """Return the reasoning tokens: a part of the output, never more than it."""
    reasoning = count(given, "reasoning tokens")
    output = meters.get(Meter.OUTPUT, 0)
    if reasoning > output:
        raise Refused("usage-contradicts-itself", f"Of {output} output tokens {reasoning} are said to be reasoning.")
    return reasoning


def _check_total(meters: Mapping[Meter, int], total: object) -> None:
    _same(total, sum(number for meter, number in meters.items() if not meter.is_fee))


def _same(said: object, summed: int) -> None:
    if said is not None and count(said, "the total") != summed:
        raise Refused(
            "sum-differs", f"The tokens add up to {summed:,}, the provider's own sum is {count(said, 'the total'):,}."
        )
