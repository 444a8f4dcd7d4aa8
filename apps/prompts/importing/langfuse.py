"""Langfuse: what its interface exports and its API lists, a JSON array of prompt versions."""

from typing import Any

from apps.prompts.importing import shapes
from apps.prompts.importing.incoming import Batch, Incoming, IncomingVersion, Unreadable
from apps.prompts.langfuse import split_config

SOURCE = "Langfuse"


def looks_like(data: Any) -> bool:
    rows = rows_of(data)
    return bool(rows) and all(isinstance(row, dict) and "name" in row and "prompt" in row for row in rows)


def rows_of(data: Any) -> list[Any]:
    """Return the versions in an array, in a page of the API, or one alone."""
    if isinstance(data, dict):
        inner = data.get("data", data.get("prompts"))
        return inner if isinstance(inner, list) else [data]
    return data if isinstance(data, list) else []


def read(data: Any) -> Batch:
    """Return the prompts, each with its versions in order."""
    batch = Batch(SOURCE)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(data):
        by_name.setdefault(str(row["name"]), []).append(row)
    for name, rows in by_name.items():
        try:
            batch.prompts.append(_prompt(name, rows))
        except Unreadable as error:
            batch.problems.append(f"{name}: {error.message}.")
    return batch


def _prompt(name: str, rows: list[dict[str, Any]]) -> Incoming:
    rows = sorted(rows, key=lambda row: row["version"] if isinstance(row.get("version"), int) else 0)
    newest = rows[-1]
    kinds = {"chat" if isinstance(row["prompt"], list) else "text" for row in rows}
    if len(kinds) > 1:
        raise Unreadable("it is text in one version and chat in another")
    notes: list[str] = []
    labels = sorted({str(label) for row in rows for label in _list(row.get("labels")) if label != "latest"})
    if labels:
        notes.append(f"Labels stay behind ({', '.join(labels[:8])}): what is live here moves only on purpose.")
    versions = [_version(row) for row in rows]
    tags = [str(tag) for tag in _list(newest.get("tags"))]
    return Incoming(name, kinds.pop(), versions, tags=tags, notes=list(dict.fromkeys(notes)))


def _version(row: dict[str, Any]) -> IncomingVersion:
    prompt = row["prompt"]
    if isinstance(prompt, list):
        messages = [shapes.message(one) for one in prompt]
    elif isinstance(prompt, str):
        messages = [{"role": "user", "content": prompt}]
    else:
        raise Unreadable("its text is neither a text nor a list of messages")
    model_config, tools, schema = split_config(row.get("config"))
    content = {
        "messages": messages,
        "format": "mustache",
        "model_config": model_config,
        "tools": tools,
        "output_schema": schema,
    }
    words = str(row.get("commitMessage") or "") or f"Version {row.get('version') or 1} in Langfuse"
    return IncomingVersion(content, message=words)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
