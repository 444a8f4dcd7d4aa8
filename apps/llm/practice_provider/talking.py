"""Anything else: a few sensible sentences built from what was said."""

import re
from collections import Counter

from . import shaping
from .work import Work

COMMON = frozenset(
    re.findall(
        r"\w+",
        """
        about above after again also always another anything because been before being between both could does doing
        down each every from have having here into just know like made make many more most much must need only other
        over please really said same should some such tell than that their them then there these they thing things
        this those through under until very want well were what when where which while will with would write your
        yours
        """,
    )
)
OPENINGS = ("In short:", "Here is how I see it:", "Briefly:", "The main point is this:")
MIDDLES = (
    "The part that matters most is {a}, because {b} follows from it.",
    "Start with {a}; {b} becomes easier once that is settled.",
    "{A} and {b} belong together here, so look at them side by side.",
)
ENDINGS = (
    "If {a} changes, look at this again.",
    "A first step would be to write down what is known about {a}.",
    "I can go into {a} in more detail.",
)


def write(work: Work) -> str:
    """Write the sentences."""
    words = topics(work.material)
    first, second = [*words, "the question", "the rest"][:2]
    names = {"a": first, "A": first.capitalize(), "b": second}
    chance = work.chance
    said = shaping.shorten(work.facts.key_sentence or work.material, 12).rstrip(".?!")
    sentences = [
        f'{chance.pick("opening", OPENINGS)} you write "{said}".' if said else "You have not said anything yet.",
        chance.pick("middle", MIDDLES).format(**names),
        chance.pick("ending", ENDINGS).format(**names),
    ]
    fitted = shaping.fit(sentences, [0, 1, 2], work)
    if work.wants_json or work.schema is not None:
        return shaping.as_json(
            work, {"reply": " ".join(fitted), "topic": first, "summary": fitted[0], "score": chance.draw("score")}
        )
    if "bullets" in work.wishes.wanted:
        return "\n".join(f"- {text}" for text in fitted)
    return " ".join(fitted)


def topics(text: str) -> list[str]:
    """Return the most telling words of a text."""
    found = Counter(word for word in re.findall(r"[a-zà-ÿ]{4,}", text.lower()) if word not in COMMON)
    return [word for word, _ in sorted(found.items(), key=lambda pair: (-pair[1] * len(pair[0]), pair[0]))[:4]]
