"""Verdicts on answers: the criteria in the prompt are looked for in the text, and the judge is not always right."""

import re
from typing import Any

from . import instructions, shaping
from .classifying import labels_in
from .facts import read as read_facts
from .work import Work

PART = re.compile(
    r"(?:^|\n)[ \t]*(?:#+\s*|\*\*|\[|<)?(?:(?:the\s+)?(?:answer|response|reply|output|candidate|assistant|option|version)\s*)([AB12])\b[^\n:>\]]{0,20}[:>\]*]+\s*",
    re.I,
)
SINGLE = re.compile(
    r"(?:^|\n)[ \t]*(?:#+\s*|\*\*|<)?(?:the\s+|model(?:'s)?\s+)?(?:answer|response|reply|output|candidate|summary|submission)(?: to (?:grade|judge|evaluate))?\s*[:>*]+\s*(.+)",
    re.I | re.S,
)
PROMISE = re.compile(r"\bfull refund\b|\bwill (?:be refunded|receive a (?:full )?refund)", re.I)
PATTERNS = {
    "apologise": re.compile(r"\bsorry\b|\bapolog", re.I),
    "refund": PROMISE,
    "policy": re.compile(r"\bpolic(?:y|ies)\b", re.I),
    "question": re.compile(r"\?"),
    "bullets": re.compile(r"^\s*[-*•] ", re.M),
    "json": re.compile(r"^\s*(?:```json\s*)?[\[{]"),
    "thank": re.compile(r"\bthank", re.I),
    "next_step": re.compile(r"\bworking days\b|\bhear from us\b|\bwill (?:write|contact|send)", re.I),
    "name": re.compile(r"^(?:Hello|Hi|Dear) (?!customer|there)[A-Z]", re.M),
    "order": re.compile(r"\border\b[^.]{0,12}\d", re.I),
}
WORDS_FOR = {
    "apologise": "apologises",
    "refund": "promises a refund",
    "policy": "cites a policy",
    "question": "asks a question",
    "bullets": "uses bullet points",
    "json": "is JSON",
    "thank": "thanks the customer",
    "next_step": "says what happens next",
    "name": "uses the customer's name",
    "order": "quotes the order number",
}


def write(work: Work) -> str:
    """Write the verdict, in the form that was asked for."""
    values = verdict(work)
    if (
        work.schema is not None
        or work.wants_json
        or "json" in instructions.read(work.prompt + "\n" + work.material).wanted
    ):
        return shaping.as_json(work, values)
    options = [name for name, _ in labels_in(work.prompt)]
    word = next((name for name in options if name.lower() == str(values["verdict"]).lower()), values["verdict"])
    return f"Verdict: {word}\nReason: {values['reason']}"


def verdict(work: Work) -> dict[str, Any]:
    """Return verdict, score, pass and reason."""
    text = f"{work.prompt}\n{work.material}" if work.prompt != work.material else work.material
    parts = {name.upper(): body for name, body in _parts(work.material) or _parts(text)}
    criteria = instructions.read(work.prompt)
    if len(parts) >= 2:
        return _pairwise(work, parts, criteria)
    match = SINGLE.search(work.material) or SINGLE.search(text)
    answer = match.group(1) if match else work.material
    found = shortcomings(answer, criteria)
    good = not found
    if work.slips("judges_wrongly", 0.1):
        good = not good
    score = round(max(0.0, (0.95 if good else 0.55) - 0.12 * len(found) - 0.08 * work.chance.draw("score")), 2)
    reason = (
        "The answer meets every criterion."
        if good
        else f"The answer {' and '.join(found) or 'falls short of what was asked'}."
    )
    return {"verdict": "pass" if good else "fail", "score": score, "pass": good, "reason": reason}


def shortcomings(answer: str, criteria: instructions.Instructions) -> list[str]:
    """Return what is wrong with an answer by the criteria, in words; always also a promised refund and rambling."""
    found = [
        f"never {WORDS_FOR[name]}"
        for name in sorted(criteria.wanted & PATTERNS.keys() - {"json", "refund", "policy"})
        if not PATTERNS[name].search(answer)
    ]
    banned = criteria.banned | {"refund"}
    found += [WORDS_FOR[name] for name in sorted(banned & PATTERNS.keys()) if PATTERNS[name].search(answer)]
    length = len(answer.split())
    if length > (criteria.most_words or 110):
        found.append(f"is too long ({length} words)")
    return found


def _parts(text: str) -> list[tuple[str, str]]:
    pieces = PART.split(text)
    return [(pieces[at], pieces[at + 1].strip()) for at in range(1, len(pieces) - 1, 2) if pieces[at + 1].strip()]


def _pairwise(work: Work, parts: dict[str, str], criteria: instructions.Instructions) -> dict[str, Any]:
    first, second = sorted(parts)[:2]
    faults = {name: shortcomings(parts[name], criteria) for name in (first, second)}
    worth = {name: _worth(parts[name]) - 2.0 * len(faults[name]) for name in (first, second)}
    if work.slips("favours_first", 0.08):
        worth[first] += 3.0
    gap = worth[first] - worth[second]
    if abs(gap) < 0.35:
        return {"verdict": "tie", "score": 0.5, "pass": True, "reason": "Both answers are equally good."}
    winner, loser = (first, second) if gap > 0 else (second, first)
    why = " and ".join(faults[loser]) or "is less specific"
    return {
        "verdict": winner,
        "score": 1.0 if winner == first else 0.0,
        "pass": winner == first,
        "reason": f"{winner} is better, because {loser} {why}.",
    }


def _worth(answer: str) -> float:
    found = read_facts(answer)
    polite = sum(bool(PATTERNS[name].search(answer)) for name in ("apologise", "thank", "next_step", "name"))
    return 0.5 * polite + bool(found.order) + 0.5 * bool(found.product) - max(0, len(answer.split()) - 90) / 60
