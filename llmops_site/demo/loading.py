"""Loads the demo workspace: all of it or nothing, in one transaction.

A load that is killed leaves no trace in the database, so there is no half-loaded workspace to mend: the next start finds
none and begins anew. A start that finds `demo.json` missing, or keys in it that do not work, makes new keys.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.core.errors import DomainError
from apps.costs import ledger, partitions, pricing
from apps.llm import hours
from apps.notices.models import Notification
from apps.prompts import actions as prompts
from llmops_site.demo import card, clock, limits, models, people, playground, plot
from llmops_site.demo.people import Cast
from llmops_site.demo.story import Days, Story
from llmops_site.demo.traffic import Ledger

logger = logging.getLogger(__name__)

ZONE = ZoneInfo("Europe/Lisbon")
LOCK = 0x6A11DE
READ_AFTER = timedelta(days=2)


class OthersAreHere(DomainError):
    """The desk already belongs to somebody: accounts with a published password have no place on it."""


@dataclass
class Loaded:
    """What a load did: whether the workspace is new, whether anything changed, and how long each part took."""

    cast: Cast
    is_new: bool = False
    changed: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[part] = round(time.perf_counter() - started, 2)


def load(*, url: str = "", provider_url: str, force: bool = False, say: Callable[[str], None] = logger.info) -> Loaded:
    """Load the workspace unless it is there, lead its connections to the provider, and bring demo.json up to date.

    Raises OthersAreHere on a desk with other workspaces (unless forced), and DomainError when the provider's
    address may not be called.
    """
    now = timezone.now()
    # Made and committed ahead: a table that is attached in the long transaction below would be locked until its end.
    partitions.ensure(now - timedelta(days=plot.FIRST_DAY + 2), now)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cast = people.gather()
        loaded = _load(now, provider_url, force, say) if cast is None else Loaded(cast)
        if not loaded.is_new:
            loaded.changed = models.readdress(loaded.cast, provider_url)
        # Still under the lock: a second loader must find the card of the first. Should the commit fail, the next start
        # sees that the card's keys are not there.
        loaded.changed |= card.renew(loaded.cast, url)
    pricing.forget()
    return loaded


def _load(now: datetime, provider_url: str, force: bool, say: Callable[[str], None]) -> Loaded:
    if Workspace.objects.exists() and not force:
        raise OthersAreHere(
            "This desk already holds a workspace. The demo would add accounts with a published password to it; "
            "use --force if that is what you want."
        )
    days = Days(now, ZONE)
    with clock.set_back(days.ago(plot.FIRST_DAY, 8.0)) as then:
        cast = people.hire(then)
        loaded = Loaded(cast, is_new=True, changed=True)
        with loaded.timed("models"):
            models.connect(cast, provider_url)
            prompts.create_environments(workspace=cast.workspace, acting_user=cast.users["olga"])
        with loaded.timed("history"):
            story = Story(cast, then, days)
            plot.outline(story)
            story.tell()
    say("The history is written; now ninety days of charges.")
    with loaded.timed("charges"):
        book = Ledger(cast, days)
        _book(book)
    with loaded.timed("calls"):
        playground.try_out(cast, book)
        hours.rebuild(days.ago(plot.FIRST_DAY, 0.0), now, cast.workspace.pk)
    with loaded.timed("limits"):
        limits.set_budgets(cast)
        limits.prove(cast)
        limits.tighten(cast)
    _quiet(cast.workspace, now)
    return loaded


def _book(book: Ledger) -> None:
    """Book the charges, drawing the next ones while the database is busy with the last."""
    charges = (charge for day in book.charges() for charge in day)
    with ThreadPoolExecutor(max_workers=1) as drawing:
        ahead = drawing.submit(_next, charges)
        while batch := ahead.result():
            ahead = drawing.submit(_next, charges)
            ledger.record(batch)


def _next(charges: Iterator[ledger.NewCharge]) -> list[ledger.NewCharge]:
    return list(islice(charges, 5 * ledger.BATCH))


def _quiet(workspace: Workspace, now: datetime) -> None:
    """Let bells of the past stay silent: what was told was mailed then, and most of it has been read."""
    notices = Notification.objects.filter(workspace=workspace)
    notices.update(emailed_at=F("created_at"))
    old = notices.filter(created_at__lt=now - READ_AFTER)
    old.update(read_at=F("created_at") + timedelta(hours=1))
    # Tasks that the actions would ring for on commit are about runs that have ended and mails that have been sent.
    connection.run_on_commit.clear()
