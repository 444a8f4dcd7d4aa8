"""Folders of files in a zip: read in memory, within limits, nothing is ever unpacked to a disk."""

import io
import lzma
import stat
import zipfile
import zlib
from pathlib import PurePosixPath

from apps.core.text import MEGABYTE
from apps.prompts.importing.incoming import Unreadable

MAX_ENTRIES = 4_000
MAX_TOTAL = 40 * MEGABYTE
MAX_FILE = 2 * MEGABYTE
SUFFIXES = (".txt", ".md", ".markdown", ".prompt", ".yaml", ".yml", ".json")


BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, ValueError, OSError)


def is_zip(data: bytes) -> bool:
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def files_of(data: bytes) -> dict[str, bytes]:
    """Return the texts of an archive by their path.

    Raises Unreadable for a broken or encrypted archive, one of too many or too large files, and for paths that lead
    out of it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive)
    except BROKEN as error:
        raise Unreadable("The zip file is broken or only half of one.") from error
    except RuntimeError:
        raise Unreadable("The zip file is encrypted. Send it without a password.") from None


def _read(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise Unreadable(f"The zip file holds over {MAX_ENTRIES:,} files.")
    found: dict[str, bytes] = {}
    left = MAX_TOTAL
    for entry in entries:
        path = _path(entry)
        if path is None:
            continue
        # What an entry says of its size is only a claim: what comes out is counted.
        with archive.open(entry) as file:
            content = file.read(min(MAX_FILE, left) + 1)
        left -= len(content)
        if len(content) > MAX_FILE or left < 0:
            raise Unreadable(f"{path[:120]} is too large when it is unpacked.")
        found[path] = content
    return found


def _path(entry: zipfile.ZipInfo) -> str | None:
    """Return the entry's path, None for what is no text of somebody's. Raises Unreadable for a path that leads out."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise Unreadable(f"The zip file holds the path {entry.filename[:80]}, which leads out of it.")
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    link = stat.S_ISLNK(entry.external_attr >> 16)
    if entry.is_dir() or hidden or link or path.suffix.lower() not in SUFFIXES:
        return None
    return path.as_posix()
