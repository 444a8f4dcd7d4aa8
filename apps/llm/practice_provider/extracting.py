"""The fields of a message as JSON; now and then one is overlooked, or the JSON comes wrapped in talk."""

from typing import Any

from . import shaping
from .classifying import URGENT
from .work import Work

SENTIMENTS = {"praise": "positive", "question": "neutral"}


def write(work: Work) -> str:
    """Write the fields."""
    text = shaping.as_json(work, known(work))
    told = bool({"only", "careful"} & work.wishes.wanted)
    if not work.wants_json and work.slips("wraps_json", 0.35, told=told):
        return f"Here is what I found in the message:\n```json\n{text}\n```"
    if "json" in work.wishes.wanted and work.schema is None and work.slips("wraps_json", 0.1, told=told):
        return f"```json\n{text}\n```"
    return text


def known(work: Work) -> dict[str, Any]:
    """Return what the message says, less what the model overlooks."""
    found = work.facts
    values: dict[str, Any] = {
        "order_number": found.order or None,
        "customer_name": found.name or None,
        "product": found.product or None,
        "topic": found.topic,
        "email": found.email or None,
        "phone": found.phone or None,
        "amount": found.amount or None,
        "date": found.date or None,
        "sentiment": SENTIMENTS.get(found.topic, "negative" if found.is_complaint else "neutral"),
        "urgency": "high" if URGENT.search(work.material) else "normal",
        "language": "en",
        "summary": shaping.shorten(found.key_sentence, 20),
    }
    for name in ("order_number", "customer_name", "product", "amount", "date"):
        if work.slips(f"overlooks {name}", 0.11, told="careful" in work.wishes.wanted):
            values[name] = None
    if values["order_number"] and work.slips("misreads_order", 0.05, told="careful" in work.wishes.wanted):
        values["order_number"] = str(values["order_number"])[:-1]
    return values
