"""One charge as a program or a person reports it: read, checked, and cut down to what the books may hold."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.core import canonical
from apps.costs.ingest import usage
from apps.costs.ingest.refusals import Refused, shown
from apps.costs.models import Purpose

# What is kept of an item that cannot be booked. Everything else that was sent is dropped: it could be prompt text.
TEXTS = {
    "source_id": 200,
    "at": 40,
    "provider": 40,
    "model": 120,
    "requested_model": 120,
    "dialect": 20,
    "tier": 20,
    "region": 20,
    "purpose": 12,
    "environment": 40,
    "team": 80,
    "customer": 120,
    "user": 120,
    "prompt": 255,
    "cost": 40,
}
NUMBERS = ("team", "prompt", "version", "cost", "latency_ms", "total_tokens", "reasoning_tokens")
FLAGS = ("failed", "trust_cost")
COUNTS = ("meters", "usage")
FIELDS = frozenset({*TEXTS, *NUMBERS, *FLAGS, *COUNTS, "tags"})
# The words of the usage objects that hold no number.
USAGE_WORDS = ("service_tier", "inference_geo", "speed")
ITERATIONS, MOST_ITERATIONS = "iterations", 200
COUNT_NAME, MOST_COUNTS = re.compile(r"\w{1,60}"), 40
PLAIN_NAME = re.compile(r"[\w.,:/@+-]*|[\d .:/TZ+-]{1,40}")
# Names that people gave and that may have spaces.
SPOKEN = frozenset({"source_id", "environment", "team", "customer", "user"})
PURPOSES = {purpose.value: purpose for purpose in Purpose}
MOST_TAGS, TAG_NAME, TAG_VALUE = 20, 40, 120
LONGEST_ID = 200
EARLIEST, LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=10)
DEAREST = Decimal(10) ** 6
LONGEST = 10**9
NO_TEXT = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One charge that was reported, well formed. What it says of people and prompts is not looked up yet."""

    source_id: str
    at: datetime
    provider: str
    models: tuple[str, ...]
    used: usage.Used
    tier: str
    region: str
    purpose: Purpose
    environment: str
    team: str | int
    customer: str
    user: str
    prompt: str | int
    version: int | None
    tags: dict[str, str]
    cost: Decimal | None
    trust_cost: bool
    latency_ms: int | None
    failed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Bad:
    """One that cannot be booked: why, and what is left of it."""

    source_id: str
    reason: str
    message: str
    payload: dict[str, Any] = field(default_factory=dict)
    at: datetime | None = None


def read(raw: object, now: datetime) -> Event | Bad:
    """Return the event that an item tells of, or why it is none."""
    if not isinstance(raw, Mapping):
        return Bad(source_id=key_of(repr(raw)), reason="not-an-object", message="The item is not an object.")
    try:
        return _event(raw, now)
    except Refused as refused:
        return bad(raw, refused)


def bad(raw: Mapping[str, Any], refused: Refused) -> Bad:
    """Return an item that cannot be booked, with what may be kept of it. Without an id of its own it is known by that."""
    payload = kept(raw)
    source_id = raw.get("source_id")
    if not isinstance(source_id, str) or not source_id:
        source_id = f"?{key_of(canonical.dumps(payload))}"
    try:
        at = _moment(raw.get("at"))
    except Refused:
        at = None
    # What no clock of any zone could show helps nobody who mends it.
    if at is not None and not EARLIEST <= at <= LATEST:
        at = None
    return Bad(source_id=fitting(source_id), reason=refused.code, message=refused.message, payload=payload, at=at)


def kept(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be kept of an item: our own fields where they are what they should be, counts as numbers.

    A text that is longer than such a name can be is dropped, not cut: it is something else.
    """
    found: dict[str, Any] = {}
    for name in FIELDS & raw.keys():
        value = _kept(name, raw[name])
        if value is not None:
            found[name] = value
    return found


def _kept(name: str, value: object) -> Any:
    if name in COUNTS:
        return _counts(value)
    if name == "tags":
        return _kept_tags(value)
    if isinstance(value, bool):
        return value if name in FLAGS else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | Decimal) and name in NUMBERS:
        return value if isinstance(value, int) and abs(value) < 2**63 else str(value)[:40]
    if not isinstance(value, str) or len(value) > TEXTS.get(name, 0):
        return None
    if name not in SPOKEN and not is_plain_name(value):
        return None
    return _plain(value, TEXTS[name])


def is_plain_name(value: str) -> bool:
    """Tell whether it could be nothing but a name: a text of a prompt has spaces."""
    return PLAIN_NAME.fullmatch(value) is not None


def _counts(value: object) -> Any:
    """Return the numbers of a usage object and of the objects in it, and the few words that decide a price."""
    if not isinstance(value, Mapping):
        return None
    found: dict[str, Any] = {}
    for name, part in _named(value):
        if name == ITERATIONS and isinstance(part, list):
            found[name] = [_counts_of_one(one) for one in part[:MOST_ITERATIONS]]
        elif isinstance(part, Mapping):
            found[name] = _wholes(part)
            found[name] |= {inner: _wholes(more) for inner, more in _named(part) if isinstance(more, Mapping)}
        elif _is_whole(part):
            found[name] = part
        elif isinstance(part, str) and name in USAGE_WORDS and len(part) <= 20:
            found[name] = _plain(part, 20)
        elif isinstance(part, Decimal):
            found[name] = str(part)[:40]
    return found


def _wholes(value: Mapping[str, Any]) -> dict[str, int]:
    return {name: number for name, number in _named(value) if _is_whole(number)}


def _counts_of_one(value: object) -> dict[str, Any]:
    """Return the numbers of one request among several, with its kind and its model."""
    if not isinstance(value, Mapping):
        return {}
    words = {
        n: v for n in ("type", "model") if isinstance(v := value.get(n), str) and len(v) <= 120 and is_plain_name(v)
    }
    return {**(_counts({name: part for name, part in value.items() if name != ITERATIONS}) or {}), **words}


def _named(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, part) for name, part in list(value.items())[:MOST_COUNTS] if COUNT_NAME.fullmatch(str(name))]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _kept_tags(value: object) -> dict[str, str] | None:
    try:
        return _tags(value)
    except Refused:
        return None


def key_of(words: str) -> str:
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def fitting(source_id: str) -> str:
    """Return the id as the books can hold it; one that is too long for an id may be a text, and only its hash is kept."""
    if len(source_id) > LONGEST_ID:
        return f"#{key_of(source_id)}"
    cleaned = _plain(source_id, len(source_id))
    return source_id if cleaned == source_id else f"{cleaned[: LONGEST_ID - 65]}#{key_of(source_id)}"


def _event(raw: Mapping[str, Any], now: datetime) -> Event:
    used = _used(raw)
    return Event(
        source_id=_source_id(raw),
        at=_at(raw, now),
        provider=_text(raw, "provider").lower(),
        models=_models(raw),
        used=used,
        tier=_text(raw, "tier") or used.tier,
        region=_text(raw, "region") or used.region,
        purpose=_purpose(raw),
        environment=_text(raw, "environment"),
        team=_name_or_id(raw, "team"),
        customer=_text(raw, "customer"),
        user=_text(raw, "user"),
        prompt=_name_or_id(raw, "prompt"),
        version=_whole(raw, "version", 2**31 - 1),
        tags=_tags(raw.get("tags")),
        cost=_cost(raw.get("cost")),
        trust_cost=_flag(raw, "trust_cost"),
        latency_ms=_whole(raw, "latency_ms", LONGEST),
        failed=_flag(raw, "failed"),
    )


def _source_id(raw: Mapping[str, Any]) -> str:
    value = raw.get("source_id")
    if not isinstance(value, str) or not value.strip():
        raise Refused("no-source-id", "It has no source_id, so a repeat of it could not be told from another charge.")
    return fitting(value)


def _at(raw: Mapping[str, Any], now: datetime) -> datetime:
    at = _moment(raw.get("at"))
    if at is None:
        raise Refused("no-time", "It does not say when the call was (at).")
    if at > now + AHEAD:
        raise Refused("in-the-future", f"It says {at:%Y-%m-%d %H:%M} UTC, which is yet to come.")
    if at < EARLIEST:
        raise Refused("too-old", f"It says {at:%Y-%m-%d}, before any price that we know.")
    return at


def _moment(value: object) -> datetime | None:
    if value is None or value == NO_TEXT:
        return None
    if isinstance(value, datetime):
        return value
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
    except ValueError:
        at = None
    if at is None:
        raise Refused("time-unreadable", f"{shown(value)} is no time like 2026-11-20T12:00:00Z.")
    if at.tzinfo is None:
        raise Refused("time-without-zone", f"{shown(value)} does not say in which time zone; end it with Z or +01:00.")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Refused("time-unreadable", f"{shown(value)} is no time that a clock could show.") from None


def _models(raw: Mapping[str, Any]) -> tuple[str, ...]:
    names = [_text(raw, name) for name in ("model", "requested_model")]
    found = tuple(dict.fromkeys(name for name in names if name))
    if not found:
        raise Refused("no-model", "It does not say which model answered.")
    return found


def _used(raw: Mapping[str, Any]) -> usage.Used:
    dialect = _text(raw, "dialect")
    if dialect or raw.get("usage") is not None:
        if not dialect:
            raise Refused("unknown-dialect", f"A usage object needs its dialect: {', '.join(usage.DIALECTS)}.")
        return usage.with_fees(usage.of_dialect(dialect, raw.get("usage")), raw.get("meters"))
    if not raw.get("meters") and raw.get("trust_cost") is True and raw.get("cost") is not None:
        return usage.Used({})  # what is billed by other things than tokens
    return usage.of_meters(raw.get("meters"), total=raw.get("total_tokens"), reasoning=raw.get("reasoning_tokens"))


def _purpose(raw: Mapping[str, Any]) -> Purpose:
    value = _text(raw, "purpose")
    if value and value not in PURPOSES:
        raise Refused("unknown-purpose", f"{shown(value)} is none of {', '.join(PURPOSES)}.")
    return PURPOSES[value] if value else Purpose.PRODUCTION


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        return NO_TEXT
    if not isinstance(value, str):
        raise Refused("not-text", f"{name} is {shown(value)}, not a text.")
    value = value.strip()
    if len(value) > TEXTS[name]:
        raise Refused("too-long", f"{name} has {len(value)} characters; at most {TEXTS[name]} fit.")
    return value if value.isascii() and "\x00" not in value else _plain(value, len(value))


def _plain(value: str, size: int) -> str:
    """Return a text as the database takes it: no null bytes, no halves of characters."""
    return value.encode("utf-8", "replace").decode().replace("\x00", "")[:size]


def _name_or_id(raw: Mapping[str, Any], name: str) -> str | int:
    value = raw.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63:
        return value
    return _text(raw, name)


def _whole(raw: Mapping[str, Any], name: str, most: int) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Refused("not-a-count", f"{name} is {shown(value)}, not a whole number from 0 to {most:,}.")
    return value


def _flag(raw: Mapping[str, Any], name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise Refused("not-a-flag", f"{name} is {shown(value)}, neither true nor false.")
    return value


def _cost(value: object) -> Decimal | None:
    if value is None or value == NO_TEXT:
        return None
    try:
        cost = Decimal(value) if isinstance(value, str | int) and not isinstance(value, bool) else value
    except InvalidOperation:
        cost = None
    if not isinstance(cost, Decimal) or not cost.is_finite() or not 0 <= cost <= DEAREST:
        raise Refused("not-an-amount", f"cost is {shown(value)}, not an amount from 0 to {DEAREST:,}.")
    if cost != round(cost, 12):
        raise Refused("not-an-amount", f"cost is {shown(value)}; the books hold 12 decimals.")
    return cost


def _tags(value: object) -> dict[str, str]:
    if not value:
        return {}
    if not isinstance(value, Mapping) or len(value) > MOST_TAGS:
        raise Refused("tags", f"tags are an object of at most {MOST_TAGS} texts.")
    return {_tag(name, TAG_NAME): _tag(text, TAG_VALUE) for name, text in value.items()}


def _tag(value: object, size: int) -> str:
    text = str(value) if isinstance(value, int) else value
    if not isinstance(text, str) or len(text) > size:
        raise Refused("tags", f"A tag's name has at most {TAG_NAME} characters, its text {TAG_VALUE}.")
    return text if text.isascii() and "\x00" not in text else _plain(text, size)
