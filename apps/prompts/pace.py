"""How often one person may ask the playground: a key that got stuck must not empty a budget."""

import time

from django.core.cache import cache

from apps.accounts.models import User
from apps.core.errors import DomainError

A_MINUTE = 120
SECONDS = 60


class TooFast(DomainError):
    """Somebody asked more often than a person can read."""

    status = 429
    code = "too-fast"


def spend(user: User, times: int, *, most: int = A_MINUTE) -> None:
    """Count that many questions of this minute. Raises TooFast when they are too many."""
    key = f"tries:{user.pk}:{int(time.time()) // SECONDS}"
    cache.add(key, 0, SECONDS * 2)
    try:
        asked = cache.incr(key, times)
    except ValueError:  # the minute ended in between
        return
    if asked > most:
        raise TooFast(f"That is over {most} questions within a minute. Wait a moment, then go on.")
