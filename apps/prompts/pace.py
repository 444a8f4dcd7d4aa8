"""How often one person may ask the playground: a key that got stuck must not empty a budget."""

from datetime import datetime, timedelta

from apps.accounts.models import Membership
from apps.core.errors import DomainError
from apps.costs.models import Purpose
from apps.llm.models import Call

A_MINUTE = 120
SPAN = timedelta(minutes=1)


class TooFast(DomainError):
    """Somebody asked more often than a person can read."""

    status = 429
    code = "too-fast"


def allow(membership: Membership, times: int, *, now: datetime) -> None:
    """Let a person ask that often again. Raises TooFast when that makes too many within a minute."""
    calls = Call.objects.filter(workspace=membership.workspace).by_person(membership.user.pk).since(now - SPAN)
    if calls.filter(purpose=Purpose.PLAYGROUND).count() + times > A_MINUTE:
        raise TooFast(f"That is over {A_MINUTE} questions within a minute. Wait a moment, then go on.")
