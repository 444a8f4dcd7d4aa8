"""What a text asks of the answer's length, and where it asks for two things that cannot both be had."""

import re
from dataclasses import dataclass
from itertools import islice

MOST = r"at most|no more than|not more than|maximum of|max\.?|up to|under|less than|fewer than|within|exceed"
LEAST = r"at least|no less than|no fewer than|minimum of|min\.?|more than|over"
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
NUMBER = r"\d{1,6}|" + "|".join(NUMBERS)
UNIT = r"words?|sentences?|characters?|paragraphs?|lines?|bullets?|bullet points?"
LIMIT = re.compile(
    rf"\b(?:(?P<least>{LEAST})|(?P<most>{MOST})|(?P<exactly>exactly|in|of))[ \t]{{1,3}}(?P<number>{NUMBER})[ -]"
    rf"(?P<unit>{UNIT})\b",
    re.IGNORECASE,
)
MOST_WISHES = 50
SHORT = re.compile(
    r"\b(?:be brief|be concise|briefly|concisely|keep (?:it|this|your answer) short|as short as possible)\b", re.I
)
LONG = re.compile(
    r"\b(?:in (?:great |full )?detail|be (?:detailed|thorough|comprehensive|exhaustive)|"
    r"(?:detailed|thorough|comprehensive|exhaustive|lengthy|in-depth) "
    r"(?:answer|reply|response|explanation|analysis)|as long as possible|at length)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wish:
    """One wish about the length: the least and the most of a unit, where it stands and in which words."""

    message: int
    start: int
    end: int
    words: str
    unit: str
    least: float
    most: float


def wishes(message: int, text: str) -> list[Wish]:
    """Return what one message asks of the length, in order; each two are compared, so only the first few are kept."""
    found = []
    for match in islice(LIMIT.finditer(text), MOST_WISHES):
        number = NUMBERS.get(match["number"].lower()) or int(match["number"])
        least = number if match["least"] or match["exactly"] else 0
        most = float("inf") if match["least"] else number
        unit = match["unit"].lower().removesuffix("s")
        found.append(Wish(message, *match.span(), match.group(), unit, least, most))
    for pattern, name in ((SHORT, "short"), (LONG, "long")):
        found += [
            Wish(message, *match.span(), match.group(), name, 0, 0) for match in islice(pattern.finditer(text), 5)
        ]
    return sorted(found, key=lambda wish: wish.start)


def contradictions(asked: list[Wish]) -> list[tuple[Wish, Wish]]:
    """Return each wish that cannot be met together with the first one that it contradicts."""
    found = []
    for place, wish in enumerate(asked):
        other = next((earlier for earlier in asked[:place] if _contradict(earlier, wish)), None)
        if other:
            found.append((other, wish))
    return found


def _contradict(one: Wish, other: Wish) -> bool:
    if {one.unit, other.unit} == {"short", "long"}:
        return True
    if one.unit != other.unit or one.unit in ("short", "long"):
        return False
    return one.least > other.most or other.least > one.most or _two_limits(one, other)


def _two_limits(one: Wish, other: Wish) -> bool:
    """Tell whether both say how much at most, and say it differently."""
    both = one.most != float("inf") and other.most != float("inf")
    return both and not one.least and not other.least and one.most != other.most
