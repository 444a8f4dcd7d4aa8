"""From a question to the work it sets: which task, by which instructions, on which material, done how well."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from . import facts, instructions
from .asking import Ask
from .chance import Chance

TAGGED = re.compile(
    r"<(message|customer_message|ticket|email|text|conversation|input|review|document|content)>(.*?)</\1>", re.S | re.I
)
FENCED = re.compile(r"(?:\"\"\"|```(?:\w+\n)?|'''|\n---+\n)(.+?)(?:\"\"\"|```|'''|\n---+(?:\n|$))", re.S)
HEADED = re.compile(
    r"(?:^|\n)[ \t]*(?:#+\s*)?(?:the\s+)?(?:customer(?:'s)? (?:message|e-?mail|ticket|request)|customer|message|ticket|e-?mail|conversation|text|input|review)"
    r"(?: (?:is|below|follows))?\s*:\s*(.+)",
    re.S | re.I,
)
INSTRUCTING = re.compile(
    r"\s*(?:[-*•]\s|\d+[.)]|(?:reply|write|use|keep|do not|don't|never|always|sign|apologi|answer|ask|mention|include|return|output|give|classify"
    r"|choose|labels?\b|categories|extract|summar|you (?:are|must|should)|rules?\b|if the)\b)",
    re.I,
)
TASKS = {
    "classify": re.compile(
        r"\bclassif|\bcategori[sz]|\btriage\b|\b(?:assign|choose|pick|select|return|give)\b[^.\n]{0,40}\b(?:labels?|categor(?:y|ies)|class)\b"
        r"|\bwhich (?:label|category|topic|queue)|\blabel (?:the|this|each|every)",
        re.I,
    ),
    "extract": re.compile(r"\bextract|\bpull out|\bfind the (?:following )?fields", re.I),
    "summarise": re.compile(r"\bsummar|\bcondense|\btl;?dr|\bdigest of|\bboil down", re.I),
    "reply": re.compile(
        r"\brepl(?:y|ies)\b|\brespond\b|\bwrite (?:back|an answer)|\banswer (?:the|this|a|their|each|every|customers?)\b|\bdraft (?:a|an)\b",
        re.I,
    ),
}
JUDGE = re.compile(
    r"\b(?:you are|act as|be) (?:an?|the) (?:\w+[ -]){0,3}(?:judge|grader|evaluator|assessor)\b|\bgrade\b|\bjudge (?:the|this|whether|which|how|if)"
    r"|\bwhich (?:of the (?:two )?)?(?:answers?|responses?|repl(?:y|ies)|outputs?|one|assistant)\b[^.\n]{0,30}\bbetter|\bverdict\b|\brubric\b"
    r"|\b(?:score|rate|evaluate|assess) (?:the|this|each|how|whether) (?:\w+ ){0,3}(?:answer|response|reply|output|summary|text)",
    re.I,
)
PLAIN = re.compile(r"practice-small|mini|nano|lite|haiku|small|flash|8b|7b", re.I)
STRONG = re.compile(r"practice-large|opus|large|pro\b|ultra|gpt-5(?!.*(?:mini|nano))|70b|405b", re.I)

READABLE = 40_000  # characters; more would only slow the reading down


@dataclass(frozen=True)
class Work:
    """Everything that a writer needs to know."""

    task: str
    prompt: str
    wishes: instructions.Instructions
    material: str
    facts: facts.Facts
    chance: Chance
    skill: float
    wants_json: bool
    schema: Mapping[str, Any] | None

    def slips(self, fault: str, probability: float, *, told: bool = False) -> bool:
        """Say whether the model makes this mistake here: rarely when it was told not to, less often when it is good."""
        return self.chance.happens(fault, probability * self.skill * (0.12 if told else 1.0))


def plan(ask: Ask, copy: int = 0) -> Work:
    """Decide what is to be done."""
    prompt, material = divide(ask.system[:READABLE], ask.user[:READABLE])
    variation = f"{ask.variation}#{copy}" if ask.variation or copy else ""
    task = task_of(prompt)
    wishes = instructions.read(prompt)
    return Work(
        task=task,
        prompt=prompt,
        wishes=wishes,
        material=material,
        facts=facts.read(material),
        chance=Chance(material, variation),
        skill=skill_of(ask.model),
        wants_json=ask.wants_json or ("json" in wishes.wanted and task != "judge"),
        schema=ask.schema,
    )


def divide(system: str, user: str) -> tuple[str, str]:
    """Split what was said into the instructions and the material they are about."""
    for pattern in (TAGGED, FENCED, HEADED):
        match = pattern.search(user)
        if match and match.group(match.lastindex or 0).strip():
            inner = match.group(match.lastindex or 0)
            rest = user[: match.start()] + "\n" + user[match.end() :]
            return f"{system}\n{rest}".strip(), inner.strip()
    if system.strip():
        return system, user
    paragraphs = [part for part in user.split("\n\n") if part.strip()]
    head = 1
    while head < len(paragraphs) - 1 and INSTRUCTING.match(paragraphs[head]):
        head += 1
    material = "\n\n".join(paragraphs[head:]).strip()
    return ("\n\n".join(paragraphs[:head]), material) if material else (user, user)


@lru_cache(maxsize=512)
def task_of(prompt: str) -> str:
    """Name the task that a prompt sets: the one named first, but a judge is a judge."""
    if JUDGE.search(prompt):
        return "judge"
    found = {task: match.start() for task, pattern in TASKS.items() if (match := pattern.search(prompt))}
    return min(found, key=lambda task: found[task]) if found else "talk"


@lru_cache(maxsize=256)
def skill_of(model: str) -> float:
    """Return how prone to mistakes a model is: 1 is plain, less is better."""
    if PLAIN.search(model):
        return 1.0
    return 0.3 if STRONG.search(model) else 0.6
