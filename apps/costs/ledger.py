"""The only hand that writes charges. One statement books a batch: rows, day and month sums, and newest names."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from apps.core.ids import time_of
from apps.costs import partitions
from apps.costs.ledger_sql import COLUMNS, RECORD
from apps.costs.models import CHARGE_COLUMNS, Charge, Meter, Purpose

BATCH = 1_000
FEW = 10
ZERO = Decimal(0)
TEXTS: dict[str, int] = {
    name: getattr(Charge._meta.get_field(name), "max_length", 0)
    for name in (
        "provider",
        "model",
        "team_name",
        "api_key_name",
        "user_name",
        "customer",
        "prompt_name",
        "environment",
        "tier",
        "region",
        "source",
        "source_id",
    )
}
FACTS = frozenset(name for name, kind in COLUMNS.items() if kind == "jsonb")


@dataclass(frozen=True, kw_only=True, slots=True)
class NewCharge:
    """One attempt to book. Its moment is the one in `id` (UUIDv7); no `cost` means that nothing could price it."""

    id: UUID
    workspace_id: int
    provider: str
    model: str
    purpose: Purpose
    cost: Decimal | None
    price_ids: Sequence[int] = ()
    estimated: bool = False
    counted_here: bool = False
    connection_id: int | None = None
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    web_searches: int = 0
    other_meters: Mapping[str, int] = field(default_factory=dict)
    saved: Decimal = ZERO
    calls: int = 1
    tier: str = ""
    region: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    team_id: int | None = None
    team_name: str = ""
    api_key_id: int | None = None
    api_key_name: str = ""
    user_id: int | None = None
    user_name: str = ""
    customer: str = ""
    prompt_id: int | None = None
    prompt_name: str = ""
    version_id: int | None = None
    version_number: int | None = None
    environment: str = ""
    latency_ms: int | None = None
    failed: bool = False
    source: str = "gateway"
    source_id: str = ""
    corrects: UUID | None = None
    reservation_id: UUID | None = None

    @property
    def at(self) -> datetime:
        return time_of(self.id)

    @property
    def unpriced(self) -> bool:
        return self.cost is None


def meters_of(counts: Mapping[Meter, int]) -> dict[str, Any]:
    """Return the values of a new charge that hold these meters."""
    values: dict[str, Any] = {CHARGE_COLUMNS[meter]: n for meter, n in counts.items() if meter in CHARGE_COLUMNS}
    rare = {meter.value: n for meter, n in counts.items() if n and meter not in CHARGE_COLUMNS}
    return {**values, "other_meters": rare} if rare else values


def record(charges: Sequence[NewCharge]) -> int:
    """Book the charges inside the caller's transaction and return how many were new; a known id changes nothing.

    Charges are sorted by id and sums by key, so writers that meet on rows wait for each other and never deadlock:
    up to BATCH charges, that is, or outside a transaction, where each batch is one of its own.
    Raises DataError or IntegrityError for a charge that the books refuse (a negative meter, money as a float), and
    partitions.MonthLetGo for one of a month whose charges are gone.
    """
    booked = 0
    ordered = sorted(charges, key=lambda charge: charge.id)
    for first in range(0, len(ordered), BATCH):
        booked += _record_batch(ordered[first : first + BATCH])
    return booked


def values_of(charges: Sequence[NewCharge]) -> list[str]:
    """Return what the ledger's statement takes: an array for each column, as text."""
    return [_column(name, charges) for name in COLUMNS]


def _record_batch(charges: Sequence[NewCharge]) -> int:
    partitions.ensure(charges[0].at, charges[-1].at)
    connection.ensure_connection()
    # Django's cursor would write the values into the text. One call's charge may use a plan made before (where the
    # connection's prepare_threshold allows it); a large batch is faster with a plan of its own.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        try:
            cursor.execute(RECORD, values_of(charges), prepare=len(charges) <= FEW)
        except psycopg.errors.CheckViolation:
            partitions.forget()  # the month may have been let go since we saw it; the next attempt says so
            raise
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _column(name: str, charges: Sequence[NewCharge]) -> str:
    """Return one column as the text of an array: for many rows that is several times faster than a list."""
    values = [getattr(charge, name) for charge in charges]
    if name in FACTS:
        return _array([_facts(value) for value in values]) if any(values) else _array(['"{}"'] * len(values))
    if name == "price_ids":
        return _each(map(tuple, values), lambda ids: '"{' + ",".join(map(str, ids)) + '}"')
    if name in TEXTS:
        return _each(values, lambda value: _quoted(_text(value, TEXTS[name])))
    if name in ("cost", "saved"):
        return _array([_money(value) for value in values])
    return _array(values)


def _each(values: Iterable[Any], written: Callable[[Any], str]) -> str:
    """Return the array of values of which many are alike."""
    known: dict[Any, str] = {}
    return _array([known.get(value) or known.setdefault(value, written(value)) for value in values])


def _array(values: Sequence[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _facts(facts: Mapping[str, Any]) -> str:
    if not facts:
        return '"{}"'
    # Escaped to ASCII, where a lone surrogate or NUL is still six letters that jsonb would refuse.
    return _quoted(json.dumps({_plain(name): _plain(value) for name, value in facts.items()}))


def _plain(value: Any) -> Any:
    return _text(value, len(value)) if isinstance(value, str) else value


def _money(cost: Decimal | None) -> Decimal | None:
    """Refuse a float: it has already lost what the books must hold."""
    if cost is not None and not isinstance(cost, Decimal):
        raise TypeError(f"Money is Decimal, not {type(cost).__name__}.")
    return cost


def _text(value: str, size: int) -> str:
    """Cut a name to what the column holds and drop what no column can: a name must never lose us a charge."""
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return value.replace("\x00", "")[:size]
