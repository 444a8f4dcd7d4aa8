"""Fitting sentences into limits, and answers into JSON."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from . import schema_values
from .work import Work

FIELDS = re.compile(r"\b(?:fields?|keys?|properties|attributes)\b(?:\s+\w+){0,2}?\s*:?\s+([\w`\"', /-]+)", re.I)
TEMPLATE = re.compile(r"[\"`]([a-z][\w-]{1,40})[\"`]\s*:", re.I)
LISTED = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s*[`\"]?([a-z][\w-]{1,40})[`\"]?\s*(?::|\(|\u2013|-|=|$)", re.M | re.I)
NO_FIELDS = {
    "and",
    "or",
    "the",
    "json",
    "with",
    "only",
    "exactly",
    "following",
    "these",
    "in",
    "as",
    "of",
    "are",
    "from",
    "is",
}


def fit(sentences: Sequence[str], ranks: Sequence[int], work: Work, *, spare: int = 0) -> list[str]:
    """Drop the least important sentences until the limits hold; a careless model sometimes overlooks a limit."""
    kept = list(zip(ranks, range(len(sentences)), sentences, strict=True))
    wishes = work.wishes
    if wishes.is_limited and work.slips("overlooks_limit", 0.4, told=True):
        return list(sentences)
    most = wishes.most_sentences or (3 if "brief" in wishes.wanted else len(kept))
    while len(kept) > most:
        kept.remove(max(kept))
    if wishes.most_words:
        room = max(wishes.most_words - spare - 1, 4)
        while len(kept) > 1 and sum(len(text.split()) for _, _, text in kept) > room:
            kept.remove(max(kept))
        kept = [(rank, at, shorten(text, room)) for rank, at, text in kept]
    return [text for _, _, text in kept]


def shorten(text: str, words: int) -> str:
    """Cut a text after so many words."""
    parts = text.split()
    return text.strip() if len(parts) <= words else " ".join(parts[:words]).rstrip(",;:") + "…"


def named_fields(prompt: str) -> list[str]:
    """Return the names of the fields that a prompt asks for, in its order."""
    names = TEMPLATE.findall(prompt) or LISTED.findall(prompt)
    if not names and (match := FIELDS.search(prompt)):
        pieces = re.split(r"[,/]|\band\b", match.group(1))
        names = ["_".join(re.findall(r"\w+", piece)) for piece in pieces if len(piece.split()) <= 3]
    return [name for name in dict.fromkeys(names) if name and name.lower() not in NO_FIELDS]


def as_json(work: Work, values: Mapping[str, Any]) -> str:
    """Write the values as JSON: by the schema if one was given, by the fields that the prompt names, else as they are."""
    if work.schema is not None:
        return json.dumps(schema_values.fill(work.schema, values, work.chance), ensure_ascii=False)
    names = named_fields(work.prompt)
    if names:
        values = {name: schema_values.value_for(name, values) for name in names}
    return json.dumps(values, ensure_ascii=False)
