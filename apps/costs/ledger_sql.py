"""The ledger's statements, put together once from constants; no value from outside is ever part of their text."""

# What arrives, one array for each column, and the type of its elements.
COLUMNS = {
    "id": "uuid",
    "workspace_id": "bigint",
    "at": "timestamptz",
    "provider": "text",
    "model": "text",
    "connection_id": "bigint",
    "input_tokens": "bigint",
    "cache_read_tokens": "bigint",
    "cache_write_tokens": "bigint",
    "cache_write_1h_tokens": "bigint",
    "output_tokens": "bigint",
    "reasoning_tokens": "bigint",
    "cost": "numeric",
    "price_ids": "text",  # an array inside an array would lose its shape
    "estimated": "boolean",
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
    "latency_ms": "bigint",
    "failed": "boolean",
    "source": "text",
}

# What a rollup sums, and how it is made of charges `c`.
SUMS = {
    "calls": "count(*)",
    "failed_calls": "count(*) FILTER (WHERE c.failed)",
    "unpriced_calls": "count(*) FILTER (WHERE c.unpriced)",
    "estimated_calls": "count(*) FILTER (WHERE c.estimated)",
    "timed_calls": "count(c.latency_ms)",
    "input_tokens": "coalesce(sum(c.input_tokens), 0)",
    "cache_read_tokens": "coalesce(sum(c.cache_read_tokens), 0)",
    "cache_write_tokens": "coalesce(sum(c.cache_write_tokens + c.cache_write_1h_tokens), 0)",
    "output_tokens": "coalesce(sum(c.output_tokens), 0)",
    "latency_ms": "coalesce(sum(c.latency_ms), 0)",
    "cost": "coalesce(sum(c.cost), 0)",
    "estimated_cost": "coalesce(sum(c.cost) FILTER (WHERE c.estimated), 0)",
}

# A workspace that is gone still has books: its days are then UTC's.
LOCAL = "(c.at AT TIME ZONE coalesce(w.time_zone, 'UTC'))"
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
MONTH_KEY = {
    "workspace_id": "c.workspace_id",
    "month": f"date_trunc('month', {LOCAL})::date",
    "provider": "c.provider",
    "model": "c.model",
    "team_id": "coalesce(c.team_id, 0)",
    "prompt_id": "coalesce(c.prompt_id, 0)",
}


def select_sums(key: dict[str, str], source: str) -> str:
    """Return the SELECT that sums the charges of `source` by `key`, in the order of the key."""
    columns = ", ".join(f"{value} AS {name}" for name, value in {**key, **SUMS}.items())
    places = ", ".join(str(place) for place in range(1, len(key) + 1))
    # Sorted, because two writers that take the same rows in two orders would wait for each other for ever.
    return (
        f"SELECT {columns} FROM {source} c LEFT JOIN accounts_workspace w ON w.id = c.workspace_id "  # noqa: S608
        f"GROUP BY {places} ORDER BY {places}"
    )


def add_sums(table: str, key: dict[str, str], source: str) -> str:
    """Return the INSERT that adds the sums of `source` to the rollup `table`."""
    targets = ", ".join([*key, *SUMS])
    additions = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    return (
        f"INSERT INTO {table} ({targets}) {select_sums(key, source)} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {additions}"
    )


_NAMED = (
    "SELECT DISTINCT ON (c.workspace_id, n.kind, n.value_id) c.workspace_id, n.kind, n.value_id, n.name, c.at "
    "FROM {source} c CROSS JOIN LATERAL (VALUES ('team', c.team_id, c.team_name), ('prompt', c.prompt_id, "
    "c.prompt_name), ('version', c.version_id, 'v' || c.version_number), ('key', c.api_key_id, c.api_key_name)) "
    "n (kind, value_id, name) WHERE n.value_id IS NOT NULL AND n.name <> '' "
    "ORDER BY c.workspace_id, n.kind, n.value_id, c.id DESC"
)


def keep_names(source: str) -> str:
    """Return the INSERT that remembers the newest names.

    A name that is known as it is must not be touched at all: ON CONFLICT would lock it, and every call of a team
    would wait for the one before it.
    """
    return (
        "INSERT INTO costs_dimension (workspace_id, kind, value_id, name, named_at) "  # noqa: S608
        f"SELECT n.* FROM ({_NAMED.format(source=source)}) n LEFT JOIN costs_dimension d "
        "ON d.workspace_id = n.workspace_id AND d.kind = n.kind AND d.value_id = n.value_id "
        "WHERE d.id IS NULL OR (d.name <> n.name AND d.named_at <= n.at) ORDER BY 1, 2, 3 "
        "ON CONFLICT (workspace_id, kind, value_id) DO UPDATE SET name = excluded.name, named_at = excluded.named_at "
        "WHERE costs_dimension.named_at <= excluded.named_at"
    )


_ARRAYS = ", ".join(f"%s::{kind}[]" for kind in COLUMNS.values())
_TARGETS = ", ".join(COLUMNS)
_VALUES = _TARGETS.replace("price_ids", "price_ids::bigint[]")

RECORD = f"""
WITH fresh AS (
    INSERT INTO costs_charge ({_TARGETS}, unpriced)
    SELECT {_VALUES}, cost IS NULL FROM unnest({_ARRAYS}) AS r ({_TARGETS})
    ORDER BY id ON CONFLICT DO NOTHING RETURNING *
), days AS ({add_sums("costs_spendday", DAY_KEY, "fresh")}),
months AS ({add_sums("costs_spendmonth", MONTH_KEY, "fresh")}),
names AS ({keep_names("fresh")})
SELECT count(*) FROM fresh
"""  # noqa: S608  every part is a constant of this module
