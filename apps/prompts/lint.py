"""What an experienced colleague would say about a text while it is written. Advice: nothing here refuses anything.

Pure, and linear in the text: it runs at every pause in typing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from apps.core.errors import DomainError
from apps.prompts import items, lengths, lookalikes, references, templates, variables

WORD = re.compile(r"(?<=[{%\s(])[^\W\d]\w*")
ERROR, WARNING, HINT = "error", "warning", "hint"
LEVELS = (ERROR, WARNING, HINT)
FREE_TEXT = re.compile(
    r"message|text|input|question|query|content|document|body|comment|review|mail|ticket|transcript|article|note|request|"
    r"feedback|page|description|data",
    re.IGNORECASE,
)
ASKS_FOR_FORMAT = re.compile(
    r"\b(?:json|xml|yaml|csv|html|markdown|table|bullet(?:s| points?)?|numbered|lists?|labels?|columns?|one (?:word|line|sentence)|"
    r"\w+ (?:words|sentences|lines|paragraphs|characters)|format|schema|answer (?:in|with|only)|respond (?:in|with|only)|"
    r"reply (?:in|with|only)|return (?:a|an|the|only)|output|classify|extract|subject line|sign as|yes or no)\b",
    re.IGNORECASE,
)
# What marks where given text begins: a tag, a fence, quotes, a rule or a heading of its own.
OPENS = re.compile(
    r"(?:<[^<>\n]{1,60}>|```[^\n]*|\"\"\"|'''|[\"\u201c\u00ab\u201e\u2018'`]|-{3,}|={3,}|#{1,6} [^\n]*|\w[^\n]{0,60}:)\s*$"
)
PASTED = (
    (
        "pasted-quotes",
        re.compile("[\u201c\u201d\u201e\u201f\u2018\u201b]|(?<!\\w)\u2019|\u2019(?!\\w)"),
        HINT,
        "curly quotes",
    ),
    ("pasted-space", re.compile("[\u00a0\u202f\u2007]"), HINT, "spaces that do not break"),
    ("pasted-invisible", re.compile("[\u200b\u2060\ufeff\u00ad]"), WARNING, "characters that nobody sees"),
)


class Text(Protocol):
    """What is looked at: a draft or a version."""

    messages: list[Any]
    examples: list[Any]
    format: str
    output_schema: Any
    tools: list[Any]


@dataclass(frozen=True)
class Finding:
    """One remark: about the whole when `message_index` is None, else about `start` to `end` of that item's text."""

    message_index: int | None
    level: str
    code: str
    sentence: str
    start: int | None = None
    end: int | None = None


def findings(
    content: Text, contract: list[variables.Variable], *, inner: Iterable[str] = (), problem: str = ""
) -> list[Finding]:
    """Return the remarks about a text and the variables that its author declared, the gravest first.

    `inner` are the names that the prompts which it takes in use; `problem` is why those cannot be taken in.
    """
    found = list(_broken(content))
    if problem and not any(finding.code == "reference" for finding in found):
        found.append(Finding(None, ERROR, "reference", problem))
    names = _names(content)
    if len(names) <= variables.MAX_VARIABLES:  # what has more is refused, and its remarks would be as many
        found += _of_names(content, names, contract, set(inner), whole=not any(one.level == ERROR for one in found))
        found += _of_placement(content, names, contract)
    found += _of_answer(content)
    found += _of_examples(content)
    for index, text in _texts(content):
        found += _of_pasting(index, text)
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def _texts(content: Text) -> Iterator[tuple[int, str]]:
    for index, item in enumerate(content.messages):
        if items.is_message(item):
            yield index, item["content"]


def _broken(content: Text) -> Iterator[Finding]:
    """Find texts that cannot be read as a template or hold a tag that names nothing."""
    for index, text in _texts(content):
        if not text.strip():
            yield Finding(index, WARNING, "empty-message", f"Message {index + 1} is empty.")
        for code, read in (("template", _template_names(content.format)), ("reference", references.in_text)):
            try:
                read(text)
            except DomainError as error:
                yield Finding(index, ERROR, code, error.message)


def _template_names(format: str) -> Any:
    return lambda text: templates.names_in([text], format)


def _names(content: Text) -> dict[str, int | None]:
    """Return each variable of the readable texts with the index of the first message that uses it."""
    found: dict[str, int | None] = {}
    for index, text in _texts(content):
        try:
            names = templates.names_in([text], content.format)
        except DomainError:
            continue
        for name in names:
            found.setdefault(name, index)
    for row in content.examples:
        try:
            names = templates.names_in([row["input"], row["output"]], content.format)
        except DomainError:
            continue
        found.update({name: None for name in names if name not in found})
    return found


def _of_names(
    content: Text,
    names: dict[str, int | None],
    contract: list[variables.Variable],
    inner: set[str],
    *,
    whole: bool,
) -> Iterator[Finding]:
    places = items.placeholders(content.messages)
    declared = {variable["name"] for variable in contract}
    for name, index in names.items():
        if name not in declared:
            sentence = f"{name} is not among the variables yet: say what it is, and give an example."
            yield Finding(index, WARNING, "undeclared-variable", sentence, *_span(content, index, name))
    # What cannot be read may use anything: then nothing is called unused.
    if whole:
        for name in sorted(declared - names.keys() - inner - set(places)):
            yield Finding(None, WARNING, "unused-variable", f"{name} is declared and used nowhere.")
    for one, other in lookalikes.pairs([*names, *places, *inner, *sorted(declared)]):
        strange = lookalikes.strangers(one) or lookalikes.strangers(other)
        why = f" (one has {strange[0].lower()})" if strange else ""
        sentence = f"{one} and {other} look alike and are two variables{why}."
        yield Finding(names.get(other), WARNING, "look-alike", sentence, *_span(content, names.get(other), other))
    for name in dict.fromkeys([*names, *places]):
        if strange := lookalikes.strangers(name):
            sentence = f"{name} mixes scripts: {strange[0].lower()} stands in it."
            yield Finding(names.get(name), WARNING, "mixed-scripts", sentence, *_span(content, names.get(name), name))


def _span(content: Text, index: int | None, name: str) -> tuple[int | None, int | None]:
    """Return where a name first stands inside braces."""
    return (None, None) if index is None else _spans(content.messages[index]["content"]).get(name, (None, None))


@lru_cache(maxsize=8)
def _spans(text: str) -> dict[str, tuple[int, int]]:
    """Return where each word first stands inside braces: read once for all names of a text."""
    found: dict[str, tuple[int, int]] = {}
    for match in WORD.finditer(text):
        word = match[0]
        if word not in found and text.rfind("{", max(0, match.start() - 200), match.start()) >= 0:
            found[word] = match.span()
    return found


def _of_placement(content: Text, names: dict[str, int | None], contract: list[variables.Variable]) -> Iterator[Finding]:
    """Find places where what a user writes could be read as instructions."""
    kinds = {variable["name"]: variable for variable in contract}
    for index, text in _texts(content):
        role = content.messages[index]["role"]
        try:
            used = templates.names_in([text], content.format)
        except DomainError:
            continue
        for name in used:
            if not _is_free_text(name, kinds.get(name, {})):
                continue
            span = _span(content, index, name)
            if role == "system":
                sentence = (
                    f"{name} stands in a system message. What a user writes there is obeyed like your own words: "
                    "move it to a user message."
                )
                yield Finding(index, WARNING, "input-in-system", sentence, *span)
            elif span[0] is not None and not _is_delimited(text, span[0]):
                sentence = (
                    f"Nothing marks where {name} begins and ends. Put it between tags, such as <{name}>…</{name}>, "
                    "so that instructions in it are not taken for yours."
                )
                yield Finding(index, HINT, "input-not-delimited", sentence, *span)


def _is_free_text(name: str, variable: variables.Variable) -> bool:
    if variable.get("type", "string") not in ("string", "list", "object"):
        return False
    return bool(FREE_TEXT.search(name)) or len(str(variable.get("example") or "")) > 80


def _is_delimited(text: str, start: int) -> bool:
    """Tell whether something marks the beginning of a variable, or it is all that the message says."""
    before = re.sub(r"\{+%?[^{}]*$", "", text[max(0, start - 300) : start])
    after = text[start : start + 300].partition("}")[2].lstrip("} \n")
    return bool(OPENS.search(before)) or not (before.strip() or after.strip())


def _of_answer(content: Text) -> Iterator[Finding]:
    """Find answers that are asked for in no shape, or in two lengths."""
    texts = [text for _, text in _texts(content)]
    shaped = content.output_schema or content.tools or content.examples
    if any(map(str.strip, texts)) and not shaped and not any(map(ASKS_FOR_FORMAT.search, texts)):
        sentence = "Nothing says what the answer looks like: its format, its length, or an example."
        yield Finding(None, HINT, "no-output-format", sentence)
    asked = [wish for index, text in _texts(content) for wish in lengths.wishes(index, text)]
    for one, other in lengths.contradictions(asked):
        sentence = f"“{other.words}” contradicts “{one.words}” in message {one.message + 1}."
        yield Finding(other.message, WARNING, "contradictory-length", sentence, other.start, other.end)


def _of_examples(content: Text) -> Iterator[Finding]:
    place = next((index for index, item in enumerate(content.messages) if items.is_examples(item)), None)
    if content.examples and place is None:
        sentence = "The examples stand nowhere in the messages, so no model sees them."
        yield Finding(None, WARNING, "examples-without-place", sentence)
    if place is not None and not content.examples:
        yield Finding(place, HINT, "no-examples", "There is a place for examples, and none yet.")
    for number, row in enumerate(content.examples, 1):
        sides = [side for side in ("input", "output") if not row[side].strip()]
        if sides:
            yield Finding(place, WARNING, "empty-example", f"Example {number} has no {' and no '.join(sides)}.")


def _of_pasting(index: int, text: str) -> Iterator[Finding]:
    for code, pattern, level, what in PASTED:
        if match := pattern.search(text):
            count = sum(1 for _ in pattern.finditer(text))
            sentence = f"Message {index + 1} has {what} ({count}), as word processors write them."
            yield Finding(index, level, code, sentence, *match.span())
