"""Several counts in one trip to the database."""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet


def counts(*rows: QuerySet[Any, Any]) -> list[int]:
    """Return how many rows each queryset has, as `count()` would one after the other."""
    parts: list[str] = []
    arguments: list[Any] = []
    for queryset in rows:
        try:
            sql, values = queryset.order_by().query.sql_with_params()
        except EmptyResultSet:
            parts.append("0")
            continue
        parts.append(f"(SELECT count(*) FROM ({sql}) counted)")  # noqa: S608  (a queryset wrote it, values apart)
        arguments += values
    if not arguments:
        return [0] * len(parts)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", arguments)
        found: tuple[int, ...] = cursor.fetchone()
    return list(found)
