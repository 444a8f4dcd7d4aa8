"""Numbers for pictures. Widths are percent of the picture."""

from dataclasses import dataclass

from apps.reviews.agreement import Preference


@dataclass(frozen=True)
class IntervalPicture:
    """A share with its interval on a line from 0 to 100 %."""

    low: float
    high: float
    share: float
    width: float


def interval_picture(preference: Preference) -> IntervalPicture | None:
    """Return the picture of a preference; None while nobody has rated."""
    if preference.share is None or preference.interval is None:
        return None
    low, high = preference.interval.low * 100, preference.interval.high * 100
    return IntervalPicture(round(low, 1), round(high, 1), round(preference.share * 100, 1), round(high - low, 1))
