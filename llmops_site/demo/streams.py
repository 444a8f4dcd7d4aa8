"""Who calls which model for what, how often and at which hours: the shape of Papermoon's traffic.

Tickets carry the whole thread that came before, so a call of the shop is far longer than a case of the tests.
"""

from dataclasses import dataclass

from apps.costs.models import Purpose
from llmops_site.demo.content.prompts import CLASSIFY, EXTRACT, REPLY, SUBJECT, SUMMARISE

DAY_SHIFT = (1, 1, 1, 1, 1, 2, 5, 12, 28, 44, 52, 50, 40, 42, 50, 52, 48, 40, 30, 24, 20, 14, 7, 3)
NIGHT_SHIFT = (20, 40, 50, 40, 20, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 12)
OFFICE = (0, 0, 0, 0, 0, 0, 0, 1, 8, 20, 24, 20, 8, 14, 22, 20, 14, 6, 2, 0, 0, 0, 0, 0)
SHOP_WEEK = (1.12, 1.06, 1.0, 0.98, 1.04, 0.66, 0.58)
OFFICE_WEEK = (1.0, 1.1, 1.1, 1.05, 0.8, 0.04, 0.03)
CUSTOMERS = (
    "Atelier Norte",
    "Blue Heron Books",
    "Casa do Papel",
    "Dotted Line Studio",
    "Elmwood School",
    "Feather & Flint",
    "Galerie Sud",
    "Harbour Stationers",
    "Inkwell Society",
    "Juniper Gifts",
    "Kite Hill Primary",
    "Lanterna Hotels",
    "Marginalia Club",
    "North Quay Museum",
    "Open Page Cafe",
    "Pressed Flower Press",
)


@dataclass(frozen=True)
class Stream:
    """One kind of call. `share` is its part of the traffic at today's level; tokens are medians of a log-normal."""

    prompt: str
    key: str
    team: str
    share: float
    input_tokens: int
    output_tokens: int
    spread: float = 0.35
    purpose: Purpose = Purpose.PRODUCTION
    environment: str = "production"
    person: str = ""
    model: str = ""
    hours: tuple[int, ...] = DAY_SHIFT
    week: tuple[float, ...] = SHOP_WEEK
    first_day: int = 88
    last_day: int = 0
    has_customers: bool = False


STREAMS = (
    Stream(REPLY.name, "shop", "Support", 34, 2_600, 150, has_customers=True),
    Stream(CLASSIFY.name, "shop", "Support", 33, 1_700, 4, spread=0.25),
    Stream(EXTRACT.name, "shop", "Support", 13, 1_500, 60, has_customers=True),
    Stream(SUMMARISE.name, "shop", "Support", 9, 4_200, 120),
    Stream(SUBJECT.name, "newsletter", "Growth", 3, 480, 26, hours=OFFICE, week=OFFICE_WEEK),
    Stream(
        "", "nightly", "Platform", 4.5, 6_500, 900, 0.6, environment="", model="practice-large", hours=NIGHT_SHIFT,
        week=(1, 1, 1, 1, 1, 1, 1),
    ),
    Stream(
        "", "nightly", "Platform", 0.6, 6_000, 800, 0.5, environment="", model="practice-preview", hours=NIGHT_SHIFT,
        week=(1, 1, 1, 1, 1, 1, 1), first_day=24, last_day=13,
    ),
    Stream(REPLY.name, "shop", "Support", 1.2, 2_600, 150, environment="staging", hours=OFFICE, week=OFFICE_WEEK),
    Stream(CLASSIFY.name, "shop", "Support", 0.7, 1_700, 4, environment="staging", hours=OFFICE, week=OFFICE_WEEK),
    Stream(
        REPLY.name, "", "Support", 0.5, 1_900, 140, purpose=Purpose.PLAYGROUND, environment="dev", person="paula",
        hours=OFFICE, week=OFFICE_WEEK,
    ),
    Stream(
        SUBJECT.name, "", "Growth", 0.4, 480, 28, purpose=Purpose.PLAYGROUND, environment="dev", person="olga",
        hours=OFFICE, week=OFFICE_WEEK,
    ),
)  # fmt: skip
