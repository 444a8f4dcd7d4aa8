"""Folders are the slashes in names: the tree as far as it is open."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Folder:
    """One visible line of the tree."""

    path: str
    name: str
    depth: int
    count: int  # of prompts below it, however deep
    is_open: bool
    is_here: bool
    has_folders: bool


def tree(counts: Iterable[tuple[str, int]], here: str) -> list[Folder]:
    """Return the first level, and below the folders on the way to `here` what they hold.

    `counts` says how many prompts stand directly in each folder; those without a folder are left out.
    """
    totals: dict[str, int] = {}
    for path, count in counts:
        while path:
            totals[path] = totals.get(path, 0) + count
            path = path.rpartition("/")[0]
    children: dict[str, list[str]] = {}
    for path in totals:
        children.setdefault(path.rpartition("/")[0], []).append(path)
    return _opened(children, totals, here, "", 0)


def _opened(children: dict[str, list[str]], totals: dict[str, int], here: str, parent: str, depth: int) -> list[Folder]:
    found: list[Folder] = []
    for path in sorted(children.get(parent, []), key=str.casefold):
        is_open = here == path or here.startswith(f"{path}/")
        name = path.rpartition("/")[2]
        found.append(Folder(path, name, depth, totals[path], is_open, here == path, path in children))
        if is_open:
            found += _opened(children, totals, here, path, depth + 1)
    return found
