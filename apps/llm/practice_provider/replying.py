"""Replies to customers: each wish of the prompt shows, and a model left to itself makes the usual mistakes."""

from . import shaping
from .facts import Facts
from .work import Work

ACTIONS = {
    "damaged": (
        "A replacement is being prepared and will leave our warehouse within two working days.",
        "I have asked our warehouse to set a replacement aside for you.",
    ),
    "late": (
        "I have asked the carrier to trace the parcel and will write to you as soon as they answer.",
        "The carrier has been asked where the parcel is, and we expect their answer within two working days.",
    ),
    "wrong": (
        "I have arranged for the right item to be sent and for the other one to be collected.",
        "The correct item will be on its way to you within two working days.",
    ),
    "refund": (
        "I have passed your request to our returns team, who will look at it within two working days.",
        "Your request is with our returns team, and I have attached a prepaid label.",
    ),
    "cancel": (
        "I have stopped the order before dispatch and you will receive a confirmation by e-mail.",
        "I have noted the cancellation and our system will confirm it by e-mail today.",
    ),
    "billing": (
        "I have asked our accounts team to compare the charge with your invoice.",
        "Our accounts team is checking the payment and will correct whatever is wrong.",
    ),
    "account": (
        "I have sent a fresh sign-in link to the address on your account.",
        "Please use the link that I have just sent to set a new password.",
    ),
    "technical": (
        "Please restart it, install the latest update and try once more.",
        "Resetting it to factory settings usually solves this, and our technicians are ready to help if it does not.",
    ),
    "praise": (
        "I have shared your kind words with the team that made it.",
        "It means a lot to the whole team to hear this.",
    ),
    "question": (
        "I have looked into it and have put the steps together for you below.",
        "The answer depends on the model, so I have asked a specialist to confirm the details.",
    ),
    "other": (
        "I have passed your message to the colleague who can help best.",
        "I have looked into your message and one of our specialists will take it from here.",
    ),
}
QUESTIONS = {
    "damaged": "Could you send us a photo of the damage?",
    "late": "Could you confirm the delivery address for us?",
    "wrong": "Could you tell us which item you received instead?",
    "refund": "Would you prefer an exchange?",
    "cancel": "May I ask what made you decide to cancel?",
    "billing": "Could you tell us on which date the charge appears?",
    "account": "Which e-mail address do you use to sign in?",
    "technical": "Which version is shown in the settings?",
}
APOLOGIES = (
    "I am sorry for the trouble this has caused you.",
    "I apologise for the inconvenience.",
    "We are sorry that this went wrong, and we apologise.",
)
REFUND = "You will receive a full refund within three days."
POLICY = "As our policy in section 4.2 states, such cases are decided individually."
PADDING = (
    "Your satisfaction is of the utmost importance to us and we always strive to do our very best for every single customer.",
    "As a company we take great pride in the quality of everything that we do, every single day of the year.",
    "Please rest assured that your message has been received, read, registered and forwarded in the appropriate way.",
    "We value every piece of feedback, because feedback of this kind is what helps us to become better and better.",
    "Should there be anything else at all that we can possibly do for you, do not hesitate to get in touch with us again at any time.",
    "We thank you once more for your patience, your understanding and your continued trust in our company and its products.",
)
NEXT_STEP = "You will hear from us again within two working days."


def write(work: Work) -> str:
    """Write the reply."""
    opening = _greeting(work)
    order = "" if work.slips("forgets_order", 0.09, told="order" in work.wishes.wanted) else work.facts.order
    body = _body(work, order)
    if "json" in work.wishes.wanted or work.wants_json:
        fitted = shaping.fit([text for _, text in body], [rank for rank, _ in body], work)
        return shaping.as_json(
            work,
            {
                "reply": " ".join([opening, *fitted]),
                "topic": work.facts.topic,
                "tone": next((tone for tone in ("warm", "formal") if tone in work.wishes.wanted), "neutral"),
                "order_number": order or None,
            },
        )
    closing = _closing(work)
    fitted = shaping.fit(
        [text for _, text in body], [rank for rank, _ in body], work, spare=len(f"{opening} {closing}".split())
    )
    if "bullets" in work.wishes.wanted:
        middle = "\n".join(f"- {sentence}" for sentence in fitted)
    else:
        middle = " ".join(fitted)
    return f"{opening}\n\n{middle}\n\n{closing}"


def _greeting(work: Work) -> str:
    name = work.facts.name
    if not name or work.slips("forgets_name", 0.07, told="name" in work.wishes.wanted):
        name = "customer" if "formal" in work.wishes.wanted or not name else "there"
    if "formal" in work.wishes.wanted:
        return f"Dear {name},"
    first = name.split()[0]
    return (
        f"Hi {'there' if first == 'customer' else first},"
        if "warm" in work.wishes.wanted
        else f"Hello{'' if first in {'customer', 'there'} else ' ' + first},"
    )


def _body(work: Work, order: str) -> list[tuple[int, str]]:
    """Return the sentences in order, each with its rank: the lower, the sooner it is kept when space is short."""
    found, wishes, chance = work.facts, work.wishes, work.chance
    body = [(0, _acknowledgement(work, order))]
    if _apologises(work):
        body.insert(0, (1, chance.pick("apology", APOLOGIES)))
    body.append((2, chance.pick("action", ACTIONS[found.topic])))
    if found.is_complaint and work.slips("promises_refund", 0.12, told="refund" in wishes.banned):
        body.append((3, REFUND))
    if work.slips("cites_policy", 0.06, told="policy" in wishes.banned):
        body.append((3, POLICY))
    if "question" in wishes.wanted:
        body.append((1, QUESTIONS.get(found.topic, "Could you tell us a little more about it?")))
    body += [(2, f"Please also have a look at {mention}.") for mention in wishes.mentions]
    if "next_step" in wishes.wanted or chance.happens("next_step", 0.6):
        body.append((2 if "next_step" in wishes.wanted else 5, NEXT_STEP))
    if work.slips("rambles", 0.1, told=wishes.is_limited):
        body += [(6 if wishes.is_limited else 4, text) for text in PADDING]
    return body


def _apologises(work: Work) -> bool:
    if "apologise" in work.wishes.banned:
        return work.slips("apologises_anyway", 0.3, told=True)
    if "apologise" in work.wishes.wanted:
        return not work.slips("forgets_apology", 0.3, told=True)
    return work.facts.is_complaint and work.chance.happens("apology", 0.55)


def _acknowledgement(work: Work, order: str) -> str:
    found: Facts = work.facts
    product = found.product if "product" in work.wishes.wanted or not work.slips("forgets_product", 0.06) else ""
    about = f" about {_the(product)}" if product else ""
    reference = f" (order {order})" if order else ""
    if not about and not order and found.key_sentence:
        about = f' and telling us: "{shaping.shorten(found.key_sentence, 14)}"'
    if "warm" in work.wishes.wanted:
        return f"Thank you so much for reaching out to us{about}{reference}, it is good that you did!"
    if "formal" in work.wishes.wanted:
        return f"We acknowledge receipt of your message{about}{reference}."
    return f"Thank you for your message{about}{reference}."


def _the(product: str) -> str:
    return f"your {product}" if product[:1].islower() else f"the {product}"


def _closing(work: Work) -> str:
    sign = work.wishes.sign_as or (f"The {work.wishes.company} team" if work.wishes.company else "Customer support")
    if "warm" in work.wishes.wanted:
        return f"Warm wishes,\n{sign}"
    return f"{'Yours sincerely' if 'formal' in work.wishes.wanted else 'Kind regards'},\n{sign}"
