"""Ninety days of charges, at the prices then in force and for the versions then live. Every load draws the same."""

import random
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from apps.core.ids import uuid7
from apps.costs import pricing
from apps.costs.ledger import NewCharge
from apps.costs.models import Meter, Price
from apps.prompts.models import Deployment, Version
from llmops_site.demo import models, voice
from llmops_site.demo.people import Cast
from llmops_site.demo.story import Days
from llmops_site.demo.streams import CUSTOMERS, STREAMS, Stream

WANTED = 220_000
SEED = "Papermoon"
GREW_FROM = 0.55
SPIKE_DAY, SPIKE, TUESDAY = 31, 2.4, 1
FAILED, ESTIMATED = 0.011, 0.006
METERS = tuple(Meter)
NOTHING = pricing.PLACES * 0
LIVE = tuple[list[datetime], list[Version]]


@dataclass(frozen=True)
class Booking:
    """How many calls of a stream fall on a day."""

    stream: Stream
    days_ago: int
    count: int


def bookings(days: Days, started: Mapping[str, int]) -> list[Booking]:
    """Spread the wanted number of calls over days and streams, oldest day first. `started` is a prompt's first day."""
    draw = random.Random(SEED)  # noqa: S311  repeatable, and guards nothing
    spike = _spike_day(days)
    weights: list[tuple[Stream, int, float]] = []
    for ago in range(max(stream.first_day for stream in STREAMS), -1, -1):
        weekday = days.ago(ago, 12).weekday()
        for stream in STREAMS:
            noise = draw.gauss(1.0, 0.06)
            begins = min(stream.first_day, started.get(stream.prompt, stream.first_day))
            if begins >= ago >= stream.last_day:
                weights.append((stream, ago, _level(stream, ago, spike) * stream.week[weekday] * stream.share * noise))
    whole = sum(weight * (_passed(days) if ago == 0 else 1.0) for _, ago, weight in weights)
    return [Booking(stream, ago, round(weight * WANTED / whole)) for stream, ago, weight in weights]


def _spike_day(days: Days) -> int:
    """Return how many days ago the busiest day was: a Tuesday, since a busy Sunday would not stand out."""
    return SPIKE_DAY + (days.ago(SPIKE_DAY, 12).weekday() - TUESDAY) % 7


def _level(stream: Stream, ago: int, spike: int) -> float:
    growth = GREW_FROM + (1 - GREW_FROM) * (1 - ago / stream.first_day) if stream.first_day else 1.0
    return growth * (SPIKE if ago == spike and stream.has_customers else 1.0)


def _passed(days: Days) -> float:
    """Return how much of today is over."""
    return (days.now - days.ago(0, 0)).total_seconds() / 86_400


class Ledger:
    """Makes the charges of the bookings. Holds what they are made of: people, prices, and what was live when."""

    def __init__(self, cast: Cast, days: Days) -> None:
        self.cast = cast
        self.days = days
        self.draw = random.Random(SEED)  # noqa: S311  as above
        self.connections = {name: model.connection_id for name, model in models.models_of(cast.workspace).items()}
        self.prompts = {prompt.name: prompt for prompt in cast.workspace.prompts.all()}
        self.live = _live(cast)
        self.prices: dict[str, list[Price]] = {}
        for price in Price.objects.filter(workspace=cast.workspace, provider=models.PROVIDER):
            self.prices.setdefault(price.model, []).append(price)
        self.in_force = lru_cache(maxsize=4096)(self._in_force)
        self.amount = lru_cache(maxsize=200_000)(pricing.amount_of)

    def started(self) -> dict[str, int]:
        """Return how many days ago each prompt first went live in production."""
        found = {name: moments[0] for (name, place), (moments, _) in self.live.items() if place == "production"}
        return {name: (self.days.now - moment).days for name, moment in found.items()}

    def charges(self) -> Iterator[list[NewCharge]]:
        """Yield the charges of programs day by day, none later than now. What people try, `playground` asks for."""
        day: list[NewCharge] = []
        current = -1
        for booking in bookings(self.days, self.started()):
            if booking.stream.person:
                continue
            if booking.days_ago != current and day:
                yield day
                day = []
            current = booking.days_ago
            day += self._of_booking(booking)
        yield day

    def _of_booking(self, booking: Booking) -> Iterator[NewCharge]:
        names = self._names(booking.stream)
        for at in self.moments(booking):
            found = self._charge(booking.stream, names, at)
            if found is not None:
                yield found

    def moments(self, booking: Booking) -> Iterator[datetime]:
        """Yield when the calls of a booking were made, in no order, and none later than now."""
        midnight = datetime.combine(
            self.days.now.astimezone(self.days.zone).date() - timedelta(days=booking.days_ago), time(), self.days.zone
        ).astimezone(UTC)
        for hour in self.draw.choices(range(24), booking.stream.hours, k=booking.count):
            at = midnight + timedelta(hours=hour, seconds=self.draw.random() * 3600)
            if at < self.days.now:
                yield at

    def _names(self, stream: Stream) -> dict[str, Any]:
        """Return what all charges of a stream say alike."""
        key, team = self.cast.keys.get(stream.key), self.cast.teams[stream.team]
        user, prompt = self.cast.users.get(stream.person), self.prompts.get(stream.prompt)
        return {
            "workspace_id": self.cast.workspace.pk,
            "provider": models.PROVIDER,
            "purpose": stream.purpose,
            "environment": stream.environment,
            "team_id": team.pk,
            "team_name": team.name,
            "api_key_id": key.pk if key else None,
            "api_key_name": key.name if key else "",
            "user_id": user.pk if user else None,
            "user_name": user.name if user else "",
            "prompt_id": prompt.pk if prompt else None,
            "prompt_name": stream.prompt,
        }

    def _charge(self, stream: Stream, names: dict[str, Any], at: datetime) -> NewCharge | None:
        model, more = stream.model, dict[str, Any]()
        if stream.prompt:
            version = self.version_at(stream, at)
            if version is None:
                return None
            model = str(version.model_config["model"])
            more = {"version_id": version.pk, "version_number": version.number}
        if stream.has_customers and self.draw.random() < 0.6:
            more["customer"] = CUSTOMERS[min(int(self.draw.expovariate(0.25)), len(CUSTOMERS) - 1)]
        return NewCharge(
            id=uuid7(at),
            model=model,
            connection_id=self.connections.get(model),
            **names,
            **more,
            **self._outcome(stream, model, at),
        )

    def version_at(self, stream: Stream, at: datetime) -> Version | None:
        """Return what was live for the stream at that moment."""
        return _at(self.live.get((stream.prompt, stream.environment)), at)

    def _outcome(self, stream: Stream, model: str, at: datetime) -> dict[str, Any]:
        """Draw how the call went: tokens, time and cost. What was refused cost nothing, what broke off is estimated."""
        draw, luck = self.draw, self.draw.random()
        if luck < FAILED * 0.7:
            return {"cost": NOTHING, "failed": True, "latency_ms": round(draw.uniform(20, 400))}
        tokens_in = max(20, round(stream.input_tokens * draw.lognormvariate(0.0, stream.spread)))
        tokens_out = max(1, round(stream.output_tokens * draw.lognormvariate(0.0, stream.spread)))
        meters = {Meter.INPUT: tokens_in, Meter.OUTPUT: tokens_out}
        if not stream.prompt:  # the nightly jobs send one long text again and again
            meters[Meter.CACHE_READ] = meters[Meter.INPUT] // 2 if draw.random() < 0.8 else 0
            meters[Meter.INPUT] -= meters[Meter.CACHE_READ]
        cost, price_ids = self._price(model, meters, at)
        return {
            "input_tokens": meters[Meter.INPUT],
            "cache_read_tokens": meters.get(Meter.CACHE_READ, 0),
            "output_tokens": tokens_out,
            "cost": cost,
            "price_ids": price_ids,
            "failed": luck < FAILED,
            "estimated": luck < FAILED + ESTIMATED,
            "counted_here": luck < FAILED + ESTIMATED,
            "latency_ms": 60_000 if luck < FAILED else voice.latency_of(draw, model, tokens_out),
        }

    def _price(self, model: str, meters: Mapping[Meter, int], at: datetime) -> tuple[Any, tuple[int, ...]]:
        """Price as `pricing.cost_of` does, remembering what the same count came to before."""
        rows = self.in_force(model, at.replace(minute=0, second=0, microsecond=0))
        if not rows:
            return None, ()
        used = [(meters[meter], rows[meter]) for meter in METERS if meters.get(meter)]
        cost = sum((self.amount(count, row.unit_price) for count, row in used), NOTHING)
        return cost, tuple(row.pk for _, row in used)

    def _in_force(self, model: str, hour: datetime) -> dict[Meter, Price]:
        until = [row for row in self.prices.get(model, []) if row.valid_to is None or hour < row.valid_to]
        return {Meter(row.meter): row for row in until if row.valid_from <= hour}


def _live(cast: Cast) -> dict[tuple[str, str], LIVE]:
    """Return for each prompt and environment when what was live changed, and to which version."""
    found: dict[tuple[str, str], LIVE] = {}
    rows = Deployment.objects.filter(prompt__workspace=cast.workspace).loaded().select_related("prompt", "environment")
    for deployment in rows.order_by("at", "id"):
        moments, versions = found.setdefault((deployment.prompt.name, deployment.environment.name), ([], []))
        moments.append(deployment.at)
        versions.append(deployment.version)
    return found


def _at(live: LIVE | None, at: datetime) -> Version | None:
    """Return what was live at that moment."""
    place = bisect_right(live[0], at) if live else 0
    return live[1][place - 1] if live and place else None
