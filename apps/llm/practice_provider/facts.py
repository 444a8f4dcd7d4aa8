"""What a customer's message says: who writes, about which order and product, and what is the matter."""

import re
from dataclasses import dataclass
from functools import lru_cache

ORDER = re.compile(
    r"(?:\border(?:\s+(?:number|no\.?|id))?\s{0,3}[:#]?\s{0,3}|#)([A-Z]{0,4}-?\d[\d-]{2,}\d|[A-Z]{1,4}-\d{2,})", re.I
)
LOOSE_ORDER = re.compile(r"\b([A-Z]{2,4}-\d{3,}|\d{5,})\b")
NAME = re.compile(
    r"(?i:\bmy name is|\bI am|\bI'm|\bthis is|\bregards,?|\bthanks,?|\bsincerely,?|\bbest,?|\bcheers,?|\byours,?|\bcustomer:|\bname:|\bfrom:)"
    r"\s+([A-Z][a-zà-ÿ]+(?:[ -][A-Z][a-zà-ÿ]+)?)"
)
NOT_NAMES = {
    "The",
    "This",
    "That",
    "Not",
    "Very",
    "So",
    "In",
    "A",
    "Still",
    "Just",
    "Your",
    "My",
    "Order",
    "Dear",
    "Hello",
}
EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{0,64}\w")
PHONE = re.compile(r"\+\d[\d ()-]{7,}\d")
MONEY = re.compile(r"(?:[$€£]\s?\d+(?:[.,]\d{2})?|\b\d+(?:[.,]\d{2})?\s?(?:€|EUR|USD|GBP|dollars|euros|pounds))", re.I)
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE = re.compile(
    rf"\b(?:\d{{4}}-\d\d-\d\d|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:{MONTHS})|(?:{MONTHS})\s+\d{{1,2}}|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}})\b"
)
WEEKDAY = re.compile(r"\b(?:last |on )?(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b")
PRODUCT = re.compile(
    r"\b(?:my|the|your|a|an|this|new)\s+((?:[\w'-]+\s+){0,2}?(?:jacket|boots?|shoes?|tent|backpack|lamp|kettle|headphones|earbuds|laptop|"
    r"phone|tablet|charger|cable|keyboard|monitor|mouse|printer|camera|watch|bike|bicycle|helmet|sofa|chair|desk|table|mattress|blender|"
    r"toaster|grinder|machine|maker|oven|vacuum|router|speaker|toy|book|mug|bottle|shirt|dress|coat|sweater|trousers|jeans|bag|suitcase|"
    r"subscription|plan|app|gift card|stove|sleeping bag|rucksack|torch|hammock|gloves|scarf|heater|fan|pillow|pan|knife|ring|necklace))\b",
    re.I,
)
NAMED_PRODUCT = re.compile(r"\b(?:my|the|your|a|an)\s+((?:[A-Z][\w-]*\s)+(?:[A-Z0-9][\w-]*))")
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")

TOPICS: dict[str, tuple[str, ...]] = {
    "damaged": (
        "broken",
        "damaged",
        "cracked",
        "torn",
        "scratched",
        "dented",
        "shattered",
        "defect",
        "faulty",
        "leak",
        "ripped",
    ),
    "late": (
        "late",
        "delayed",
        "not arrived",
        "hasn't arrived",
        "has not arrived",
        "still waiting",
        "where is",
        "tracking",
        "deliver",
    ),
    "wrong": ("wrong", "instead of", "different size", "different colour", "not what i ordered", "mixed up", "missing"),
    "refund": ("refund", "money back", "return", "send it back", "reimburse"),
    "cancel": ("cancel", "unsubscribe", "stop my", "end my"),
    "billing": ("charged", "invoice", "bill", "payment", "card", "twice", "double", "vat", "receipt", "price"),
    "account": (
        "log in",
        "login",
        "password",
        "account",
        "sign in",
        "locked",
        "two-factor",
        "verify",
        "e-mail address",
    ),
    "technical": (
        "error",
        "crash",
        "does not work",
        "doesn't work",
        "won't",
        "freez",
        "bug",
        "app",
        "update",
        "connect",
        "setup",
        "set up",
    ),
    "praise": (
        "thank you so much",
        "love it",
        "great",
        "wonderful",
        "excellent",
        "happy with",
        "fantastic",
        "amazing",
        "brilliant",
    ),
    "question": (
        "how do i",
        "how can i",
        "can i",
        "could you tell",
        "do you",
        "is it possible",
        "what is",
        "when will",
        "which",
    ),
}
NEGATIVE_TOPICS = {"damaged", "late", "wrong", "refund", "billing", "technical"}


@dataclass(frozen=True)
class Facts:
    """What was found; an empty string where nothing was."""

    order: str
    name: str
    product: str
    email: str
    phone: str
    amount: str
    date: str
    topic: str
    sentences: tuple[str, ...]

    @property
    def is_complaint(self) -> bool:
        """Say whether something went wrong for the customer."""
        return self.topic in NEGATIVE_TOPICS

    @property
    def key_sentence(self) -> str:
        """Return the sentence that says what the matter is."""
        words = TOPICS.get(self.topic, ())
        ranked = sorted(self.sentences, key=lambda s: -sum(word in s.lower() for word in words))
        return ranked[0] if ranked else ""


@lru_cache(maxsize=256)
def read(message: str) -> Facts:
    """Read the facts out of a message."""
    parts = tuple(part.strip() for part in SENTENCE.split(message) if len(part.strip()) > 3)
    body = tuple(part for part in parts if len(part.split()) > 3) or parts
    date = DATE.search(message) or WEEKDAY.search(message)
    return Facts(
        order=_order(message),
        name=_name(message),
        product=_product(message),
        email=_whole(EMAIL, message),
        phone=_whole(PHONE, message),
        amount=_whole(MONEY, message),
        date=date.group(0).removeprefix("on ").strip() if date else "",
        topic=_topic(message.lower()),
        sentences=body,
    )


def _order(message: str) -> str:
    match = ORDER.search(message) or LOOSE_ORDER.search(message)
    return match.group(1) if match else ""


def _name(message: str) -> str:
    for match in NAME.finditer(message):
        found = match.group(1)
        if found.split()[0] not in NOT_NAMES:
            return found
    last = message.strip().rsplit("\n", 1)[-1].strip(" -—,.")
    is_signature = 0 < len(last.split()) <= 2 and all(word[:1].isupper() and word.isalpha() for word in last.split())
    return last if is_signature and "\n" in message.strip() else ""


def _product(message: str) -> str:
    match = PRODUCT.search(message) or NAMED_PRODUCT.search(message)
    return " ".join(match.group(1).split()) if match else ""


def _topic(lowered: str) -> str:
    scores = {topic: sum(lowered.count(word) for word in words) for topic, words in TOPICS.items()}
    best = max(scores, key=lambda topic: scores[topic])
    return best if scores[best] else "other"


def _whole(pattern: re.Pattern[str], message: str) -> str:
    match = pattern.search(message)
    return match.group(0).strip() if match else ""
