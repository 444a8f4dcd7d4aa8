import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from apps.costs import forecast

FIRST, TODAY, LAST = date(2026, 11, 1), date(2026, 11, 16), date(2026, 11, 30)


def history(cost_of, days=40):
    return {TODAY - timedelta(days=n): cost_of(TODAY - timedelta(days=n)) for n in range(1, days)}


def month_end(daily):
    return forecast.month_end(daily, first=FIRST, today=TODAY, last=LAST)


def test_equal_days_go_on_as_they_were_without_doubt():
    found = month_end(history(lambda day: Decimal(2)))
    assert (found.total, found.low, found.high) == (60, 60, 60)


def test_weekends_are_expected_to_be_as_quiet_as_they_were():
    found = month_end(history(lambda day: Decimal(0) if day.weekday() >= 5 else Decimal(10)))
    weekdays = sum(1 for n in range(30) if (FIRST + timedelta(days=n)).weekday() < 5)
    assert found.total == 10 * weekdays


def test_today_counts_what_it_has_cost_when_that_is_more_than_usual():
    found = month_end({**history(lambda day: Decimal(2)), TODAY: Decimal(12)})
    assert found.total == 70


def test_days_without_charges_are_zero_and_not_missing():
    daily = {day: cost for day, cost in history(lambda day: Decimal(2)).items() if day.weekday() != 0}
    assert all(cost == 0 for day, cost in month_end(daily).expected.items() if day.weekday() == 0)


def test_the_interval_holds_the_total_and_never_lies_below_what_is_spent():
    found = month_end(history(lambda day: Decimal(1) if day.day % 2 else Decimal(90)))
    spent = sum(Decimal(1) if n % 2 else Decimal(90) for n in range(1, 16))
    assert spent <= found.low < found.total < found.high


def test_more_scatter_is_more_doubt():
    calm = month_end(history(lambda day: Decimal(10) + day.day % 2))
    wild = month_end(history(lambda day: Decimal(10) + 9 * (day.day % 2)))
    assert wild.high - wild.low > calm.high - calm.low


@pytest.mark.parametrize("days", [1, 14])
def test_less_than_two_weeks_is_no_ground_for_a_forecast(days):
    assert month_end(history(lambda day: Decimal(2), days)) is None


@pytest.mark.parametrize("seen", [14, 28])
@pytest.mark.parametrize("today", [date(2026, 11, 1), date(2026, 11, 16)])
def test_eight_of_ten_months_end_within_the_interval(seen, today):
    chance = random.Random(7)
    days = [today - timedelta(days=n) for n in range(seen, 0, -1)]
    held, rounds = 0, 1_000
    for _ in range(rounds):

        def cost(day):
            return Decimal(max(0, round(100 + 20 * (day.weekday() < 5) + chance.gauss(0, 10), 4)))

        found = forecast.month_end({day: cost(day) for day in days}, first=today, today=today, last=LAST)
        ahead = [today + timedelta(days=n) for n in range((LAST - today).days + 1)]
        held += found.low <= sum(map(cost, ahead)) <= found.high
    assert 0.76 <= held / rounds <= 0.84


def test_two_weeks_are_enough():
    assert month_end(history(lambda day: Decimal(2), 15)).days_seen == 14
