"""What the prompts of Papermoon are tested on: datasets of cases, and the assertions that every answer is held to."""

import json
from dataclasses import dataclass
from typing import Any

from apps.experiments.importing import NewCase
from llmops_site.demo.content import prompts
from llmops_site.demo.content.customers import CUSTOMERS, Customer

LABEL_OF = {
    "late": "delivery",
    "address change": "delivery",
    "damaged": "damage",
    "wrong item": "wrong_item",
    "refund": "refund",
    "billing": "billing",
    "praise": "praise",
    "question": "question",
}
CAMPAIGNS = [
    "Autumn notebooks: recycled covers, dotted and squared pages, and a ribbon in four colours.",
    "The Luna Fountain Pen is back in midnight blue. Two hundred pieces, numbered by hand.",
    "Letter week: buy a Dusk Letter Set and we pay the stamps for five letters.",
    "Our ink bar in Porto opens on Saturday. Try sixty inks, take home one.",
    "Planner season: the Nightjar Planner for next year ships from the first of October.",
    "How to care for a fountain pen: five habits from our repair bench.",
    "Halo Brush Pens in six new greens, mixed with the botanical garden.",
    "Refill by post: send back an empty bottle and get the next one for half the price.",
    "Last call for engraving before the holidays. Orders until the tenth arrive in time.",
    "Meet the bookbinder: a morning in the workshop where every Tidal Notebook is sewn.",
    "Free gift wrapping through December, with paper printed from last year's sketches.",
    "The Orbit Sketchbook grows up: A3, 180 grams, and still lies flat.",
]


@dataclass(frozen=True)
class SuiteText:
    """A suite with its dataset."""

    prompt: prompts.PromptText
    name: str
    dataset: str
    about: str
    cases: list[NewCase]
    assertions: list[dict[str, Any]]
    pass_threshold: str


def _reply_case(customer: Customer) -> NewCase:
    inputs = {"customer_name": customer.name, "order_number": customer.order, "message": customer.message}
    expected = customer.order or customer.name.split()[0]
    return NewCase(inputs, name=customer.title, expected=expected, tags=customer.tags)


def _message_case(customer: Customer, expected: str) -> NewCase:
    return NewCase({"message": customer.message}, name=customer.title, expected=expected, tags=customer.tags)


def _fields(customer: Customer) -> str:
    found = {"order_number": customer.order or None, "customer_name": customer.name, "product": customer.product}
    return json.dumps(found, ensure_ascii=False)


def _row(kind: str, value: Any = "", name: str = "", **more: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, "name": name, **more}


REPLIES = SuiteText(
    prompts.REPLY,
    "Replies that may go out",
    "Customer messages",
    "Sixty-four messages from the inbox, names changed: every topic and every mood.",
    [_reply_case(customer) for customer in CUSTOMERS],
    [
        _row("icontains", "{{expected}}", "Names the order, or else the customer"),
        _row("not-icontains", "full refund", "Promises no refund"),
        _row("not-icontains", "our policy", "Quotes no policy"),
        _row("max-length", 110, "At most 110 words", unit="words"),
        _row("min-length", 25, "Says more than hello", unit="words"),
        _row("contains", "?", "Asks something", weight=0),
    ],
    "0.7",
)
SUMMARIES = SuiteText(
    prompts.SUMMARISE,
    "Summaries for the evening shift",
    "Tickets to hand over",
    "Twenty-two tickets as the evening shift gets them.",
    [_message_case(customer, customer.order) for customer in CUSTOMERS if customer.order][:22],
    [
        _row("contains", "{{expected}}", "Names the order"),
        _row("max-length", 60, "At most 60 words", unit="words"),
        _row("not-icontains", "exaggerating", "Holds no opinion about the customer"),
    ],
    "0.6",
)
LABELLED = SuiteText(
    prompts.CLASSIFY,
    "The right queue",
    "Labelled tickets",
    "Forty tickets with the queue that the team agreed on.",
    [_message_case(customer, LABEL_OF[customer.topic]) for customer in CUSTOMERS[:40]],
    [_row("equals", "{{expected}}", "Is the label that people chose")],
    "0.4",
)
FIELDS = SuiteText(
    prompts.EXTRACT,
    "Fields as JSON",
    "Tickets with known fields",
    "Eighteen tickets and what stands in them.",
    [_message_case(customer, _fields(customer)) for customer in CUSTOMERS if customer.order][:18],
    [
        _row("is-json", name="Is JSON"),
        _row("json-schema", prompts.EXTRACT.schema, "Has the three fields and no other"),
        _row("icontains", '"order_number": "PM-', "Finds the order number"),
        _row("equals", "{{expected}}", "Every field is right", weight=0),
    ],
    "0.6",
)
SUBJECTS = SuiteText(
    prompts.SUBJECT,
    "Fits on a phone",
    "Campaigns",
    "Twelve mails of the last two seasons.",
    [NewCase({"campaign": text}, name=text.split(":")[0].split(".")[0][:60]) for text in CAMPAIGNS],
    [
        _row("max-length", 110, "At most 110 characters", unit="chars"),
        _row("not-icontains", "guarantee", "Guarantees nothing"),
    ],
    "0.5",
)
SUITES = [REPLIES, SUMMARIES, LABELLED, FIELDS, SUBJECTS]
