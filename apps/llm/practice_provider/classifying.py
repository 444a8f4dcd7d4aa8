"""One of the labels that the prompt lists; the better the prompt defines them, the fewer mistakes."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from . import shaping
from .facts import TOPICS
from .work import Work

BULLET = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]*[*`\"']*([A-Za-z][\w /&-]{0,40}?)[*`\"']*[ \t]*(?:(?:[:\u2013\u2014=(]|\s-\s)[ \t]*(.*))?$",
    re.M,
)
INLINE = re.compile(
    r"\b(?:labels?|categor(?:y|ies)|class(?:es)?|topics?|queues?|options|values|one of(?: the following)?|either|into|as)\b(?:[^.:\n]{0,60}?:|\s+(?:are|is)\s|\s)\s*([^\n]+)",
    re.I,
)
SPLIT = re.compile(r"\s*(?:,(?:\s*(?:or|and)\b)?|;|\||\s/\s|\bor\b|\band\b)\s*(?![^(]*\))", re.I)
ITEM = re.compile(r"^[\"'`*“]*([A-Za-z][\w&/-]*(?: [\w&/-]+){0,2})[\"'`*”]*\s*(?:[(=]\s*(.*?)\)?)?[.\"']*$")
QUOTED = re.compile(r"[\"`“']([A-Za-z][\w -]{1,30})[\"`”']")
KIN = {
    "billing": ("billing",),
    "payment": ("billing",),
    "invoice": ("billing",),
    "delivery": ("late",),
    "shipping": ("late",),
    "damage": ("damaged",),
    "defect": ("damaged", "technical"),
    "product": ("damaged", "wrong"),
    "quality": ("damaged",),
    "return": ("refund", "wrong"),
    "refund": ("refund",),
    "cancel": ("cancel",),
    "account": ("account",),
    "login": ("account",),
    "access": ("account",),
    "technical": ("technical",),
    "bug": ("technical",),
    "support": ("technical",),
    "praise": ("praise",),
    "feedback": ("praise",),
    "compliment": ("praise",),
    "positive": ("praise",),
    "negative": ("damaged", "late", "wrong", "billing", "technical"),
    "complaint": ("damaged", "late", "wrong"),
    "question": ("question",),
    "inquiry": ("question",),
    "neutral": ("question",),
    "order": ("late", "wrong"),
}
FALLBACKS = re.compile(r"other|general|else|unknown|misc|none", re.I)
URGENT = re.compile(
    r"\burgent|\bimmediately|\bas soon as possible|\basap\b|\btoday\b|!!|\bunacceptable|\blegal|\blawyer", re.I
)


def write(work: Work) -> str:
    """Name the label."""
    label, confidence = choose(work)
    if work.wants_json or work.schema is not None:
        reason = shaping.shorten(work.facts.key_sentence or work.material, 16)
        return shaping.as_json(
            work,
            {
                "label": label,
                "confidence": confidence,
                "reason": reason,
                "topic": label,
                "order_number": work.facts.order or None,
            },
        )
    return label


def choose(work: Work) -> tuple[str, float]:
    """Return the label and how sure the model says it is."""
    labels = dict(labels_in(work.prompt))
    if enum := _enum(work.schema):
        labels = {name: labels.get(name, "") for name in enum}
    if not labels:
        return work.facts.topic, 0.6
    ranked = sorted(labels, key=lambda name: (-_score(name, labels[name], work), work.chance.draw(f"tie {name}")))
    defined = sum(1 for meaning in labels.values() if meaning) * 2 >= len(labels)
    wrong = len(ranked) > 1 and work.slips("misjudges", 0.1 if defined else 0.26)
    confidence = round((0.52 if wrong else 0.78) + 0.2 * work.chance.draw("confidence"), 2)
    return ranked[1 if wrong else 0], confidence


@lru_cache(maxsize=1024)
def labels_in(prompt: str) -> tuple[tuple[str, str], ...]:
    """Return the labels that a prompt lists, each with its definition if it has one."""
    bullets = [(name.strip(), meaning or "") for name, meaning in BULLET.findall(prompt) if len(name.split()) <= 4]
    if len(bullets) > 1:
        return tuple(dict(bullets).items())
    best: list[tuple[str, str]] = []
    for match in INLINE.finditer(prompt):
        found = _items(match.group(1))
        if len(found) > max(len(best), 1):
            best = found
    if not best:
        best = [(name, "") for name in QUOTED.findall(prompt)]
    return tuple(dict(best).items()) if len(best) > 1 else ()


def _items(listing: str) -> list[tuple[str, str]]:
    sentence = re.split(r"\.(?:\s|$)(?![^(]*\))", listing, maxsplit=1)[0][:1000]
    found = []
    for piece in SPLIT.split(sentence):
        match = ITEM.match(piece.strip())
        if not match:
            return []
        found.append((match.group(1), match.group(2) or ""))
    return found


def _score(name: str, meaning: str, work: Work) -> float:
    said, lowered = work.material.lower(), name.lower().replace("_", " ")
    if FALLBACKS.search(name):
        return 0.5
    score = 2.0 * said.count(lowered)
    for stem, topics in KIN.items():
        if stem in lowered:
            score += sum(1.5 * said.count(word) for topic in topics for word in TOPICS[topic])
            score += 1.5 * (work.facts.topic in topics)
    score += sum(1.0 for word in set(re.findall(r"[a-z]{4,}", meaning.lower())) if word[:6] in said)
    if lowered in {"urgent", "high", "critical"}:
        score += 3.0 if URGENT.search(work.material) else 0.2
    if lowered in {"normal", "medium", "low"}:
        score += 1.0
    return score


def _enum(schema: Any, depth: int = 0) -> list[str]:
    if not isinstance(schema, Mapping) or depth > 4:
        return []
    if schema.get("enum"):
        return [option for option in schema["enum"] if isinstance(option, str)]
    for value in (schema.get("properties") or {}).values():
        if found := _enum(value, depth + 1):
            return found
    return []
