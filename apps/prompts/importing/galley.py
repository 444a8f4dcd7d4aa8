"""Our own file: one prompt with its versions, readable, and the same again when it comes back."""

import re
from collections.abc import Iterable
from typing import Any

import yaml

from apps.prompts.importing.incoming import Incoming, IncomingVersion, Unreadable
from apps.prompts.models import Prompt, Version

FORMAT = "galley/prompt"
VERSION = 1
ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
FIELDS = ("messages", "examples", "format", "variables", "model_config", "output_schema", "tools")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as people would."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # What YAML takes for a line end of its own is spelled out.
    style = '"' if ODD.search(value) else "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def is_ours(data: Any) -> bool:
    return isinstance(data, dict) and str(data.get("format", "")).startswith(FORMAT)


def dump(prompt: Prompt, versions: Iterable[Version]) -> str:
    """Return the file of a prompt with these versions, oldest first."""
    data = {
        "format": FORMAT,
        "format_version": VERSION,
        "name": prompt.name,
        "kind": str(prompt.kind),
        "description": prompt.description,
        "tags": prompt.tags,
        "versions": [_version(version) for version in versions],
    }
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4_096)


def _version(version: Version) -> dict[str, Any]:
    content = {name: value for name, value in version.content().items() if value not in ([], None)}
    return {"message": version.message, **content, "format": str(version.format)}


def read(data: dict[str, Any], where: str) -> Incoming:
    """Return the prompt of a file. Raises Unreadable for one of a newer Galley and one that lacks something."""
    number = data.get("format_version")
    if number is None:
        raise Unreadable(f"{where} does not say in which format it is written (format_version: {VERSION}).")
    if not isinstance(number, int) or number > VERSION:
        raise Unreadable(
            f"{where} was written by a newer Galley (format {str(number)[:20]}); this one reads {VERSION}."
        )
    name, kind, versions = data.get("name"), data.get("kind"), data.get("versions")
    if not isinstance(name, str) or kind not in Prompt.Kind.values or not isinstance(versions, list):
        raise Unreadable(f"{where} lacks its name, its kind or its versions.")
    tags = data.get("tags") or []
    return Incoming(
        name=name,
        kind=kind,
        versions=[_read_version(version, where) for version in versions],
        description=str(data.get("description") or ""),
        tags=[str(tag) for tag in tags] if isinstance(tags, list) else [],
    )


def _read_version(version: Any, where: str) -> IncomingVersion:
    if not isinstance(version, dict) or not isinstance(version.get("messages"), list):
        raise Unreadable(f"{where} has a version without messages.")
    content = {name: version[name] for name in FIELDS if name in version}
    return IncomingVersion(content, message=str(version.get("message") or ""))
