"""What programs fetch. Read by as few joins as it takes, straight into the shape that goes out."""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F

from apps.prompts.models import Environment, Version

JSON = ("messages", "variables", "model_config", "output_schema", "tools")
DEFAULT_ENVIRONMENT = "production"
CONTENT = ("number", "messages", "format", "variables", "model_config", "output_schema", "tools", "content_hash")


@dataclass(frozen=True)
class Served:
    """A body ready to send, and its ETag: it changes exactly when the answer does."""

    body: dict[str, Any]
    etag: str


def live(workspace_id: int, name: str, environment: str) -> Served | None:
    """Return what is live of a prompt in an environment, or None."""
    rows = _live_rows(workspace_id, environment, name)
    return _from_arm(rows[0]) if rows else None


def live_in(workspace_id: int, environment: str) -> list[Served] | None:
    """Return everything that is live in an environment by name, or None when there is no such environment."""
    rows = _live_rows(workspace_id, environment)
    if not rows and not Environment.objects.filter(workspace=workspace_id, name=environment).exists():
        return None
    return [_from_arm(row) for row in rows]


def version(workspace_id: int, name: str, number: int) -> Served | None:
    """Return one version of a prompt, or None."""
    rows = Version.objects.filter(prompt__workspace=workspace_id, prompt__name=name, number=number)
    row = rows.values(*CONTENT, name=F("prompt__name"), kind=F("prompt__kind")).first()
    if row is None:
        return None
    return Served(
        {**_body(row), "environment": None, "live_since": None}, f"v{row['number']}-{row['content_hash'][:16]}"
    )


# One statement, written out: this is the hottest read of the product, and building it anew cost more than running it.
_LIVE = """
SELECT DISTINCT ON (p.name)
    p.name, p.kind, v.number, v.messages, v.format, v.variables, v.model_config, v.output_schema, v.tools,
    v.content_hash, e.name AS environment, d.at AS live_since, d.id AS deployment_id
FROM prompts_environment e
JOIN prompts_deployment d ON d.environment_id = e.id
JOIN prompts_prompt p ON p.id = d.prompt_id
JOIN prompts_deploymentarm a ON a.deployment_id = d.id
JOIN prompts_version v ON v.id = a.version_id
WHERE e.workspace_id = %s AND e.name = %s AND (%s::text IS NULL OR (p.name = %s AND p.workspace_id = %s))
    AND NOT EXISTS (SELECT FROM prompts_deployment n WHERE n.previous_id = d.id)
ORDER BY p.name, a.weight DESC, a.id
"""


def _live_rows(workspace_id: int, environment: str, name: str | None = None) -> list[dict[str, Any]]:
    """Return what is live in an environment (of one prompt), by name; of several arms the heaviest."""
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, [workspace_id, environment, name, name, workspace_id])
        columns = [column.name for column in cursor.description]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        # Django's connection leaves JSON as text; what is sent again needs to be read only once.
        row.update({field: json.loads(row[field]) if isinstance(row[field], str) else row[field] for field in JSON})
    return rows


def _from_arm(row: dict[str, Any]) -> Served:
    body = {**_body(row), "environment": row["environment"], "live_since": row["live_since"].isoformat()}
    return Served(body, f"d{row['deployment_id']}-{row['content_hash'][:16]}")


def _body(row: dict[str, Any]) -> dict[str, Any]:
    text = row["messages"][0]["content"] if row["kind"] == "text" else None
    return {
        "name": row["name"],
        "kind": row["kind"],
        "version": row["number"],
        "messages": row["messages"],
        "text": text,
        "format": row["format"],
        "variables": row["variables"],
        "model": row["model_config"].get("model") or None,
        "parameters": row["model_config"].get("parameters", {}),
        "output_schema": row["output_schema"],
        "tools": row["tools"],
        "content_hash": row["content_hash"],
    }
