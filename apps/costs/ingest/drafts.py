"""From what was reported to what could be booked: named, priced, with the id that a repeat has too."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from apps.accounts.models import ApiKey
from apps.core.errors import DomainError
from apps.costs import partitions
from apps.costs.amounts import UsageError
from apps.costs.ingest import items, reported
from apps.costs.ingest.items import Bad, Event, fitting
from apps.costs.ingest.names import Names
from apps.costs.ingest.price_book import Found, PriceBook
from apps.costs.ingest.refusals import Refused, shown
from apps.costs.ledger import NewCharge, meters_of
from apps.costs.ledger_ids import charge_id
from apps.costs.model_names import REPORTED
from apps.costs.models import Meter

MOST = Decimal(10) ** 8  # what the ledger's column holds
SENT_COST = "reported_cost"
OURS = frozenset({"gateway", "correction"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(NewCharge):
    """The charge of an answer that took several requests, with those of the others; all are booked together."""

    others: tuple[NewCharge, ...] = ()


def all_of(charges: Iterable[NewCharge]) -> list[NewCharge]:
    """Return these charges with those that are booked together with them."""
    return [one for charge in charges for one in (charge, *(charge.others if isinstance(charge, Answer) else ()))]


@dataclass(frozen=True)
class Sender:
    """Who sends: the workspace, what the source is called in the books, and what its charges say unless they say else."""

    workspace_id: int
    source: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_key(cls, key: ApiKey, source: str) -> "Sender":
        """Return the sender that an API key stands for, with the key's team."""
        values: dict[str, Any] = {"api_key_id": key.pk, "api_key_name": key.name}
        if key.team:
            values |= {"team_id": key.team.pk, "team_name": key.team.name}
        return cls(key.workspace_id, source, values)


def source_name(value: object) -> str:
    """Return the name of a source. Raises DomainError for one that is none or that the books use themselves."""
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > 40 or not name.isprintable():
        raise DomainError("Name the source of the charges (source): 1 to 40 characters, the same every time.")
    if name in OURS:
        raise DomainError(f"“{name}” is what the books call their own charges. Take another name for the source.")
    return name


@dataclass(frozen=True)
class _Desk:
    """What is looked up once for many items."""

    sender: Sender
    names: Names
    book: PriceBook
    floor: datetime
    is_meant: bool


def drafts(sender: Sender, raws: Sequence[object], now: datetime, *, is_meant: bool = False) -> list[NewCharge | Bad]:
    """Return for each item the charge that it makes, or why it makes none.

    With `is_meant` somebody of us has said that costs which look wrong are right.
    """
    read = [items.read(raw, now) for raw in raws]
    events = [single for found in read if isinstance(found, Event) for single in _singles(found)]
    names, book = Names(sender.workspace_id, events), PriceBook(sender.workspace_id, events)
    desk = _Desk(sender, names, book, partitions.floor(), is_meant)
    return [
        _draft(desk, raw, event) if isinstance(event, Event) else event for raw, event in zip(raws, read, strict=True)
    ]


def _draft(desk: _Desk, raw: object, event: Event) -> NewCharge | Bad:
    try:
        first, *others = [_charge(desk, single) for single in _singles(event)]
    except Refused as refused:
        return items.bad(cast(Mapping[str, Any], raw), refused)
    if not others:
        return first
    values = {known.name: getattr(first, known.name) for known in fields(NewCharge)}
    return Answer(**values, others=tuple(others))


def _singles(event: Event) -> list[Event]:
    """Return the requests of an answer as events of their own; the first keeps what is said of the whole."""
    if not event.used.parts or (event.trust_cost and event.cost is not None):
        return [event]  # a cost that was sent is that of the whole
    thought, found = event.used.reasoning, []
    for number, part in enumerate(event.used.parts):
        used = replace(event.used, meters=part.meters, parts=(), reasoning=min(thought, part.meters[Meter.OUTPUT]))
        thought -= used.reasoning
        single = replace(event, used=used, models=(part.model,) if part.model else event.models)
        if number:
            single = replace(single, source_id=fitting(f"{event.source_id}/{number}"), latency_ms=None, cost=None)
        found.append(single)
    return found


def _charge(desk: _Desk, event: Event) -> NewCharge:
    sender, names, book = desk.sender, desk.names, desk.book
    if event.at < desk.floor:
        raise Refused(
            "month-let-go", f"The charges of {event.at:%B %Y} were let go; nothing can be booked there again."
        )
    found = book.find(event)
    if not found.provider:
        raise Refused("no-provider", f"It does not say whose model {shown(event.models[0])} is.")
    tags = dict(event.tags)
    if found.model != event.models[0]:
        tags[REPORTED] = event.models[0]
    return NewCharge(
        id=charge_id(workspace_id=sender.workspace_id, source=sender.source, source_id=event.source_id, at=event.at),
        workspace_id=sender.workspace_id,
        provider=found.provider,
        model=found.model,
        purpose=event.purpose,
        tier=event.tier,
        region=event.region,
        reasoning_tokens=event.used.reasoning,
        customer=event.customer,
        environment=event.environment,
        latency_ms=event.latency_ms,
        failed=event.failed,
        source=sender.source,
        source_id=event.source_id,
        **_money(desk, event, found, tags),
        **meters_of(event.used.meters),
        **{**sender.values, **names.values(event)},
    )


def _money(desk: _Desk, event: Event, found: Found, tags: dict[str, str]) -> dict[str, Any]:
    """Price it from the workspace's own list; a cost that was sent counts only where the sender says so."""
    try:
        priced = desk.book.price(event, found)
    except UsageError as error:
        raise Refused("usage-contradicts-itself", error.message) from None
    if event.cost is not None and event.trust_cost:
        if not desk.is_meant:
            reported.check(event.cost, priced)
        return {"cost": event.cost, "tags": tags}
    if event.cost is not None:
        tags[SENT_COST] = format(event.cost, "f")
    if priced.cost is not None and priced.cost >= MOST:
        raise Refused("not-an-amount", f"It would cost {priced.cost:,.0f}; a single charge is below {MOST:,.0f}.")
    return {"cost": priced.cost, "price_ids": priced.price_ids, "estimated": bool(priced.doubt), "tags": tags}
