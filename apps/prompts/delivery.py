"""What programs fetch. Read by as few joins as it takes, straight into the shape that goes out."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F

from apps.prompts.models import DeploymentArm, Environment, Version

DEFAULT_ENVIRONMENT = "production"
CONTENT = ("number", "messages", "format", "variables", "model_config", "output_schema", "tools", "content_hash")


@dataclass(frozen=True)
class Served:
    """A body ready to send, and its ETag: it changes exactly when the answer does."""

    body: dict[str, Any]
    etag: str


def live(workspace_id: int, name: str, environment: str) -> Served | None:
    """Return what is live of a prompt in an environment, or None."""
    row = _live_rows(workspace_id, environment).filter(deployment__prompt__name=name).first()
    return _from_arm(row) if row else None


def live_in(workspace_id: int, environment: str) -> list[Served] | None:
    """Return everything that is live in an environment by name, or None when there is no such environment."""
    rows = list(_live_rows(workspace_id, environment).order_by("deployment__prompt__name", "-weight", "pk"))
    if not rows and not Environment.objects.filter(workspace=workspace_id, name=environment).exists():
        return None
    first_arms = {row["name"]: row for row in reversed(rows)}
    return [_from_arm(first_arms[name]) for name in sorted(first_arms)]


def version(workspace_id: int, name: str, number: int) -> Served | None:
    """Return one version of a prompt, or None."""
    rows = Version.objects.filter(prompt__workspace=workspace_id, prompt__name=name, number=number)
    row = rows.values(*CONTENT, name=F("prompt__name"), kind=F("prompt__kind")).first()
    if row is None:
        return None
    return Served(
        {**_body(row), "environment": None, "live_since": None}, f"v{row['number']}-{row['content_hash'][:16]}"
    )


def _live_rows(workspace_id: int, environment: str) -> Any:
    arms = DeploymentArm.objects.filter(
        deployment__environment__workspace=workspace_id,
        deployment__environment__name=environment,
        deployment__next=None,
    ).order_by("-weight", "pk")
    return arms.values(
        "deployment_id",
        **{field: F(f"version__{field}") for field in CONTENT},
        name=F("deployment__prompt__name"),
        kind=F("deployment__prompt__kind"),
        environment=F("deployment__environment__name"),
        live_since=F("deployment__at"),
    )


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
