"""The hourly sums of calls: made again from the calls themselves, as often as anybody likes."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Max

from apps.core.ids import uuid7_floor
from apps.llm.errors import ErrorKind
from apps.llm.models import Call, CallHour

HOUR = timedelta(hours=1)
# A call is counted in the hour that it was sent in, and may end a good while later.
LOOK_BACK = 2
# What one statement sums up at most.
STRETCH = timedelta(days=1)
# An id is made a moment before or after the time that stands beside it.
SLACK = timedelta(minutes=1)
BASE = 1.1
THROTTLES = (ErrorKind.RATE_LIMITED.value, ErrorKind.OVERLOADED.value)

REBUILD = f"""
WITH ended AS (
    SELECT workspace_id, model_id, date_trunc('hour', sent_at, 'UTC') AS hour, state, error_kind, reused_id,
        usage, latency_ms, first_token_ms
    FROM llm_call
    WHERE id >= %(from_id)s AND id < %(to_id)s AND sent_at >= %(first)s AND sent_at < %(last)s
        AND state <> '{Call.State.SENT.value}' AND (%(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s)
), timed AS (
    SELECT model_id, hour, measure, jsonb_object_agg(bucket::text, n) AS counts
    FROM (
        SELECT model_id, hour, measure, floor(ln(greatest(ms, 1)::float8) / ln({BASE}::float8))::int AS bucket,
            count(*) AS n
        FROM ended, LATERAL (VALUES ('latency', latency_ms), ('first', first_token_ms)) AS t (measure, ms)
        WHERE state = '{Call.State.ANSWERED.value}' AND reused_id IS NULL AND ms IS NOT NULL
        GROUP BY 1, 2, 3, 4
    ) AS buckets
    GROUP BY 1, 2, 3
), troubled AS (
    SELECT model_id, hour, jsonb_object_agg(kind, n) AS counts
    FROM (
        SELECT model_id, hour, coalesce(nullif(error_kind, ''), 'unknown') AS kind, count(*) AS n
        FROM ended WHERE state <> '{Call.State.ANSWERED.value}' GROUP BY 1, 2, 3
    ) AS kinds
    GROUP BY 1, 2
), summed AS (
    SELECT workspace_id, model_id, hour, count(*) AS calls,
        count(*) FILTER (WHERE state = '{Call.State.ANSWERED.value}') AS answered,
        count(*) FILTER (WHERE state <> '{Call.State.ANSWERED.value}') AS failed,
        count(*) FILTER (WHERE error_kind = ANY(%(throttles)s)) AS throttled,
        count(*) FILTER (WHERE reused_id IS NOT NULL) AS reused,
        coalesce(sum(coalesce((usage ->> 'input')::bigint, 0) + coalesce((usage ->> 'cache_read')::bigint, 0)
            + coalesce((usage ->> 'cache_write')::bigint, 0)
            + coalesce((usage ->> 'cache_write_1h')::bigint, 0)), 0) AS input_tokens,
        coalesce(sum((usage ->> 'output')::bigint), 0) AS output_tokens
    FROM ended GROUP BY 1, 2, 3
)
INSERT INTO llm_callhour (workspace_id, model_id, hour, calls, answered, failed, throttled, reused, input_tokens,
    output_tokens, troubles, latencies, first_tokens)
SELECT s.workspace_id, s.model_id, s.hour, s.calls, s.answered, s.failed, s.throttled, s.reused, s.input_tokens,
    s.output_tokens, coalesce(t.counts, '{{}}'), coalesce(l.counts, '{{}}'), coalesce(f.counts, '{{}}')
FROM summed s
LEFT JOIN troubled t USING (model_id, hour)
LEFT JOIN timed l ON l.model_id = s.model_id AND l.hour = s.hour AND l.measure = 'latency'
LEFT JOIN timed f ON f.model_id = s.model_id AND f.hour = s.hour AND f.measure = 'first'
ORDER BY s.model_id, s.hour
ON CONFLICT (model_id, hour) DO UPDATE SET
    workspace_id = excluded.workspace_id, calls = excluded.calls, answered = excluded.answered,
    failed = excluded.failed, throttled = excluded.throttled, reused = excluded.reused,
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens, troubles = excluded.troubles,
    latencies = excluded.latencies, first_tokens = excluded.first_tokens
"""  # noqa: S608  every part is a constant of this module


def refresh(now: datetime) -> int:
    """Make the sums of this hour and the ones just before again; return how many rows there are.

    Whatever was sent since the last hour that was summed up is made up for, however long nobody did it.
    """
    this_hour = hour_of(now)
    return _in_stretches(min(_last_summed(this_hour), this_hour) - LOOK_BACK * HOUR, this_hour + HOUR)


def catch_up(since: datetime, now: datetime) -> int:
    """Make the sums again of hours since then that `refresh` no longer looks at; return how many rows there are."""
    return _in_stretches(hour_of(since), hour_of(now) - LOOK_BACK * HOUR)


def _last_summed(this_hour: datetime) -> datetime:
    """Return the newest hour that has sums; while there are none at all, the hour of the first call."""
    newest = CallHour.objects.aggregate(hour=Max("hour"))["hour"]
    if newest is None:
        newest = Call.objects.order_by("pk").values_list("sent_at", flat=True).first()
    return hour_of(newest) if newest else this_hour


def _in_stretches(first: datetime, last: datetime) -> int:
    """Make the sums of these hours again, a stretch at a time, past those in which nobody called."""
    rows = 0
    while first < last:
        sent = Call.objects.since(first - SLACK).order_by("pk").values_list("sent_at", flat=True).first()
        if sent is None or sent >= last:
            break
        first = max(first, hour_of(sent))
        rows += rebuild(first, min(first + STRETCH, last))
        first += STRETCH
    return rows


def rebuild(first: datetime, last: datetime, workspace_id: int | None = None) -> int:
    """Make the sums of the hours from `first` up to `last` again, in one statement; return how many rows.

    Both bounds are taken to whole hours, outwards: half an hour's calls are never stored as an hour's.
    """
    start, end = hour_of(first), hour_of(last)
    if end < last:
        end += HOUR
    values: dict[str, datetime | UUID | int | list[str] | None] = {
        "first": start,
        "last": end,
        "from_id": uuid7_floor(start - SLACK),
        "to_id": uuid7_floor(end + SLACK),
        "workspace": workspace_id,
        "throttles": list(THROTTLES),
    }
    with connection.cursor() as cursor:
        cursor.execute(REBUILD, values)
        return int(cursor.rowcount)


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def percentile(histogram: Mapping[int, int], share: float) -> float | None:
    """Return the value below which that share of what was counted lies, at most 5 % off; None when nothing was.

    It is the middle of the bucket that holds it, in the logarithm, as the buckets are cut.
    """
    wanted = max(1, math.ceil(share * sum(histogram.values()) - 1e-9))
    passed = 0
    for bucket in sorted(histogram):
        passed += histogram[bucket]
        if passed >= wanted:
            return float(BASE ** (bucket + 0.5))
    return None
