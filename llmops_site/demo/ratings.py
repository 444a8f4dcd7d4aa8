"""What Ana and Amir thought: each has a taste of their own, so they agree often and not always."""

import random
import re
from datetime import timedelta
from uuid import uuid4

from apps.accounts.models import User
from apps.reviews import actions, assignment
from apps.reviews.models import Item, Lease, Queue, Rating, Slot
from llmops_site.demo.clock import Clock

ORDER = re.compile(r"PM-\d{5}")
GREETINGS = ("Hi ", "Hello", "Dear ")
LEANING = 0.35
DREADFUL = -1.2
# How much each minds a text that goes on and on, and how much a stiff one.
TASTES = {"Ana Sousa": (1.4, 0.1), "Amir Kazemi": (0.9, 0.3)}
REMARKS = (
    "Both fine, this one sounds like a person.",
    "Says what happens next.",
    "Too long, I stopped reading.",
    "Promises money, we cannot do that.",
)


def rate(queue: Queue, rater: User, clock: Clock, count: int = 1_000) -> int:
    """Let somebody rate up to so many pairs of a queue, best first; return how many they did."""
    done = 0
    items = Item.objects.with_answers().filter(queue=queue).order_by("-priority", "id")
    chosen = list(items[:count])
    for item in chosen:
        slot = Slot.objects.unfinished().filter(item=item, rater=None).order_by("k").first()
        if slot is not None:
            _rate_one(queue, item, slot, rater, clock, is_last=item == chosen[-1])
            done += 1
    return done


def _rate_one(queue: Queue, item: Item, slot: Slot, rater: User, clock: Clock, *, is_last: bool) -> None:
    draw = random.Random(f"{rater.name} {item.content_hash}")  # noqa: S311  repeatable
    token, key = uuid4(), uuid4()
    opened = clock.moment
    Slot.objects.filter(pk=slot.pk).update(rater=rater, token=token, available_at=opened + assignment.LEASE)
    Lease.objects.create(token=token, slot=slot, rater=rater)
    seconds = round(draw.lognormvariate(3.3, 0.45))
    clock.wait(seconds=seconds + 2)
    answer = _answer(opinion(item, rater, draw), slot)
    comment = draw.choice(REMARKS) if draw.random() < 0.12 else ""
    if is_last:
        actions.submit_rating(
            queue=queue, token=token, key=key, answer=answer, comment=comment, seconds=seconds, acting_user=rater
        )
    else:  # The change request hears of the last: forty reports in an hour would say the same.
        assignment.submit(queue, rater, token=token, key=key, answer=answer, comment=comment, seconds=seconds)
    Rating.objects.filter(idempotency_key=key).update(at=clock.moment)
    Slot.objects.filter(pk=slot.pk).update(done_at=clock.moment, available_at=opened + timedelta(minutes=15))


def opinion(item: Item, rater: User, draw: random.Random) -> str:
    """Return which answer somebody prefers, judged from the two texts and their taste."""
    expected = item.output_candidate.case.expected
    mine, live = (_points(text, expected, rater) for text in (item.output_candidate.text, item.output_baseline.text))
    difference = mine - live + draw.gauss(0.0, 0.3)
    if max(mine, live) < DREADFUL:
        return Rating.Verdict.BOTH_BAD
    if abs(difference) < LEANING:
        return Rating.Verdict.TIE
    return Rating.Verdict.CANDIDATE if difference > 0 else Rating.Verdict.BASELINE


def _points(text: str, expected: str, rater: User) -> float:
    """Return how much somebody likes a text: letters by their manners, everything else by what it should hold."""
    words = len(text.split())
    if not text.startswith(GREETINGS):
        return 1.0 * (text == expected) + 0.8 * bool(expected and expected in text) - 0.5 * (words > 40)
    length, stiffness = TASTES[rater.name]
    lowered = text.lower()
    points = 0.8 * bool(ORDER.search(text)) + 0.25 * ("?" in text)
    points += 0.3 * ("hear from us" in lowered) + 0.2 * ("sorry" in lowered)
    points -= 1.6 * ("full refund" in lowered) + 0.9 * ("our policy" in lowered)
    return points - length * (words > 110) - stiffness * text.startswith("Dear") - 0.6 * (words < 42)


def _answer(verdict: str, slot: Slot) -> str:
    """Return the key that somebody presses for a verdict, given which answer stands on the left."""
    if verdict not in (Rating.Verdict.CANDIDATE, Rating.Verdict.BASELINE):
        return str(verdict)
    stands_right = slot.flipped == (verdict == Rating.Verdict.CANDIDATE)
    return str(Rating.Answer.B if stands_right else Rating.Answer.A)
