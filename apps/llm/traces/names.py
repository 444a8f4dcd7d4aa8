"""Which prompts, versions and people were called for, by the names that their newest calls carry."""

from collections.abc import Iterable
from typing import Any

from django.db import connection

from apps.llm.models import Call

OFFERED = 30

# One look into the index for each value there is, instead of a scan of all the calls: what PostgreSQL has no word for.
PROMPTS = """
WITH RECURSIVE seen AS (
    (SELECT prompt_id AS id, attribution->>'prompt_name' AS name FROM llm_call
     WHERE workspace_id = %(workspace)s AND prompt_id IS NOT NULL ORDER BY prompt_id, id DESC LIMIT 1)
    UNION ALL
    SELECT later.* FROM seen CROSS JOIN LATERAL (
        SELECT prompt_id, attribution->>'prompt_name' FROM llm_call
        WHERE workspace_id = %(workspace)s AND prompt_id > seen.id ORDER BY prompt_id, id DESC LIMIT 1
    ) AS later
)
SELECT id, name FROM seen ORDER BY name, id
"""
VERSIONS = """
WITH RECURSIVE seen AS (
    (SELECT version_id AS id, (attribution->>'version_number')::int AS number FROM llm_call
     WHERE workspace_id = %(workspace)s AND prompt_id = %(prompt)s AND version_id IS NOT NULL
     ORDER BY version_id, id DESC LIMIT 1)
    UNION ALL
    SELECT later.* FROM seen CROSS JOIN LATERAL (
        SELECT version_id, (attribution->>'version_number')::int FROM llm_call
        WHERE workspace_id = %(workspace)s AND prompt_id = %(prompt)s AND version_id > seen.id
        ORDER BY version_id, id DESC LIMIT 1
    ) AS later
)
SELECT id, number FROM seen ORDER BY number DESC
"""


def prompts_called(workspace_id: int) -> dict[int, str]:
    """Return the names of the prompts that models were called for, by id, in the order of the names."""
    return {key: name or "" for key, name in _rows(PROMPTS, workspace=workspace_id)}


def versions_called(workspace_id: int, prompt_id: int) -> dict[int, int]:
    """Return the numbers of a prompt's versions that were called, by id, newest first."""
    return dict(_rows(VERSIONS, workspace=workspace_id, prompt=prompt_id))


def name_of_person(workspace_id: int, user_id: int) -> str:
    """Return the name under which somebody called last; they may have left."""
    calls = Call.objects.filter(workspace=workspace_id).by_person(user_id).newest_first()
    return str(calls.values_list("attribution__user_name", flat=True).first() or "")


def _rows(statement: str, **values: int) -> list[tuple[Any, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, Any]] = cursor.fetchall()
    return rows


def matching(called: Iterable[str], typed: str) -> list[str]:
    """Return the names that hold what was typed, those that begin with it first, and no more than can be read."""
    part = typed.strip().lower()
    found = [name for name in called if name and part in name.lower()]
    return sorted(found, key=lambda name: (not name.lower().startswith(part), name))[:OFFERED]
