"""What a queue has found: the numbers of its page, of its card on a change request and of the check it reports."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from apps.reviews import agreement
from apps.reviews.models import Item, Queue, Rating, Side, Slot


@dataclass(frozen=True)
class RaterLine:
    """One rater's share of a queue, and how often they took the answer on the left."""

    name: str
    ratings: int
    picks: int
    left_picks: int
    seconds: float | None

    @property
    def left_share(self) -> float | None:
        return self.left_picks / self.picks if self.picks else None

    @property
    def leans(self) -> bool:
        """Tell whether picking a side looks like a habit: half is outside the interval of the left share."""
        if not self.picks:
            return False
        interval = agreement.wilson(self.left_picks, self.picks)
        return not interval.low <= 0.5 <= interval.high


@dataclass(frozen=True)
class ItemLine:
    """One pair, what was said of it, and how far raters differ."""

    item: Item
    ratings: list[Rating]

    @property
    def verdicts(self) -> list[str]:
        return [rating.verdict for rating in self.ratings]

    @property
    def disagreement(self) -> float:
        return agreement.disagreement(self.verdicts)

    @property
    def summary(self) -> str:
        counts = Counter(self.verdicts)
        parts = [
            f"{counts[verdict.value]} \N{MULTIPLICATION SIGN} {verdict.label}"
            for verdict in Rating.Verdict
            if counts[verdict.value]
        ]
        return ", ".join(parts) or "not rated yet"


@dataclass(frozen=True)
class Results:
    """Everything counted of one queue."""

    queue: Queue
    ratings: list[Rating]
    wanted: int
    done: int

    @cached_property
    def units(self) -> list[list[str]]:
        by_item: dict[int, list[str]] = defaultdict(list)
        for rating in self.ratings:
            by_item[rating.item_id].append(rating.verdict)
        return list(by_item.values())

    @cached_property
    def preference(self) -> agreement.Preference:
        return agreement.preference(self.units)

    @cached_property
    def alpha(self) -> agreement.Estimate:
        return agreement.krippendorff_alpha(self.units)

    @cached_property
    def alpha_interval(self) -> agreement.Interval | None:
        return agreement.bootstrap(self.units, agreement.krippendorff_alpha)

    @cached_property
    def raw(self) -> agreement.Estimate:
        return agreement.raw_agreement(self.units)

    @cached_property
    def ac1(self) -> agreement.Estimate:
        return agreement.gwet_ac1(self.units)

    @property
    def agreement_words(self) -> str:
        return agreement.agreement_words(self.alpha)

    @property
    def rater_count(self) -> int:
        return len({rating.rater_id for rating in self.ratings})

    @property
    def is_complete(self) -> bool:
        return self.done >= self.wanted

    @property
    def verdicts(self) -> list[tuple[Rating.Verdict, int]]:
        counts = Counter(rating.verdict for rating in self.ratings)
        return [(verdict, counts[verdict.value]) for verdict in Rating.Verdict]

    @property
    def sentence(self) -> str:
        """Say what people think, never more than the interval allows."""
        found = self.preference
        if found.share is None or found.interval is None:
            return "Nobody has rated yet."
        numbers = f"{percent(found.share)} % of the time (95 % interval {span(found.interval)})"
        if found.is_better:
            return f"People prefer the candidate: it wins {numbers}."
        if found.is_worse:
            return f"People prefer what is live: the candidate wins only {numbers}."
        return f"No clear preference: the candidate wins {numbers}."

    @property
    def summary(self) -> str:
        """Return the line that a change request shows."""
        found = self.preference
        if found.share is None or found.interval is None:
            return "Nobody has rated yet"
        alpha = "not known" if self.alpha.value is None else f"{self.alpha.value:.2f}"
        return (
            f"{percent(found.share)} % prefer the candidate ({span(found.interval)}), "
            f"{plural(self.rater_count, 'rater')}, "
            f"{plural(found.items, 'pair')}, agreement {alpha}"
        )

    @property
    def evidence(self) -> dict[str, Any]:
        """Return the numbers behind the summary, as they go into a change request's record."""
        found, interval = self.preference, self.preference.interval
        return {
            "queue": self.queue.pk,
            "rubric": str(self.queue.rubric_version),
            "wanted": self.wanted,
            "ratings": len(self.ratings),
            "pairs": found.items,
            "raters": self.rater_count,
            "share": found.share,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
            "verdicts": {verdict.value: count for verdict, count in self.verdicts},
            "alpha": self.alpha.value,
            "ac1": self.ac1.value,
            "raw_agreement": self.raw.value,
        }

    @property
    def raters(self) -> list[RaterLine]:
        by_rater: dict[int, list[Rating]] = defaultdict(list)
        for rating in self.ratings:
            by_rater[rating.rater_id].append(rating)
        return sorted((_rater_line(mine) for mine in by_rater.values()), key=lambda line: (-line.ratings, line.name))

    def item_lines(self, limit: int = 200) -> list[ItemLine]:
        """Return the pairs, the most disputed first."""
        by_item: dict[int, list[Rating]] = defaultdict(list)
        for rating in self.ratings:
            by_item[rating.item_id].append(rating)
        items = self.queue.items.with_answers().prefetch_related("skips").order_by("-priority", "id")[:limit]
        lines = [ItemLine(item, by_item[item.pk]) for item in items]
        return sorted(lines, key=lambda line: (-line.disagreement, -len(line.ratings)))


def results_of(queue: Queue) -> Results:
    """Read what the queue has found, in two queries."""
    ratings = list(Rating.objects.of(queue).counted().select_related("rater").order_by("id"))
    done, wanted = progress_of(queue)
    return Results(queue, ratings, wanted, done)


def progress_of(queue: Queue) -> tuple[int, int]:
    """Return how many ratings are there and how many are wanted."""
    finished = list(Slot.objects.filter(queue=queue, dropped_at=None).values_list("done_at", flat=True))
    return sum(at is not None for at in finished), len(finished)


def _rater_line(mine: list[Rating]) -> RaterLine:
    picks = [rating for rating in mine if rating.verdict in Side.values]
    left = sum(rating.verdict == rating.shown_left for rating in picks)
    seconds = [rating.seconds_active for rating in mine if rating.seconds_active is not None]
    return RaterLine(str(mine[0].rater), len(mine), len(picks), left, median(seconds) if seconds else None)


def percent(share: float) -> int:
    """Round half up, as people do."""
    return int(share * 100 + 0.5)


def span(interval: agreement.Interval) -> str:
    return f"{percent(interval.low)}\N{EN DASH}{percent(interval.high)} %"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
