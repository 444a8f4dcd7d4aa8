"""The only hand that writes charges. One statement books a batch: rows, day and month sums, and newest names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, transaction

from apps.core.ids import time_of
from apps.costs import partitions
from apps.costs.ledger_sql import COLUMNS, DAY_KEY, MONTH_KEY, RECORD, add_sums
from apps.costs.models import Charge, Purpose

BATCH = 1_000
FEW = 10
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
    )
}


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
    connection_id: int | None = None
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
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

    @property
    def at(self) -> datetime:
        return time_of(self.id)

    @property
    def unpriced(self) -> bool:
        return self.cost is None


def record(charges: Sequence[NewCharge]) -> int:
    """Book the charges inside the caller's transaction and return how many were new; a known id changes nothing.

    Charges are sorted by id and sums by key, so writers that meet on rows wait for each other and never deadlock.
    Raises DataError or IntegrityError for a charge that the books refuse (a negative meter, money as a float).
    """
    booked = 0
    ordered = sorted(charges, key=lambda charge: charge.id)
    for first in range(0, len(ordered), BATCH):
        booked += _record_batch(ordered[first : first + BATCH])
    return booked


def _record_batch(charges: Sequence[NewCharge]) -> int:
    partitions.ensure(charges[0].at, charges[-1].at)
    connection.ensure_connection()
    # Django's cursor would write the values into the text. One call's charge may use a plan made before (where the
    # connection's prepare_threshold allows it); a large batch is faster with a plan of its own.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(RECORD, [_column(name, charges) for name in COLUMNS], prepare=len(charges) <= FEW)
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _column(name: str, charges: Sequence[NewCharge]) -> str:
    """Return one column as the text of an array: for many rows that is several times faster than a list."""
    values = [getattr(charge, name) for charge in charges]
    if name in TEXTS:
        return _array([_quoted(_text(value, TEXTS[name])) for value in values])
    if name == "cost":
        return _array([_money(value) for value in values])
    if name == "price_ids":
        return _array(['"{' + ",".join(map(str, value)) + '}"' for value in values])
    return _array(values)


def _array(values: Sequence[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


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


@transaction.atomic
def rebuild_sums(*, workspace_id: int) -> None:
    """Write a workspace's day and month sums anew from its charges; whoever books meanwhile waits."""
    with connection.cursor() as cursor:
        # The lock comes before the first reading, so that what is booked before it is seen and what comes after adds.
        cursor.execute("LOCK TABLE costs_spendday, costs_spendmonth IN SHARE ROW EXCLUSIVE MODE")
        for table, key in (("costs_spendday", DAY_KEY), ("costs_spendmonth", MONTH_KEY)):
            cursor.execute(f"DELETE FROM {table} WHERE workspace_id = %s", [workspace_id])  # noqa: S608  two constants
            cursor.execute(add_sums(table, key, "(SELECT * FROM costs_charge WHERE workspace_id = %s)"), [workspace_id])
