"""A naive recount of charges in plain Python, to hold the books against."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from apps.costs.ledger_sql import DAY_KEY, HOUR_KEY, MONTH_KEY
from apps.costs.models import AxisName, SpendAxis, SpendDay, SpendHour, SpendMonth

ZERO = Decimal(0)
BRIEF = ("calls", "failed_calls", "unpriced_calls", "cost", "estimated_cost", "saved", "tokens")
FULL = (
    *BRIEF[:6],
    "estimated_calls",
    "timed_calls",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "audio_tokens",
    "image_tokens",
    "tool_uses",
    "latency_ms",
)


def amounts(charge):
    """Return what one row adds to every sum."""
    calls, cost, rare = charge.calls, charge.cost or ZERO, charge.other_meters
    split = {
        "input_tokens": charge.input_tokens,
        "cache_read_tokens": charge.cache_read_tokens,
        "cache_write_tokens": charge.cache_write_tokens + charge.cache_write_1h_tokens,
        "output_tokens": charge.output_tokens,
        "audio_tokens": charge.audio_input_tokens + charge.audio_output_tokens + rare.get("audio_cache_read", 0),
        "image_tokens": rare.get("image_input", 0) + rare.get("image_output", 0),
    }
    return {
        "calls": calls,
        "failed_calls": calls if charge.failed else 0,
        "unpriced_calls": calls if charge.cost is None else 0,
        "estimated_calls": calls if charge.estimated else 0,
        "timed_calls": calls if charge.latency_ms is not None else 0,
        "cost": cost,
        "estimated_cost": cost if charge.estimated else ZERO,
        "saved": charge.saved,
        "tokens": sum(split.values()),
        "tool_uses": charge.web_searches + rare.get("file_search", 0) + rare.get("code_session", 0),
        "latency_ms": (charge.latency_ms or 0) * calls,
        **split,
    }


def hour(charge, zone):
    quarter = charge.at.astimezone(UTC).replace(second=0, microsecond=0)
    quarter -= timedelta(minutes=quarter.minute % 15)
    return [(charge.workspace_id, quarter, charge.provider, charge.model, charge.purpose)]


def day(charge, zone):
    ids = (charge.team_id or 0, charge.prompt_id or 0, charge.version_id or 0)
    local = charge.at.astimezone(zone).date()
    named = (charge.provider, charge.model, charge.purpose)
    return [(charge.workspace_id, local, *named, *ids, charge.environment, charge.api_key_id or 0)]


def month(charge, zone):
    first = charge.at.astimezone(zone).date().replace(day=1)
    ids = (charge.team_id or 0, charge.prompt_id or 0)
    return [(charge.workspace_id, first, charge.provider, charge.model, *ids)]


def axes(charge, zone):
    local = charge.at.astimezone(zone).date()
    prompt = str(charge.prompt_id or 0)
    values = {
        AxisName.ALL: ("", ""),
        AxisName.TEAM: ("", str(charge.team_id or 0)),
        AxisName.KEY: ("", str(charge.api_key_id or 0)),
        AxisName.MODEL: (charge.provider, charge.model),
        AxisName.PROVIDER: ("", charge.provider),
        AxisName.PROMPT: ("", prompt),
        AxisName.VERSION: (prompt, str(charge.version_id or 0)),
        AxisName.ENVIRONMENT: ("", charge.environment),
        AxisName.PURPOSE: ("", str(charge.purpose)),
        AxisName.CUSTOMER: ("", charge.customer),
        AxisName.USER: ("", str(charge.user_id or 0)),
    }
    return [(charge.workspace_id, axis.value, local, *value) for axis, value in values.items()]


ROLLUPS = {
    SpendHour: (hour, tuple(HOUR_KEY), BRIEF),
    SpendDay: (day, tuple(DAY_KEY), FULL),
    SpendMonth: (month, tuple(MONTH_KEY), FULL),
    SpendAxis: (axes, ("workspace_id", "axis", "day", "parent", "value"), BRIEF),
}


def wanted(charges, zone):
    """Return what every rollup should hold, rows of zeros left out."""
    return {model: _summed(charges, zone, *rule) for model, rule in ROLLUPS.items()}


def _summed(charges, zone, keys_of, key, names):
    sums = defaultdict(lambda: [0] * len(names))
    for charge in charges:
        added = amounts(charge)
        for value in keys_of(charge, zone):
            sums[value] = [before + added[name] for before, name in zip(sums[value], names, strict=True)]
    return {value: tuple(row) for value, row in sums.items() if any(row)}


def held(workspace_id):
    """Return what every rollup does hold, rows of zeros left out."""
    return {model: _held(model, workspace_id, key, names) for model, (_, key, names) in ROLLUPS.items()}


def _held(model, workspace_id, key, names):
    rows = model.objects.filter(workspace_id=workspace_id).values_list(*key, *names)
    found = {row[: len(key)]: row[len(key) :] for row in rows}
    return {value: row for value, row in found.items() if any(row)}


def moment(*parts):
    return datetime(*parts, tzinfo=UTC)
