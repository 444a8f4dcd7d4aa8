"""The answer to a question: text or a tool call, cut where the question says, and counted."""

import json
from dataclasses import dataclass
from typing import Any

from . import classifying, extracting, judging, replying, schema_values, summarising, talking, tokens
from .asking import Ask, Tool, text_of
from .work import Work, plan

WRITERS = {
    "reply": replying.write,
    "summarise": summarising.write,
    "classify": classifying.write,
    "extract": extracting.write,
    "judge": judging.write,
    "talk": talking.write,
}


@dataclass(frozen=True)
class Answer:
    """One answer: why it ended is `end`, `length`, `stop` (a stop sequence) or `tool`."""

    text: str
    end: str
    stop: str | None
    tool: str
    arguments: dict[str, Any]
    reasoning_tokens: int
    tokens: int


def answer(ask: Ask, copy: int = 0) -> Answer:
    """Answer a question."""
    work = plan(ask, copy)
    if tool := _wanted_tool(ask, work):
        arguments = schema_values.fill(tool.schema or {"type": "object"}, extracting.known(work), work.chance)
        arguments = arguments if isinstance(arguments, dict) else {}
        return Answer("", "tool", None, tool.name, arguments, 0, tokens.count(tool.name + json.dumps(arguments)))
    return _finished(ask, _text(ask, work))


def _text(ask: Ask, work: Work) -> str:
    if ask.last_role == "tool":
        told = next(
            (text_of(message.get("content")) for message in reversed(ask.messages) if text_of(message.get("content"))),
            "",
        )
        return f"According to our records: {told.strip()[:400]}"
    if work.wants_json and work.task == "talk" and work.schema is not None:
        return json.dumps(schema_values.fill(work.schema, extracting.known(work), work.chance), ensure_ascii=False)
    return WRITERS[work.task](work)


def _wanted_tool(ask: Ask, work: Work) -> Tool | None:
    """Choose the tool: the one demanded, or the one whose description has most in common with the question."""
    if not ask.tools or ask.tool_choice == "none" or ask.last_role == "tool":
        return None
    for tool in ask.tools:
        if tool.name == ask.tool_choice:
            return tool
    said = set(talking.topics(work.material)) | {word.strip(".,?!").lower() for word in ask.user.split()}
    ranked = sorted(ask.tools, key=lambda tool: -len(said & _words(tool)))
    if ask.tool_choice == "required" or said & _words(ranked[0]):
        return ranked[0]
    return None


def _words(tool: Tool) -> set[str]:
    text = f"{tool.name.replace('_', ' ')} {tool.description}".lower()
    return {word.strip(".,") for word in text.split() if len(word) > 3 and word not in talking.COMMON}


def _finished(ask: Ask, text: str) -> Answer:
    stop = None
    for sequence in ask.stops:
        at = text.find(sequence)
        if at >= 0:
            text, stop = text[:at], sequence
    end = "end" if stop is None else "stop"
    reasoning = ask.effort and ask.effort // 2 + tokens.count(text) % max(ask.effort // 2, 1)
    if ask.max_tokens is not None:
        reasoning = min(reasoning, ask.max_tokens)
        short = tokens.cut(text, ask.max_tokens - reasoning)
        if short != text:
            text, end, stop = short, "length", None
    return Answer(text, end, stop, "", {}, reasoning, tokens.count(text) + reasoning)
