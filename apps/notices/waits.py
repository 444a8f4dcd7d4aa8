"""When to try again: seconds at first, hours in the end, for about two days."""

from datetime import timedelta

STEPS = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 900, 1800, 3600, 7200, 14400))
LONGEST_REST = timedelta(minutes=15)
GIVE_UP_AFTER = timedelta(hours=48)


def before_retry(attempts: int) -> timedelta:
    """Return how long a delivery waits after its `attempts`-th failure in a row."""
    return STEPS[min(attempts, len(STEPS)) - 1]


def rest(failures: int) -> timedelta:
    """Return how long an address is left alone after `failures` failures in a row, whatever waits for it."""
    return min(before_retry(failures), LONGEST_REST)
