"""JSON and YAML from strangers: read in bounded time and depth, or refused with the place where it breaks."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from apps.prompts.importing.incoming import MAX_BYTES, Unreadable

# A few aliases in a small file can stand for billions of values: what they stand for is counted.
MAX_VALUES = 200_000
MAX_DEPTH = 60
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def decoded(data: bytes, where: str) -> str:
    """Return the text. Raises Unreadable for what is too long or no UTF-8."""
    if len(data) > MAX_BYTES:
        raise Unreadable(f"{where} is over {MAX_BYTES // 2**20} MB.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(f"{where} is not text in UTF-8.") from None


def from_json(text: str, where: str) -> Any:
    try:
        return _bounded(json.loads(text, parse_constant=_refuse), where)
    except json.JSONDecodeError as error:
        raise Unreadable(f"{where} breaks off or is not JSON: line {error.lineno}, {error.msg}.") from None
    except (ValueError, RecursionError):
        raise Unreadable(f"{where} holds numbers or depths that JSON does not have.") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def from_yaml(text: str, where: str) -> Any:
    try:
        return _bounded(yaml.load(text, Loader=LOADER), where)  # noqa: S506 (a safe loader)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Unreadable(f"{where} is not YAML{line}: {error.problem or 'it breaks off'}.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Unreadable(f"{where} is not YAML that can be read.") from None


def _bounded(value: Any, where: str) -> Any:
    """Return the value. Raises Unreadable when walking it would take very long, aliases followed."""
    left = MAX_VALUES
    for _ in _walk(value, 0, where):
        left -= 1
        if left < 0:
            raise Unreadable(f"{where} stands for more than {MAX_VALUES:,} values.")
    return value


def _walk(value: Any, depth: int, where: str) -> Iterator[None]:
    if depth > MAX_DEPTH:
        raise Unreadable(f"{where} is nested more than {MAX_DEPTH} deep.")
    yield None
    if isinstance(value, dict):
        for inner in value.values():
            yield from _walk(inner, depth + 1, where)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _walk(inner, depth + 1, where)
