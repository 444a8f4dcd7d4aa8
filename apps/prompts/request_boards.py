"""What the pages of change requests show: the lists by whose turn it is, and the items of one."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator

from apps.accounts.models import Membership
from apps.accounts.rights import Right
from apps.costs import spend
from apps.costs.models import Purpose
from apps.prompts import anchors, boards, diffs
from apps.prompts.discussion import Discussion, Thread
from apps.prompts.models import ChangeRequest, ChangeRequestItem, Prompt
from apps.prompts.models.changes import ChangeRequestQuerySet, State

LIMIT = 100
PURPOSES = (Purpose.PRODUCTION, Purpose.EVALUATION)


@dataclass(frozen=True)
class Filter:
    """What the list is narrowed to."""

    show: str = ""
    environment: str = ""
    query: str = ""


@dataclass(frozen=True)
class Lists:
    """The requests of a workspace: those that wait, with whose turn it is; drafts; and what is over."""

    waiting: list[boards.Waiting]
    drafts: list[ChangeRequest]
    closed: Page[ChangeRequest]

    def count(self, name: str) -> int:
        """Return how many a list holds, beyond what one page shows of it."""
        return self.closed.paginator.count if name == "closed" else len(getattr(self, name))

    @property
    def mine(self) -> list[boards.Waiting]:
        return [one for one in self.waiting if one.mine]

    @property
    def open(self) -> list[boards.Waiting]:
        return [one for one in self.waiting if not one.request.is_scheduled]

    @property
    def scheduled(self) -> list[boards.Waiting]:
        found = [one for one in self.waiting if one.request.is_scheduled]
        return sorted(found, key=lambda one: (one.request.scheduled_at, one.request.pk))


def lists(membership: Membership, wanted: Filter, page: str | None = None) -> Lists:
    """Read what the list of requests shows, in a fixed number of queries."""
    requests = membership.workspace.change_requests.matching(wanted.query)
    if wanted.environment:
        requests = requests.filter(environment__name=wanted.environment)
    drafts = _rows(requests.drafts_of(membership.user).newest_first())
    closed = Paginator(_with_items(requests.closed().order_by("-closed_at", "-id")), LIMIT).get_page(page)
    return Lists(boards.waiting_of(membership, requests, LIMIT), drafts, closed)


def _rows(requests: ChangeRequestQuerySet) -> list[ChangeRequest]:
    return list(_with_items(requests)[:LIMIT])


def _with_items(requests: ChangeRequestQuerySet) -> ChangeRequestQuerySet:
    return requests.select_related("environment", "author").prefetch_related("items__prompt", "items__version")


@dataclass(frozen=True)
class MessageCard:
    """A message of the difference, what was said beside it, and the lines that can be pointed at."""

    diff: diffs.MessageDiff
    place: int
    threads: list[Thread]
    lines: list[str]


def item_card(item: ChangeRequestItem, talk: Discussion) -> dict[str, Any]:
    """Collect the diff against live with the threads beside it, the newer version if any, and what both cost."""
    before = item.base.version if item.base else None
    difference = diffs.between(before, item.version)
    newest = item.prompt.versions.newest_first().first()
    return {
        "item": item,
        "before": before,
        "diff": difference,
        "messages": [_message_card(item, message, talk) for message in difference.messages],
        "newer": newest if newest and newest.number > item.version.number else None,
        "money": _money(item),
    }


def _message_card(item: ChangeRequestItem, message: diffs.MessageDiff, talk: Discussion) -> MessageCard:
    place = message.number - 1
    lines = [] if message.status == "removed" else anchors.lines_of(item.version, place)
    return MessageCard(message, place, talk.beside.get((item.prompt_id, place), []), lines)


def _money(item: ChangeRequestItem) -> list[dict[str, Any]]:
    before = item.base.version if item.base else None
    rows = []
    for purpose in PURPOSES:
        spent = spend.by_version(item.prompt.workspace_id, item.prompt_id, purpose)
        rows.append(
            {
                "label": purpose.label,
                "before": spent.get(before.pk) if before else None,
                "after": spent.get(item.version_id),
            }
        )
    return rows


def people_to_name(membership: Membership) -> list[str]:
    """Return the names that may stand behind an @: members who can open the page."""
    members = membership.workspace.memberships.with_right(Right.VIEW).by_name().filter(user__is_active=True)
    return [str(member.user) for member in members]


def may_undo(request: ChangeRequest, membership: Membership) -> bool:
    """Tell whether the release still stands as it was made, so that one click can take it back."""
    if request.state != State.APPLIED or not request.environment.may_be_changed_by(membership):
        return False
    made = request.deployments.filter(kind="deploy")
    if not made.exists():
        return False
    return not made.exclude(next=None).exists()


def could_take(membership: Membership, prompt: Prompt) -> list[ChangeRequest]:
    """Return the requests that could take this prompt in: one's own drafts, and what is open without it."""
    wanted = membership.workspace.change_requests.collecting().visible_to(membership.user)
    without = wanted.exclude(items__prompt=prompt)
    return _rows(without.order_by("-id"))
