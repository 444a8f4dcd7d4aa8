"""Price lists that people upload: CSV or JSON from anywhere, read strictly, every fault named with its line."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from apps.core import text
from apps.core.errors import DomainError
from apps.costs import price_entry, price_units
from apps.costs.models import Meter, Price, Tier

MOST_BYTES = text.MEGABYTE
MOST_LINES = 2_000
SHOWN_FAULTS = 10
LONGEST_CELL = 300
COLUMNS = ("provider", "model", "meter", "price", "tier", "region", "connection", "above_input_tokens")
NEEDED = COLUMNS[:4]
AMOUNT = re.compile(r"\d{1,10}(\.\d{1,12})?", re.ASCII)
METERS = {
    **{meter.value: meter for meter in Meter},
    **{str(meter.label): meter for meter in Meter},
}
Row = Mapping[str, Any]


class UploadRefused(DomainError):
    """The file is no price list that can be read; the message names its first faults."""

    code = "price-list-unreadable"


def read(content: str) -> list[Price]:
    """Return the prices of an uploaded list, without workspace, time or source. Raises UploadRefused.

    A JSON array of objects, or CSV whose first line names the columns. `price` is per million tokens, of tools per
    thousand uses.
    """
    cleaned = text.clean(content.removeprefix("\ufeff"), field="The price list", max_bytes=MOST_BYTES)
    rows = _json_rows(cleaned) if cleaned.lstrip().startswith(("[", "{")) else _csv_rows(cleaned)
    prices: dict[tuple[Any, ...], tuple[int, Price]] = {}
    faults: list[str] = []
    for number, row in rows:
        if len(prices) + len(faults) >= MOST_LINES:
            raise UploadRefused(f"A list has at most {MOST_LINES:,} prices. Split it.")
        try:
            price = _price(row)
        except DomainError as error:
            faults.append(f"Line {number}: {error.message}")
            continue
        before = prices.setdefault(price_entry.key_of(price), (number, price))
        if before[1] is not price:
            faults.append(f"Line {number}: line {before[0]} has a price for the same already.")
    if faults:
        more = f" And {len(faults) - SHOWN_FAULTS} more." if len(faults) > SHOWN_FAULTS else ""
        raise UploadRefused(" ".join(faults[:SHOWN_FAULTS]) + more)
    if not prices:
        raise UploadRefused("There is no price in it.")
    return [price for _, price in prices.values()]


def _csv_rows(content: str) -> Iterator[tuple[int, Row]]:
    first = content.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    try:
        reader = csv.reader(io.StringIO(content), delimiter=delimiter, strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _row(header, cells, reader.line_num)
    except csv.Error as error:
        raise UploadRefused(f"This is not CSV that can be read: {error}.") from error


def _check_header(header: list[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    unknown = [name[:40] for name in header if name not in COLUMNS]
    if missing:
        raise UploadRefused(f"The first line must name the columns; {', '.join(missing)} is missing.")
    if unknown or len(set(header)) != len(header):
        raise UploadRefused(f"The columns are {', '.join(COLUMNS)}, each once. Not: {', '.join(unknown) or 'twice'}.")


def _row(header: list[str], cells: list[str], number: int) -> Row:
    if len(cells) != len(header):
        raise UploadRefused(f"Line {number} has {len(cells)} cells where the first line names {len(header)}.")
    return dict(zip(header, cells, strict=True))


def _json_rows(content: str) -> Iterable[tuple[int, Row]]:
    try:
        found = json.loads(content, parse_float=_unread, parse_int=_unread, parse_constant=_unread)
    except (ValueError, RecursionError) as error:
        raise UploadRefused("This begins like JSON and is none that can be read.") from error
    rows = found.get("prices") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UploadRefused('JSON is an array of objects, or an object whose "prices" is one.')
    for row in rows:
        unknown = [str(name)[:40] for name in row if name not in COLUMNS]
        if unknown:
            raise UploadRefused(f"The names are {', '.join(COLUMNS)}. Not: {', '.join(unknown[:5])}.")
    return enumerate(rows, start=1)


def _unread(number: str) -> str:
    """Keep a number as it is written: a float would lose digits."""
    return number


def _price(row: Row) -> Price:
    values = {name: _cell(row, name) for name in COLUMNS}
    meter = METERS.get(values["meter"].lower())
    if meter is None:
        raise UploadRefused(f"“{values['meter'][:40]}” is nothing that is counted.")
    tier = values["tier"].lower() or Tier.STANDARD
    if tier not in Tier.values:
        raise UploadRefused(f"“{tier[:40]}” is no tier; there are {', '.join(Tier.values)}.")
    region = values["region"].lower()
    if len(region) > 20:
        raise UploadRefused("A region has at most 20 characters.")
    return Price(
        provider=price_entry.name(values["provider"], "The provider", 40),
        model=price_entry.name(values["model"], "The model", 120),
        meter=meter,
        tier=Tier(tier),
        region=region,
        connection_id=_number(values["connection"], "The connection") or None,
        above_input_tokens=_number(values["above_input_tokens"], "The length") or 0,
        unit_price=_amount(values["price"], meter),
    )


def _cell(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_CELL:
        raise UploadRefused(f"{name} is not a short text or number.")
    return text.clean(value, field=name).strip()


def _number(value: str, field: str) -> int | None:
    found = text.whole_number(value) if value else None
    if value and found is None:
        raise UploadRefused(f"{field} is a whole number, not “{value[:40]}”.")
    return found


def _amount(value: str, meter: Meter) -> Decimal:
    if not AMOUNT.fullmatch(value):
        raise UploadRefused(f"“{value[:40]}” is no price: write digits, with a point before decimals.")
    return price_entry.exact(Decimal(value) / price_units.units_of(meter))
