"""The discussion as the page shows it: threads beside the words they point at, and the rest below."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.prompts import anchors
from apps.prompts.models import ChangeRequest, ChangeRequestItem, Comment, Version

Place = tuple[int, int]  # prompt id, place of the message


@dataclass
class Thread:
    """A remark with its answers. `is_outdated` when the words it points at are not there any more."""

    first: Comment
    replies: list[Comment] = field(default_factory=list)
    is_outdated: bool = False


@dataclass
class Discussion:
    """All threads of a request: those beside a message, and those about the whole or about words that are gone."""

    beside: dict[Place, list[Thread]]
    below: list[Thread]

    @property
    def open_threads(self) -> int:
        """Count what was pointed at and is not dealt with."""
        threads = [*self.below, *(one for there in self.beside.values() for one in there)]
        return sum(thread.first.is_anchored and not thread.first.resolved_at for thread in threads)


def of(request: ChangeRequest) -> Discussion:
    """Read a request's discussion and put each thread where its words stand now. Prefetch items__version."""
    items = {item.prompt_id: item for item in request.items.all()}
    threads = _threads(request.comments.loaded())
    older = _older_texts(threads, items)
    beside: dict[Place, list[Thread]] = {}
    below = []
    for thread in threads:
        place = _place(thread.first, items, older) if thread.first.is_anchored else None
        if place:
            beside.setdefault(place, []).append(thread)
        else:
            thread.is_outdated = thread.first.is_anchored
            below.append(thread)
    return Discussion(beside, below)


def _threads(comments: Iterable[Comment]) -> list[Thread]:
    threads: dict[int, Thread] = {}
    for comment in comments:
        if comment.reply_to_id is None:
            threads[comment.pk] = Thread(comment)
        else:
            threads[comment.reply_to_id].replies.append(comment)
    return list(threads.values())


def _older_texts(threads: list[Thread], items: dict[int, ChangeRequestItem]) -> dict[tuple[int, int | None], Version]:
    """Load the versions that remarks about whole messages were written under, where another is asked for now."""
    wanted = [
        (one.prompt_id, one.version_number)
        for one in (thread.first for thread in threads)
        if one.prompt_id in items and not one.quote and one.version_number != items[one.prompt_id].version.number
    ]
    if not wanted:
        return {}
    found = Version.objects.filter(prompt__in={pk for pk, _ in wanted}, number__in={number for _, number in wanted})
    return {(version.prompt_id, version.number): version for version in found}


def _place(
    comment: Comment, items: dict[int, ChangeRequestItem], older: dict[tuple[int, int | None], Version]
) -> Place | None:
    """Return where the words of a remark stand in what is asked for now, None when they are gone."""
    if comment.prompt_id is None or comment.message is None or comment.prompt_id not in items:
        return None
    content = items[comment.prompt_id].version
    if not comment.quote:
        before = older.get((comment.prompt_id, comment.version_number), content)
        same = anchors.text_of(before, comment.message) == anchors.text_of(content, comment.message)
        return (comment.prompt_id, comment.message) if same else None
    places = [comment.message, *(n for n in range(len(content.messages)) if n != comment.message)]
    found = next((place for place in places if anchors.is_there(content, place, comment.quote)), None)
    return None if found is None else (comment.prompt_id, found)
