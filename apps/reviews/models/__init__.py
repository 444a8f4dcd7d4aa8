from apps.reviews.models.queues import EPOCH, Item, Lease, Queue, Rubric, RubricVersion, Slot
from apps.reviews.models.ratings import Rating, RatingRevision, Side, Skip

__all__ = [
    "EPOCH",
    "Item",
    "Lease",
    "Queue",
    "Rating",
    "RatingRevision",
    "Rubric",
    "RubricVersion",
    "Side",
    "Skip",
    "Slot",
]
