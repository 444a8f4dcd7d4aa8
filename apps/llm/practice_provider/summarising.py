"""A shorter account of a message: what the matter is, with what, and what is wanted."""

from . import shaping
from .facts import TOPICS
from .work import Work

MATTERS = {
    "damaged": "reports damage to",
    "late": "is waiting for",
    "wrong": "received something other than",
    "refund": "wants to return",
    "cancel": "wants to cancel",
    "billing": "asks about a charge for",
    "account": "has trouble with the account for",
    "technical": "has a technical problem with",
    "praise": "is pleased with",
    "question": "has a question about",
    "other": "writes about",
}
OPINIONS = (
    "The customer is very upset and may leave us.",
    "This looks like a case for a full refund.",
    "The customer seems to be exaggerating.",
)


def write(work: Work) -> str:
    """Write the summary."""
    sentences = _sentences(work)
    ranks = list(range(len(sentences)))
    if not work.wishes.is_limited and work.slips("copies", 0.16):
        sentences = [*sentences, *[text for text in work.facts.sentences if text not in sentences]]
        ranks = list(range(len(sentences)))
    fitted = shaping.fit(sentences, ranks, work)
    if work.wants_json:
        return shaping.as_json(
            work, {"summary": " ".join(fitted), "topic": work.facts.topic, "order_number": work.facts.order or None}
        )
    if "bullets" in work.wishes.wanted:
        return "\n".join(f"- {text}" for text in fitted)
    return " ".join(fitted)


def _sentences(work: Work) -> list[str]:
    found = work.facts
    if len(found.sentences) < 2 and found.topic == "other":
        return [shaping.shorten(work.material, max(len(work.material.split()) * 2 // 3, 5))]
    order = "" if work.slips("forgets_order", 0.16, told="order" in work.wishes.wanted) else found.order
    thing = found.product or ("an order" if found.topic not in {"account", "question", "other"} else "our service")
    if found.product:
        thing = f"the {found.product}"
    reference = f" (order {order})" if order else ""
    first = f"{found.name or 'The customer'} {MATTERS[found.topic]} {thing}{reference}."
    sentences = [first]
    if found.key_sentence:
        sentences.append(f'In their words: "{shaping.shorten(found.key_sentence, 18)}"')
    if wish := _wish(found.sentences):
        sentences.append(f'They ask: "{shaping.shorten(wish, 14)}"')
    if work.slips("adds_opinion", 0.1, told="careful" in work.wishes.wanted):
        sentences.insert(1, work.chance.pick("opinion", OPINIONS))
    return sentences


def _wish(sentences: tuple[str, ...]) -> str:
    for text in reversed(sentences):
        if "?" in text or any(
            word in text.lower() for word in ("please", "i want", "i would like", *TOPICS["question"][:3])
        ):
            return text
    return ""
