"""What programs fetch. Read by as few joins as it takes, straight into the shape that goes out."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db import connection

from apps.core.errors import DomainError
from apps.prompts.running import Fetched, Line

JSON = ("messages", "examples", "variables", "model_config", "output_schema", "tools")
DEFAULT_ENVIRONMENT = "production"
Row = dict[str, Any]


class Unknown(DomainError):
    """There is nothing to fetch; `code` and the sentence say what of the question is unknown."""

    status = 404
    code = "unknown-prompt"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Asked:
    """Which of a prompt's versions somebody asks for: by environment, by number or by label, one of the three."""

    environment: str | None = None
    version: int | None = None
    label: str | None = None
    # Of several arms: who it is for, so that the same one always gets the same.
    sticky: str = ""
    resolve: bool = True

    @property
    def place(self) -> str:
        return self.environment or self.label or ""


@dataclass(frozen=True)
class Served:
    """A body ready to send, and what was fetched with it."""

    row: Row
    body: dict[str, Any]
    line: Line


# Written out: these are the hottest reads of the product, and building them anew cost more than running them.
_CONTENT = """
    p.id AS prompt_id, p.workspace_id, p.name, p.kind, v.id AS version_id, v.number, v.messages, v.examples, v.format, v.variables,
    v.model_config, v.output_schema, v.tools, v.content_hash
"""
_LIVE = f"""
SELECT {_CONTENT}, e.name AS environment, d.at AS live_since, d.id AS deployment_id, d.salt, a.weight
FROM prompts_environment e
JOIN prompts_deployment d ON d.environment_id = e.id
JOIN prompts_prompt p ON p.id = d.prompt_id AND p.archived_at IS NULL
JOIN prompts_deploymentarm a ON a.deployment_id = d.id
JOIN prompts_version v ON v.id = a.version_id
WHERE e.workspace_id = %s AND e.name = %s AND (%s::text IS NULL OR (p.name = %s AND p.workspace_id = %s))
    AND d.kind <> 'take_down' AND NOT EXISTS (SELECT FROM prompts_deployment n WHERE n.previous_id = d.id)
ORDER BY p.name, a.id
"""  # noqa: S608  (put together from our own text)
_PINNED = f"""
SELECT {_CONTENT}
FROM prompts_prompt p
JOIN prompts_version v ON v.prompt_id = p.id
LEFT JOIN prompts_label l ON l.version_id = v.id AND l.prompt_id = p.id AND l.name = %s
WHERE p.workspace_id = %s AND p.name = %s
    AND (v.number = %s OR (l.id IS NOT NULL AND p.archived_at IS NULL))
"""  # noqa: S608
_LATEST = f"""
SELECT {_CONTENT}
FROM prompts_prompt p
JOIN prompts_version v ON v.prompt_id = p.id
WHERE p.workspace_id = %s AND p.name = %s AND p.archived_at IS NULL
ORDER BY v.number DESC LIMIT 1
"""  # noqa: S608


def rows_of(statement: str, arguments: list[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        columns = [column.name for column in cursor.description]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        # Django's connection leaves JSON as text; what is sent again needs to be read only once.
        row.update({field: json.loads(row[field]) if isinstance(row[field], str) else row[field] for field in JSON})
    return rows


def row_of(workspace_id: int, name: str, asked: Asked) -> Row | None:
    """Return the version asked for as a row, or None."""
    if asked.environment is not None:
        rows = rows_of(_LIVE, [workspace_id, asked.environment, name, name, workspace_id])
        return _chosen(rows, asked.sticky) if rows else None
    if asked.label == LATEST:
        rows = rows_of(_LATEST, [workspace_id, name])
    else:
        rows = rows_of(_PINNED, [asked.label, workspace_id, name, asked.version])
    return rows[0] if rows else None


def live_rows(workspace_id: int, environment: str, sticky: str = "") -> list[Row]:
    """Return what is live in an environment by name, one row for each prompt."""
    rows = rows_of(_LIVE, [workspace_id, environment, None, None, workspace_id])
    return [_chosen(list(arms), sticky) for _, arms in groupby(rows, key=lambda row: row["name"])]


LATEST = "latest"


def _chosen(arms: list[Row], sticky: str) -> Row:
    """Return the arm for this caller, else the heaviest, with the weights of all."""
    shares = [{"version": arm["number"], "weight": arm["weight"]} for arm in arms]
    return {**arms[bucket([arm["weight"] for arm in arms], arms[0]["salt"], sticky)], "arms": shares}


def bucket(weights: list[int], salt: str, sticky: str) -> int:
    """Return which of the arms gets the caller: the same for ever while weights and salt stay.

    The first 8 hexadecimal digits of the SHA-256 of "salt:key", modulo the sum of the weights, counted through them
    in order. Without a key it is the heaviest, the later of two that weigh the same.
    """
    if not sticky or not sum(weights):
        return max(range(len(weights)), key=lambda arm: (weights[arm], arm))
    point = int(hashlib.sha256(f"{salt}:{sticky}".encode()).hexdigest()[:8], 16) % sum(weights)
    for arm, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return arm
    return len(weights) - 1


def line_of(row: Row, place: str) -> Line:
    return row["prompt_id"], place, row["version_id"], row.get("deployment_id")


def fetched(served: Iterable[Served]) -> Fetched:
    return Fetched(tuple(one.line for one in served))
