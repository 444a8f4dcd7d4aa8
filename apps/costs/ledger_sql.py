"""The ledger's statements, put together once from constants; no value from outside is ever part of their text."""

from collections.abc import Collection, Iterable

from apps.costs.models import Meter

# What arrives, one array for each column, and the type of its elements.
COLUMNS = {
    "id": "uuid",
    "workspace_id": "bigint",
    "at": "timestamptz",
    "provider": "text",
    "model": "text",
    "connection_id": "bigint",
    "tier": "text",
    "region": "text",
    "calls": "smallint",
    "input_tokens": "bigint",
    "cache_read_tokens": "bigint",
    "cache_write_tokens": "bigint",
    "cache_write_1h_tokens": "bigint",
    "output_tokens": "bigint",
    "reasoning_tokens": "bigint",
    "audio_input_tokens": "bigint",
    "audio_output_tokens": "bigint",
    "web_searches": "bigint",
    "other_meters": "jsonb",
    "cost": "numeric",
    "saved": "numeric",
    "price_ids": "text",  # an array inside an array would lose its shape
    "estimated": "boolean",
    "counted_here": "boolean",
    "purpose": "text",
    "team_id": "bigint",
    "team_name": "text",
    "api_key_id": "bigint",
    "api_key_name": "text",
    "user_id": "bigint",
    "user_name": "text",
    "customer": "text",
    "prompt_id": "bigint",
    "prompt_name": "text",
    "version_id": "bigint",
    "version_number": "integer",
    "environment": "text",
    "tags": "jsonb",
    "latency_ms": "bigint",
    "failed": "boolean",
    "source": "text",
    "source_id": "text",
    "corrects": "uuid",
    "reservation_id": "uuid",
}


def _rare(*meters: Meter) -> str:
    """Return what a row adds of meters that have no column of their own."""
    return "".join(f" + coalesce((c.other_meters->>'{meter.value}')::bigint, 0)" for meter in meters)


RARE_AUDIO = _rare(Meter.AUDIO_CACHE_READ)
IMAGES = _rare(Meter.IMAGE_INPUT, Meter.IMAGE_OUTPUT)
RARE_TOOLS = _rare(Meter.FILE_SEARCH, Meter.CODE_SESSION)
# What the rollups sum, made of charges `c`. A correction counts as many calls as it says: -1, 0 or 1.
BRIEF = {
    "calls": "coalesce(sum(c.calls), 0)",
    "failed_calls": "coalesce(sum(c.calls) FILTER (WHERE c.failed), 0)",
    "unpriced_calls": "coalesce(sum(c.calls) FILTER (WHERE c.unpriced), 0)",
    "cost": "coalesce(sum(c.cost), 0)",
    "estimated_cost": "coalesce(sum(c.cost) FILTER (WHERE c.estimated), 0)",
    "saved": "coalesce(sum(c.saved), 0)",
}
SPLIT = {
    "estimated_calls": "coalesce(sum(c.calls) FILTER (WHERE c.estimated), 0)",
    "timed_calls": "coalesce(sum(c.calls) FILTER (WHERE c.latency_ms IS NOT NULL), 0)",
    "input_tokens": "coalesce(sum(c.input_tokens), 0)",
    "cache_read_tokens": "coalesce(sum(c.cache_read_tokens), 0)",
    "cache_write_tokens": "coalesce(sum(c.cache_write_tokens + c.cache_write_1h_tokens), 0)",
    "output_tokens": "coalesce(sum(c.output_tokens), 0)",
    "audio_tokens": f"coalesce(sum(c.audio_input_tokens + c.audio_output_tokens{RARE_AUDIO}), 0)",
    "image_tokens": f"coalesce(sum(0{IMAGES}), 0)",
    "tool_uses": f"coalesce(sum(c.web_searches{RARE_TOOLS}), 0)",
    "latency_ms": "coalesce(sum(c.latency_ms * c.calls), 0)",
}
TOKENS = {
    "tokens": "coalesce(sum(c.input_tokens + c.cache_read_tokens + c.cache_write_tokens + c.cache_write_1h_tokens "
    f"+ c.output_tokens + c.audio_input_tokens + c.audio_output_tokens{RARE_AUDIO}{IMAGES}), 0)",
}
SUMS = {**BRIEF, **SPLIT}
SHORT = {**BRIEF, **TOKENS}
# The same of rows that are sums already: of days `c`.
SUMS_OF_SUMS = {name: f"sum(c.{name})" for name in SUMS}
SHORT_OF_SUMS = {
    **{name: f"sum(c.{name})" for name in BRIEF},
    "tokens": "sum(c.input_tokens + c.cache_read_tokens + c.cache_write_tokens + c.output_tokens + c.audio_tokens "
    "+ c.image_tokens)",
}

# A workspace that is gone still has books: its days are then UTC's.
WITH_ZONE = "LEFT JOIN accounts_workspace w ON w.id = c.workspace_id"
LOCAL = "(c.at AT TIME ZONE coalesce(w.time_zone, 'UTC'))"
HOUR_KEY = {
    "workspace_id": "c.workspace_id",
    "starts_at": "date_bin('15 minutes', c.at, '2000-01-01 00:00:00+00')",
    "provider": "c.provider",
    "model": "c.model",
    "purpose": "c.purpose",
}
DAY_KEY = {
    "workspace_id": "c.workspace_id",
    "day": f"{LOCAL}::date",
    "provider": "c.provider",
    "model": "c.model",
    "purpose": "c.purpose",
    "team_id": "coalesce(c.team_id, 0)",
    "prompt_id": "coalesce(c.prompt_id, 0)",
    "version_id": "coalesce(c.version_id, 0)",
    "environment": "c.environment",
    "api_key_id": "coalesce(c.api_key_id, 0)",
}
# Made of days `c`.
MONTH_KEY = {
    "workspace_id": "c.workspace_id",
    "month": "date_trunc('month', c.day::timestamp)::date",
    "provider": "c.provider",
    "model": "c.model",
    "team_id": "c.team_id",
    "prompt_id": "c.prompt_id",
}
AXIS_KEY = ("workspace_id", "axis", "day", "parent", "value")
# Each axis that days know: the columns it groups by, its parent, its value.
DAY_AXES = {
    "all": ((), "''", "''"),
    "team": (("team_id",), "''", "c.team_id::text"),
    "key": (("api_key_id",), "''", "c.api_key_id::text"),
    "model": (("provider", "model"), "c.provider", "c.model"),
    "provider": (("provider",), "''", "c.provider"),
    "prompt": (("prompt_id",), "''", "c.prompt_id::text"),
    "version": (("prompt_id", "version_id"), "c.prompt_id::text", "c.version_id::text"),
    "environment": (("environment",), "''", "c.environment"),
    "purpose": (("purpose",), "''", "c.purpose"),
}
_COLUMNS_OF_DAYS = ("provider", "model", "purpose", "team_id", "prompt_id", "version_id", "environment", "api_key_id")
# And those that charges alone know, because they may have very many values.
CHARGE_AXES = {"customer": "c.customer", "user": "coalesce(c.user_id, 0)::text"}


def select_sums(key: dict[str, str], source: str, sums: dict[str, str] = SUMS) -> str:
    """Return the SELECT that sums the charges of `source` by `key`."""
    columns = ", ".join(f"{value} AS {name}" for name, value in {**key, **sums}.items())
    zone = WITH_ZONE if any(LOCAL in value for value in key.values()) else ""
    return f"SELECT {columns} FROM {source} c {zone} GROUP BY {_places(len(key))}"  # noqa: S608


def select_months(source: str) -> str:
    """Return the SELECT that sums days by month."""
    return select_sums(MONTH_KEY, source, SUMS_OF_SUMS)


def select_day_axes(source: str) -> str:
    """Return the SELECT that sums days by one dimension after the other, in one pass over them."""
    sets = ", ".join(
        f"({', '.join(['c.workspace_id', 'c.day', *(f'c.{name}' for name in DAY_AXES[axis][0])])})" for axis in DAY_AXES
    )
    mask = f"GROUPING({', '.join(f'c.{name}' for name in _COLUMNS_OF_DAYS)})"
    axis, parent, value = (
        f"CASE {mask} {' '.join(f'WHEN {_mask(name)} THEN {words}' for name, words in choice.items())} END"
        for choice in (
            {name: f"'{name}'" for name in DAY_AXES},
            {name: parent for name, (_, parent, _) in DAY_AXES.items()},
            {name: value for name, (_, _, value) in DAY_AXES.items()},
        )
    )
    sums = ", ".join(f"{how} AS {name}" for name, how in SHORT_OF_SUMS.items())
    return (
        f"SELECT c.workspace_id, {axis} AS axis, c.day, {parent} AS parent, {value} AS value, {sums} "  # noqa: S608
        f"FROM {source} c GROUP BY GROUPING SETS ({sets})"
    )


def _mask(axis: str) -> int:
    """Return what GROUPING says of the axis: a bit for each column that it does not group by, the first the highest."""
    bits = ["0" if name in DAY_AXES[axis][0] else "1" for name in _COLUMNS_OF_DAYS]
    return int("".join(bits), 2)


def select_charge_axes(source: str, *, day: str = "") -> str:
    """Return the SELECT that sums charges by customer and by user: first by both, then by each.

    With a `day` (an expression), all of them are of that day.
    """
    of_pair = {f"of_{axis}": value for axis, value in CHARGE_AXES.items()}
    pair = {"workspace_id": "c.workspace_id", "day": day or f"{LOCAL}::date", **of_pair}
    pairs = select_sums(pair, source, SHORT)
    sums = ", ".join(f"sum(p.{name}) AS {name}" for name in SHORT)
    parts = [
        f"SELECT p.workspace_id, '{axis}' AS axis, p.day, '' AS parent, p.of_{axis} AS value, {sums} "  # noqa: S608
        f"FROM pairs p GROUP BY p.workspace_id, p.day, p.of_{axis}"
        for axis in CHARGE_AXES
    ]
    return f"WITH pairs AS MATERIALIZED ({pairs}) {' UNION ALL '.join(parts)}"


def select_axes(charges: str, days: str) -> str:
    """Return the SELECT of every axis."""
    return f"{select_day_axes(days)} UNION ALL ({select_charge_axes(charges)})"


def add_sums(table: str, key: Collection[str], sums: Collection[str], selected: str) -> str:
    """Return the INSERT that adds selected sums to the rollup `table`."""
    targets = ", ".join([*key, *sums])
    additions = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    # Sorted, because two writers that take the same rows in two orders would wait for each other for ever.
    return (
        f"INSERT INTO {table} ({targets}) SELECT {targets} FROM ({selected}) s ORDER BY {_places(len(key))} "  # noqa: S608
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {additions}"
    )


def taken_away(key: Iterable[str], sums: Iterable[str], selected: str) -> str:
    """Return the SELECT of the same sums with the opposite sign."""
    return f"SELECT {', '.join(key)}, {', '.join(f'-{name} AS {name}' for name in sums)} FROM ({selected}) t"  # noqa: S608


def _places(count: int) -> str:
    return ", ".join(str(place) for place in range(1, count + 1))


def keep_names(source: str) -> str:
    """Return the INSERT that remembers the newest names.

    A name that is known as it is must not be touched at all: ON CONFLICT would lock it, and every call of a team
    would wait for the one before it.
    """
    return (
        "INSERT INTO costs_dimension (workspace_id, kind, value_id, name, named_at) "  # noqa: S608
        "SELECT DISTINCT ON (c.workspace_id, n.kind, n.value_id) c.workspace_id, n.kind, n.value_id, n.name, c.at "
        f"FROM {source} c CROSS JOIN LATERAL (VALUES ('team', c.team_id, c.team_name), ('prompt', c.prompt_id, "
        "c.prompt_name), ('version', c.version_id, 'v' || c.version_number), ('key', c.api_key_id, c.api_key_name), "
        "('user', c.user_id, c.user_name)) n (kind, value_id, name) LEFT JOIN costs_dimension d "
        "ON d.workspace_id = c.workspace_id AND d.kind = n.kind AND d.value_id = n.value_id "
        "WHERE n.value_id IS NOT NULL AND n.name <> '' "
        "AND (d.id IS NULL OR (d.name <> n.name AND d.named_at <= c.at)) "
        "ORDER BY c.workspace_id, n.kind, n.value_id, c.id DESC "
        "ON CONFLICT (workspace_id, kind, value_id) DO UPDATE SET name = excluded.name, named_at = excluded.named_at "
        "WHERE costs_dimension.named_at <= excluded.named_at"
    )


# What a budget covers: every condition that it has must hold. `s` has the columns of a day, or of a charge.
CONDITIONS = {
    "team_id": "coalesce(s.team_id, 0)",
    "api_key_id": "coalesce(s.api_key_id, 0)",
    "prompt_id": "coalesce(s.prompt_id, 0)",
    "version_id": "coalesce(s.version_id, 0)",
    "purpose": "s.purpose",
    "environment": "s.environment",
    "provider": "s.provider",
    "model": "s.model",
    "customer": "s.customer",
}
COVERS = " AND ".join(f"(b.{name} IS NULL OR b.{name} = {value})" for name, value in CONDITIONS.items())
STARTS_ON = "date_trunc(b.period, s.day::timestamp)::date"
ENDS_ON = "(date_trunc(b.period, s.day::timestamp) + CASE b.period WHEN 'quarter' THEN interval '3 months' \
ELSE ('1 ' || b.period)::interval END)::date"


def spend_budgets(source: str, settled: str) -> str:
    """Return the INSERT that adds what charges cost to the budgets that cover them, and gives back what was reserved.

    Both at once, because one statement may not change a row twice. Sorted as every other writer of periods must sort:
    by budget and first day.
    """
    spent = (
        f"SELECT b.id AS budget_id, {STARTS_ON} AS starts_on, {ENDS_ON} AS ends_on, b.limit_amount, s.cost AS spent, "  # noqa: S608
        f"0::numeric AS released FROM (SELECT c.*, {LOCAL}::date AS day FROM {source} c {WITH_ZONE}) s "
        f"JOIN costs_budget b ON b.workspace_id = s.workspace_id AND b.ended_at IS NULL AND s.day >= b.counted_from "
        f"AND {COVERS} WHERE s.cost IS NOT NULL"
    )
    released = (
        "SELECT p.budget_id, p.starts_on, p.ends_on, p.limit_amount, 0::numeric, r.amount "  # noqa: S608
        f"FROM {settled} r JOIN costs_budgetperiod p ON p.id = ANY (r.period_ids)"
    )
    return (
        "INSERT INTO costs_budgetperiod (budget_id, starts_on, ends_on, limit_amount, spent, reserved) "  # noqa: S608
        "SELECT budget_id, starts_on, max(ends_on), max(limit_amount), sum(spent), -sum(released) "
        f"FROM ({spent} UNION ALL {released}) m GROUP BY 1, 2 ORDER BY 1, 2 "
        "ON CONFLICT (budget_id, starts_on) DO UPDATE SET spent = costs_budgetperiod.spent + excluded.spent, "
        "reserved = costs_budgetperiod.reserved + excluded.reserved"
    )


SETTLE = (
    "UPDATE costs_reservation r SET state = 'settled', ended_at = statement_timestamp(), charge_id = c.id "
    "FROM fresh c WHERE r.id = c.reservation_id AND c.cost IS NOT NULL AND c.calls = 1 "
    "AND r.state IN ('open', 'unpriced') RETURNING r.period_ids, r.amount"
)
# What nothing could price may have cost anything up to what was held for it.
HOLD_ON = (
    "UPDATE costs_reservation r SET state = 'unpriced', ended_at = statement_timestamp(), charge_id = c.id "
    "FROM fresh c WHERE r.id = c.reservation_id AND c.cost IS NULL AND c.calls = 1 AND r.state = 'open'"
)

_ARRAYS = ", ".join(f"%s::{kind}[]" for kind in COLUMNS.values())
_TARGETS = ", ".join(COLUMNS)
_VALUES = _TARGETS.replace("price_ids", "price_ids::bigint[]")

# PostgreSQL runs the writing parts from the last to the first, so the rows that most calls share, which hold up every
# other writer until the commit, come first here and are taken last.
RECORD = f"""
WITH fresh AS (
    INSERT INTO costs_charge ({_TARGETS}, unpriced)
    SELECT {_VALUES}, cost IS NULL FROM unnest({_ARRAYS}) AS r ({_TARGETS})
    ORDER BY id ON CONFLICT DO NOTHING RETURNING *
), per_day AS MATERIALIZED ({select_sums(DAY_KEY, "fresh")}),
settled AS ({SETTLE}),
held_on AS ({HOLD_ON}),
budgets AS ({spend_budgets("fresh", "settled")}),
axes AS ({add_sums("costs_spendaxis", AXIS_KEY, SHORT, select_axes("fresh", "per_day"))}),
hours AS ({add_sums("costs_spendhour", HOUR_KEY, SHORT, select_sums(HOUR_KEY, "fresh", SHORT))}),
months AS ({add_sums("costs_spendmonth", MONTH_KEY, SUMS, select_months("per_day"))}),
days AS ({add_sums("costs_spendday", DAY_KEY, SUMS, "SELECT * FROM per_day")}),
names AS ({keep_names("fresh")})
SELECT count(*) FROM fresh
"""  # noqa: S608  every part is a constant of this module
