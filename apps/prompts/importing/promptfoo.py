"""promptfoo: the `prompts:` of its YAML, texts, files beside it, or objects with an id."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from apps.prompts.importing import parsing, shapes
from apps.prompts.importing.incoming import Batch, Incoming, IncomingVersion, Unreadable

SOURCE = "promptfoo"
FILE = "file://"
SEPARATOR = "\n---\n"
# What promptfoo itself takes for a file and not for a text.
LIKE_A_FILE = re.compile(r"[\w./-]{1,200}\.(txt|md|markdown|json|yaml|yml|prompt|py|js|ts|mjs|cjs)")


def looks_like(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("prompts"), list | str)


def read(data: dict[str, Any], beside: Mapping[str, bytes], folder: str = "") -> Batch:
    """Return the prompts; `beside` holds the files that the texts may point to, by their path."""
    batch = Batch(SOURCE)
    listed = data["prompts"] if isinstance(data["prompts"], list) else [data["prompts"]]
    for number, entry in enumerate(listed, 1):
        try:
            batch.prompts += _entry(entry, number, beside, folder)
        except Unreadable as error:
            batch.problems.append(f"Prompt {number}: {error.message}.")
    return batch


def _entry(entry: Any, number: int, beside: Mapping[str, bytes], folder: str) -> list[Incoming]:
    given = entry if isinstance(entry, dict) else {"raw": entry}
    raw = given.get("raw", given.get("prompt", given.get("id")))
    name = str(given.get("label") or given.get("display") or given.get("id") or "")
    if not isinstance(raw, str) or not raw.strip():
        raise Unreadable("it has no text")
    if not raw.startswith(FILE) and (_place(raw, beside, folder) or LIKE_A_FILE.fullmatch(raw)):
        raw = FILE + raw
    if not raw.startswith(FILE):
        return [_prompt(name or f"prompt-{number}", raw, given)]
    path = raw.removeprefix(FILE)
    name = PurePosixPath(path).stem if not name or name.startswith(FILE) else name
    parts = _file(path, beside, folder).split(SEPARATOR)
    return [_prompt(name if len(parts) == 1 else f"{name}-{place}", part, given) for place, part in enumerate(parts, 1)]


def _file(path: str, beside: Mapping[str, bytes], folder: str) -> str:
    if path.endswith((".py", ".js", ".ts", ".mjs", ".cjs")) or ".py:" in path:
        raise Unreadable(f"{path[:80]} is a program, and programs are never run here")
    if place := _place(path, beside, folder):
        return parsing.decoded(beside[place], place)
    raise Unreadable(f"the file {path[:80]} is not here; send the folder as a zip file")


def _place(path: str, beside: Mapping[str, bytes], folder: str) -> str:
    """Return under which path a file came along; nothing when it did not."""
    plain = path.removeprefix("./")
    return next((place for place in (f"{folder}/{plain}".strip("/"), plain) if place in beside), "")


def _prompt(name: str, raw: str, given: dict[str, Any]) -> Incoming:
    kind, messages = shapes.chat_or_text(raw)
    notes: list[str] = []
    content = {
        "messages": messages,
        "format": shapes.format_of([one["content"] for one in messages if "content" in one]),
        "model_config": shapes.settings(given.get("config"), notes),
    }
    return Incoming(name, kind, [IncomingVersion(content, "From promptfoo")], notes=notes)
