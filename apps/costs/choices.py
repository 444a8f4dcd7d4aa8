"""What the list of charges may be narrowed to: the values that the books saw in its days, the dearest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from apps.costs import spend
from apps.costs.spend import AXES

MOST = 100
# Versions and customers may be very many: their pages and tables lead to their charges.
OFFERED = ("team", "prompt", "model", "provider", "environment", "key", "user")
_SEEN = """
SELECT axis, parent, value FROM (
    SELECT axis, parent, value, row_number() OVER (PARTITION BY axis ORDER BY sum(cost) DESC, value, parent) AS n
    FROM costs_spendaxis WHERE workspace_id = %s AND axis = ANY(%s) AND day BETWEEN %s AND %s GROUP BY axis, parent, value
) seen WHERE n <= %s ORDER BY axis, n
"""


@dataclass(frozen=True)
class Menu:
    """What one column of a charge may be: each option with its words and whether it is chosen."""

    name: str
    label: str
    options: list[tuple[str, str, bool]]


def menus(
    workspace_id: int, first: date, last: date, chosen: Mapping[str, Any], words: Mapping[str, str]
) -> list[Menu]:
    """Return a menu for each dimension; what is chosen already is an option even where the days saw nothing of it."""
    seen = _seen(workspace_id, first, last)
    return [_menu(AXES[name].columns[-1], AXES[name].label, seen, chosen, words) for name in OFFERED]


def _menu(
    column: str, label: str, seen: dict[str, dict[str, str]], chosen: Mapping[str, Any], words: Mapping[str, str]
) -> Menu:
    options, value = seen[column], str(chosen.get(column, ""))
    if value and value not in options:
        options[value] = words[column]
    return Menu(column, label, [(key, text, key == value) for key, text in options.items()])


def _seen(workspace_id: int, first: date, last: date) -> dict[str, dict[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, [workspace_id, list(OFFERED), first, last, MOST])
        rows = cursor.fetchall()
    kinds = [axis.kind for axis in AXES.values() if axis.kind]
    ids = {int(value) for axis, _, value in rows if AXES[axis].kind}
    known = spend.names(workspace_id, kinds, ids) if ids else {}
    found: dict[str, dict[str, str]] = {AXES[name].columns[-1]: {} for name in OFFERED}
    for name, _, value in rows:
        axis = AXES[name]
        text = known.get((str(axis.kind), int(value)), f"number {value}") if axis.kind else value
        found[axis.columns[-1]][value or "-"] = axis.nobody if value in ("", "0") else text
    return found
