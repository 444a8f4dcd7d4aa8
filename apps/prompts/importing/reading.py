"""Which reader knows this: told by what stands in it, not by how it is called."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from apps.prompts.importing import archives, galley, langfuse, openai, parsing, promptfoo, shapes
from apps.prompts.importing.incoming import MAX_BYTES, Batch, Incoming, IncomingVersion, Unreadable

DATA = (".json", ".yaml", ".yml")
TEXTS = (".txt", ".md", ".markdown", ".prompt")


def read(name: str, data: bytes) -> Batch:
    """Return the prompts in a file or a zip of files. Raises Unreadable with what is wrong with it."""
    if len(data) > MAX_BYTES:
        raise Unreadable(f"The file is {len(data) / 2**20:.1f} MB; at most {MAX_BYTES // 2**20} MB can be read.")
    if not data.strip():
        raise Unreadable("The file is empty.")
    if archives.is_zip(data):
        return _folder(archives.files_of(data)).check()
    return _file(PurePosixPath(name.replace("\\", "/")).name or "pasted.json", data, {}).check()


def _folder(files: Mapping[str, bytes]) -> Batch:
    batch = Batch("Files")
    root = _common_root(list(files))
    pointed: set[str] = set()
    for path, data in sorted(files.items(), key=lambda item: not item[0].endswith(DATA)):
        if path in pointed:
            continue
        try:
            found = _file(path, data, files, root)
        except Unreadable as error:
            batch.problems.append(f"{path}: {error.message}")
            continue
        if found.source == promptfoo.SOURCE:
            pointed |= _pointed(data, path)
        batch.prompts += found.prompts
        batch.problems += found.problems
    return batch


def _common_root(paths: list[str]) -> str:
    """Return the one folder that everything stands in, as zip files of a folder have it."""
    first = {path.split("/")[0] for path in paths if "/" in path}
    return first.pop() + "/" if len(first) == 1 and all("/" in path for path in paths) else ""


def _pointed(data: bytes, path: str) -> set[str]:
    """Return the files that a promptfoo file takes its texts from: they are no prompts of their own."""
    folder = path.rpartition("/")[0]
    listed = parsing.from_yaml(parsing.decoded(data, path), path)["prompts"]
    every = listed if isinstance(listed, list) else [listed]
    raws = [one.get("raw", one.get("id", "")) if isinstance(one, dict) else one for one in every if one]
    names = [raw.removeprefix(promptfoo.FILE).removeprefix("./") for raw in raws if isinstance(raw, str)]
    return {f"{folder}/{name}".strip("/") for name in names}


def _file(path: str, data: bytes, beside: Mapping[str, bytes], root: str = "") -> Batch:
    text = parsing.decoded(data, path)
    suffix = PurePosixPath(path).suffix.lower()
    looks_like_json = suffix not in TEXTS and text.lstrip().startswith(("{", "["))
    if suffix in DATA or looks_like_json:
        is_json = suffix == ".json" or suffix not in DATA
        value = parsing.from_json(text, path) if is_json else parsing.from_yaml(text, path)
        return _known(value, path, beside)
    name = PurePosixPath(path.removeprefix(root)).with_suffix("").as_posix()
    return Batch("Files", [_plain(name, text)])


def _known(value: Any, path: str, beside: Mapping[str, bytes]) -> Batch:
    if galley.is_ours(value):
        return Batch("Galley", [galley.read(value, path)])
    if isinstance(value, list) and value and all(galley.is_ours(one) for one in value):
        return Batch("Galley", [galley.read(one, path) for one in value])
    if langfuse.looks_like(value):
        return langfuse.read(value)
    if promptfoo.looks_like(value):
        return promptfoo.read(value, beside, path.rpartition("/")[0])
    if openai.looks_like(value):
        return openai.read(value)
    raise Unreadable(
        f"{path} is neither Galley's own file, nor prompts of Langfuse, nor promptfoo's, nor a prompt of OpenAI."
    )


def _plain(name: str, text: str) -> Incoming:
    if not text.strip():
        raise Unreadable("it is empty")
    kind, messages = shapes.chat_or_text(text)
    texts = [one["content"] for one in messages if "content" in one]
    content = {"messages": messages, "format": shapes.format_of(texts)}
    return Incoming(name, kind, [IncomingVersion(content, "From a file")])
