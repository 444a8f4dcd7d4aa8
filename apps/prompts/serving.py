"""The shape that goes out: a version as programs get it, and why there is none."""

from collections.abc import Iterator
from typing import Any

from apps.core.errors import DomainError
from apps.prompts import composition, delivery, items, references
from apps.prompts.composition import Resolved
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
    return _served(row, asked, resolved_of(row, workspace_id) if asked.resolve else None)


def all_live(workspace_id: int, asked: Asked) -> tuple[list[Served], list[dict[str, str]]]:
    """Return everything that is live in an environment by name, and what of it cannot be put together, with why.

    Raises Unknown when there is no such environment.
    """
    assert asked.environment is not None  # noqa: S101  a whole environment is asked for by its name
    rows = delivery.live_rows(workspace_id, asked.environment, asked.sticky)
    if not rows and not Environment.objects.filter(workspace=workspace_id, name=asked.environment).exists():
        raise no_environment(workspace_id, asked.environment)
    served, broken = [], []
    for row, resolved in _resolved_rows(rows, workspace_id, asked):
        if isinstance(resolved, DomainError):
            broken.append({"name": row["name"], "detail": resolved.message})
        else:
            served.append(_served(row, asked, resolved))
    return served, broken


def _resolved_rows(
    rows: list[Row], workspace_id: int, asked: Asked
) -> Iterator[tuple[Row, Resolved | DomainError | None]]:
    """Yield each row with what it resolves to, or why it cannot be: all with as many queries as the deepest."""
    composed = [row for row in rows if asked.resolve and _has_references(row)]
    found = composition.try_many(map(_content, composed), workspace_id=workspace_id)
    for row in rows:
        if not asked.resolve:
            yield row, None
        else:
            yield row, next(found) if _has_references(row) else _plain(row)


def _served(row: Row, asked: Asked, resolved: Resolved | None) -> Served:
    return Served(row, body_of(row, asked, resolved), delivery.line_of(row, asked.place))


def body_of(row: Row, asked: Asked, resolved: Resolved | None) -> dict[str, Any]:
    """Return what a program gets: everything taken in and in its place, or unresolved as it was written."""
    messages, variables, taken_in = row["messages"], row["variables"], []
    if resolved is not None:
        messages = items.expanded(resolved.messages, resolved.examples)
        variables, taken_in = resolved.variables, resolved.references
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
        "references": taken_in,
        "environment": asked.environment,
        "label": asked.label,
        "live_since": live_since.isoformat() if live_since else None,
        "arms": row.get("arms", []),
        "salt": row.get("salt"),
    }
    return body if asked.resolve else {**body, "examples": row["examples"]}


def resolved_of(row: Row, workspace_id: int) -> Resolved:
    """Return the row's content with every reference taken in. Most rows hold none, and cost nothing."""
    return composition.resolve(_content(row), workspace_id=workspace_id) if _has_references(row) else _plain(row)


def _plain(row: Row) -> Resolved:
    return Resolved(row["messages"], row["variables"], row["examples"])


def _has_references(row: Row) -> bool:
    return any(references.MARK in text for text in items.texts(row["messages"], row["examples"]))


def _content(row: Row) -> Version:
    prompt = Prompt(pk=row["prompt_id"], workspace_id=row["workspace_id"], name=row["name"], kind=row["kind"])
    return Version(prompt=prompt, **{field: row[field] for field in CONTENT})


def why_not(workspace_id: int, name: str, asked: Asked) -> Unknown:
    """Return the refusal that says what of a question is unknown in this workspace."""
    prompt = Prompt.objects.filter(workspace=workspace_id, name=name).first()
    if prompt is None:
        return Unknown("unknown-prompt", f"There is no prompt called {name}.")
    if prompt.archived_at:
        return Unknown("archived", f"{name} is archived, so it is not delivered any more.")
    if asked.version is not None:
        return no_version(prompt, asked.version)
    if asked.label is not None:
        return _no_label(prompt, asked.label)
    return _not_live(workspace_id, name, asked.environment or "")


def no_version(prompt: Prompt, number: int) -> Unknown:
    newest = prompt.versions.order_by("-number").values_list("number", flat=True).first()
    known = f"It has versions 1 to {newest}." if newest else "It has no version yet."
    return Unknown("unknown-version", f"{prompt.name} has no version {number}. {known}")


def _no_label(prompt: Prompt, label: str) -> Unknown:
    names = list(Label.objects.filter(prompt=prompt).order_by("name").values_list("name", flat=True)[:20])
    known = f"It has {', '.join(names)}." if names else "It has none."
    return Unknown("unknown-label", f"{prompt.name} has no label {label}. {known}")


def _not_live(workspace_id: int, name: str, environment: str) -> Unknown:
    if Environment.objects.filter(workspace=workspace_id, name=environment).exists():
        return Unknown("nothing-live", f"Nothing of {name} is live in {environment}.")
    return no_environment(workspace_id, environment)


def no_environment(workspace_id: int, environment: str) -> Unknown:
    names = list(Environment.objects.filter(workspace=workspace_id).ranked().values_list("name", flat=True))
    return Unknown("unknown-environment", f"There is no environment called {environment}. Known: {', '.join(names)}.")
