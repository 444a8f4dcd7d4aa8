"""The shape that goes out: a version as programs get it, and why there is none."""

from typing import Any

from apps.core.errors import DomainError
from apps.prompts import composition, delivery, items
from apps.prompts.delivery import Asked, Row, Served, Unknown
from apps.prompts.models import Environment, Label, Prompt, Version

CONTENT = ("messages", "examples", "format", "variables", "model_config", "output_schema", "tools")


def one(workspace_id: int, name: str, asked: Asked) -> Served:
    """Return one prompt as it was asked for.

    Raises Unknown, saying what of the question is, and DomainError when something that it refers to is not there.
    """
    row = delivery.row_of(workspace_id, name, asked)
    if row is None:
        raise why_not(workspace_id, name, asked)
    return _served(row, workspace_id, asked)


def all_live(workspace_id: int, asked: Asked) -> tuple[list[Served], list[dict[str, str]]]:
    """Return everything that is live in an environment by name, and what of it cannot be put together, with why.

    Raises Unknown when there is no such environment.
    """
    assert asked.environment is not None  # noqa: S101  a whole environment is asked for by its name
    rows = delivery.live_rows(workspace_id, asked.environment, asked.sticky)
    if not rows and not Environment.objects.filter(workspace=workspace_id, name=asked.environment).exists():
        raise _no_environment(workspace_id, asked.environment)
    served, broken = [], []
    for row in rows:
        try:
            served.append(_served(row, workspace_id, asked))
        except DomainError as error:
            broken.append({"name": row["name"], "detail": error.message})
    return served, broken


def _served(row: Row, workspace_id: int, asked: Asked) -> Served:
    return Served(row, body_of(row, workspace_id, asked), delivery.line_of(row, asked.place))


def body_of(row: Row, workspace_id: int, asked: Asked) -> dict[str, Any]:
    """Return what a program gets: everything spliced in and expanded, or with `resolve` off as it was written."""
    messages, variables, references = row["messages"], row["variables"], []
    if asked.resolve:
        resolved = resolved_of(row, workspace_id)
        messages, variables = items.expanded(resolved.messages, resolved.examples), resolved.variables
        references = resolved.references
    live_since = row.get("live_since")
    body = {
        "name": row["name"],
        "kind": row["kind"],
        "version": row["number"],
        "messages": messages,
        "text": messages[0]["content"] if row["kind"] == "text" else None,
        "format": row["format"],
        "variables": variables,
        "model": row["model_config"].get("model") or None,
        "parameters": row["model_config"].get("parameters", {}),
        "config": row["model_config"].get("config", {}),
        "output_schema": row["output_schema"],
        "tools": row["tools"],
        "content_hash": row["content_hash"],
        "resolved": asked.resolve,
        "references": references,
        "environment": asked.environment,
        "label": asked.label,
        "live_since": live_since.isoformat() if live_since else None,
        "arms": row.get("arms", []),
        "salt": row.get("salt"),
    }
    return body if asked.resolve else {**body, "examples": row["examples"]}


def resolved_of(row: Row, workspace_id: int) -> composition.Resolved:
    """Return the row's content without references: most rows have none."""
    prompt = Prompt(pk=row["prompt_id"], name=row["name"], kind=row["kind"], workspace_id=workspace_id)
    content = Version(prompt=prompt, **{field: row[field] for field in CONTENT})
    return composition.resolve(content, workspace_id=workspace_id)


def why_not(workspace_id: int, name: str, asked: Asked) -> Unknown:
    """Return the refusal that says what of a question is unknown in this workspace."""
    prompt = Prompt.objects.filter(workspace=workspace_id, name=name).first()
    if prompt is None:
        return Unknown("unknown-prompt", f"There is no prompt called {name}.")
    if prompt.archived_at:
        return Unknown("archived", f"{name} is archived, so it is not delivered any more.")
    if asked.version is not None:
        newest = prompt.versions.order_by("-number").values_list("number", flat=True).first()
        known = f"It has versions 1 to {newest}." if newest else "It has no version yet."
        return Unknown("unknown-version", f"{name} has no version {asked.version}. {known}")
    if asked.label is not None:
        return _no_label(prompt, asked.label)
    return _not_live(workspace_id, name, asked.environment or "")


def _no_label(prompt: Prompt, label: str) -> Unknown:
    names = list(Label.objects.filter(prompt=prompt).order_by("name").values_list("name", flat=True)[:20])
    known = f"It has {', '.join(names)}." if names else "It has none."
    return Unknown("unknown-label", f"{prompt.name} has no label {label}. {known}")


def _not_live(workspace_id: int, name: str, environment: str) -> Unknown:
    if Environment.objects.filter(workspace=workspace_id, name=environment).exists():
        return Unknown("nothing-live", f"Nothing of {name} is live in {environment}.")
    return _no_environment(workspace_id, environment)


def _no_environment(workspace_id: int, environment: str) -> Unknown:
    names = list(Environment.objects.filter(workspace=workspace_id).ranked().values_list("name", flat=True))
    return Unknown("unknown-environment", f"There is no environment called {environment}. Known: {', '.join(names)}.")
