"""What a prompt asks for, read clause by clause, so that a changed instruction visibly changes the answer."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
AMOUNT = r"\b(\d{1,4}|one|two|three|four|five|six|seven|eight|nine|ten)"
CLAUSE = re.compile(r"(?<=[.;!?])\s+|\n+|,?\s\bbut\b\s+")
NEGATIVE = re.compile(
    r"\b(?:do not|don't|never|avoid|without|no need to|must not|should not|not to|shouldn't|refrain)\b", re.I
)
AT_MOST = (
    r"(?:under|at most|no more than|fewer than|less than|maximum(?: of)?|max\.?|within|up to|in|limit(?:ed)? to)\s+"
)
WORDS = re.compile(
    AT_MOST + AMOUNT + r"\s+words?|" + AMOUNT + r"[\s-]words? (?:or less|or fewer|at most|maximum|max|limit)", re.I
)
SENTENCES = re.compile(AT_MOST + AMOUNT + r"\s+(?:short )?sentences?|" + AMOUNT + r"[\s-]sentences?\b", re.I)
SIGN = re.compile(
    r"\bsign(?:ed)?(?: off)?(?: the (?:reply|message|e-?mail))?(?: it)? (?:as|with)\s+[\"'“]?([^\"'”.;\n]{2,60})", re.I
)
COMPANY = re.compile(r"\b(?:at|for|of)\s+((?:[A-Z][\w&'-]+)(?:\s+(?:[A-Z][\w&'-]+|&))*)")
MENTION = re.compile(
    r"\b(?:mention|include|refer to|point to|link to|offer)\s+((?:the|a|an|our)\s+[\w' -]{3,50})", re.I
)
KNOWN = re.compile(r"order|refund|polic|name|product|field|key|label|reason", re.I)

WISHES = {
    "apologise": re.compile(r"\bapolog|\bsay sorry|\bsorry\b", re.I),
    "refund": re.compile(r"\brefund|\bmoney back|\bcompensation", re.I),
    "policy": re.compile(r"\bpolic(?:y|ies)\b|\bterms and conditions", re.I),
    "order": re.compile(r"\border (?:number|id|no\b|reference)|\breference number", re.I),
    "name": re.compile(r"\b(?:by|their|customer'?s|use the|first) name\b", re.I),
    "product": re.compile(r"\bname the product|\bproduct(?:'s)? name|\bmention the product|\bwhich product", re.I),
    "bullets": re.compile(r"\bbullet", re.I),
    "json": re.compile(r"\bjson\b", re.I),
    "question": re.compile(r"\bask (?:exactly |only )?(?:one|a|1)\b[\w\s-]*question|\bclarifying question", re.I),
    "warm": re.compile(r"\bwarm|\bfriendly|\bempath|\bkind(?:ly)?\b|\bcheerful|\bcasual", re.I),
    "formal": re.compile(r"\bformal|\bprofessional|\bbusinesslike", re.I),
    "next_step": re.compile(r"\bnext step|\bwhat happens next|\bwhen (?:they|the customer) (?:will|can)", re.I),
    "thank": re.compile(r"\bthank", re.I),
    "only": re.compile(r"\bonly\b|\bnothing else|\bno other text|\bexactly one|\bjust the\b", re.I),
    "brief": re.compile(r"\bbrief|\bshort\b|\bconcise|\bto the point", re.I),
    "careful": re.compile(
        r"\bonly (?:state|use|facts)|\bfacts? (?:in|from)|\binvent|\bmake up|\bguess|\bstep by step|\bcarefully", re.I
    ),
}


@dataclass(frozen=True)
class Instructions:
    """The wishes found in a prompt: what must be there, what must not, and the limits."""

    wanted: frozenset[str]
    banned: frozenset[str]
    most_words: int | None = None
    most_sentences: int | None = None
    sign_as: str = ""
    company: str = ""
    mentions: tuple[str, ...] = field(default=())

    @property
    def is_limited(self) -> bool:
        """Say whether the prompt sets a length."""
        return bool(self.most_words or self.most_sentences or "brief" in self.wanted)


@lru_cache(maxsize=512)
def read(prompt: str) -> Instructions:
    """Read the wishes out of a prompt."""
    wanted: set[str] = set()
    banned: set[str] = set()
    mentions: list[str] = []
    for clause in CLAUSE.split(prompt):
        found = {name for name, pattern in WISHES.items() if pattern.search(clause)}
        if NEGATIVE.search(clause):
            banned |= found - {"careful", "only"}
            wanted |= found & {"careful", "only"}
            continue
        wanted |= found
        mentions += [wish.strip() for wish in MENTION.findall(clause) if not KNOWN.search(wish)]
    return Instructions(
        wanted=frozenset(wanted - banned),
        banned=frozenset(banned),
        most_words=_amount(WORDS, prompt),
        most_sentences=_amount(SENTENCES, prompt),
        sign_as=_first(SIGN, prompt),
        company=_first(COMPANY, prompt),
        mentions=tuple(dict.fromkeys(mentions)),
    )


def _amount(pattern: re.Pattern[str], prompt: str) -> int | None:
    match = pattern.search(prompt)
    if not match:
        return None
    found = next(group for group in match.groups() if group).lower()
    return NUMBERS.get(found) or int(found) or None


def _first(pattern: re.Pattern[str], prompt: str) -> str:
    match = pattern.search(prompt)
    return match.group(1).strip() if match else ""
