"""The calendar of budgets: days, weeks (from Monday), months, quarters and years of the workspace's time zone."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.costs.filters import midnight
from apps.costs.models import Budget

MONTHS = {Budget.Period.MONTH: 1, Budget.Period.QUARTER: 3, Budget.Period.YEAR: 12}


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """Return the day that a moment belongs to, as the ledger counts it."""
    return at.astimezone(zone).date()


def bounds(period: str, day: date) -> tuple[date, date]:
    """Return the first day of the period that holds the day, and the first day after it."""
    if period == Budget.Period.DAY:
        return day, day + timedelta(days=1)
    if period == Budget.Period.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(weeks=1)
    months = MONTHS[Budget.Period(period)]
    starts_on = date(day.year, (day.month - 1) // months * months + 1, 1)
    months_on = starts_on.month - 1 + months
    return starts_on, date(starts_on.year + months_on // 12, months_on % 12 + 1, 1)


def before(period: str, starts_on: date) -> tuple[date, date]:
    """Return the bounds of the period before the one that begins on that day."""
    return bounds(period, starts_on - timedelta(days=1))


def renews_at(ends_on: date, zone: ZoneInfo) -> datetime:
    """Return the moment from which on the next period's limit counts."""
    return midnight(ends_on, zone)
