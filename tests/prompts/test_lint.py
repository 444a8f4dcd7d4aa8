# ruff: noqa: RUF001  letters that look alike are what this is about
"""What the desk says about a text while it is written."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.prompts import lint, lookalikes


@dataclass
class Draft:
    messages: list[Any]
    examples: list[Any] = field(default_factory=list)
    format: str = "mustache"
    output_schema: Any = None
    tools: list[Any] = field(default_factory=list)


def variable(name: str, kind: str = "string", example: str = "") -> dict[str, Any]:
    return {"name": name, "type": kind, "required": True, "default": None, "example": example, "description": ""}


def chat(system: str, user: str, **more: Any) -> Draft:
    return Draft([{"role": "system", "content": system}, {"role": "user", "content": user}], **more)


def codes(draft: Draft, *names: str, **more: Any) -> list[str]:
    return [finding.code for finding in lint.findings(draft, [variable(name) for name in names], **more)]


def one(draft: Draft, code: str, *names: str) -> lint.Finding:
    found = [f for f in lint.findings(draft, [variable(name) for name in names]) if f.code == code]
    assert len(found) == 1, found
    return found[0]


GOOD = chat("Answer in JSON.", "<ticket>\n{{ticket}}\n</ticket>")


def test_a_good_text_gets_no_remark() -> None:
    assert codes(GOOD, "ticket") == []


def test_variables_that_are_unused_or_undeclared_are_named_with_their_place() -> None:
    assert one(GOOD, "unused-variable", "ticket", "order").sentence == "order is declared and used nowhere."
    found = one(GOOD, "undeclared-variable")
    assert GOOD.messages[1]["content"][found.start : found.end] == "ticket"


def test_variables_of_prompts_inside_count_as_used() -> None:
    assert codes(GOOD, "ticket", "brand", inner=["brand"]) == []


def test_a_text_that_cannot_be_read_calls_nothing_unused() -> None:
    assert codes(chat("Answer in JSON.", "{{first name}}"), "ticket") == ["template"]


@pytest.mark.parametrize("format", ["mustache", "jinja", "fstring"])
def test_what_a_user_writes_does_not_belong_into_a_system_message(format: str) -> None:
    text = "Answer in JSON: {message}" if format == "fstring" else "Answer in JSON: {{ message }}"
    draft = Draft([{"role": "system", "content": text}], format=format)
    found = one(draft, "input-in-system", "message")
    assert (found.message_index, text[found.start : found.end]) == (0, "message")


@pytest.mark.parametrize("user", ["Reply to this {{message}} now", "{{message}}\nReply in JSON."])
def test_input_without_marks_around_it_is_pointed_out(user: str) -> None:
    assert codes(chat("Answer in JSON.", user), "message") == ["input-not-delimited"]


@pytest.mark.parametrize(
    "user",
    [
        "<m>{{message}}</m>",
        "Text:\n```\n{{ message }}\n```",
        'It says "{{message}}"',
        "{{message}}",
        "Message: {{message}}",
    ],
)
def test_input_between_marks_or_alone_is_fine(user: str) -> None:
    assert codes(chat("Answer in JSON.", user), "message") == []


def test_a_number_from_the_caller_is_no_text_that_could_give_orders() -> None:
    draft = chat("Answer in JSON, {{question_count}} times.", "Go.")
    assert lint.findings(draft, [variable("question_count", "integer")]) == []


@pytest.mark.parametrize(
    ("text", "contradicts"),
    [
        ("Write at most 60 words. Use at most 90 words.", True),
        ("At least 100 words, but at most 50 words.", True),
        ("Be brief. Give a detailed explanation.", True),
        ("In two sentences. Use exactly 3 sentences.", True),
        ("At least 20 words and at most 50 words.", False),
        ("At most 60 words in two sentences.", False),
        ("Be brief, and exact.", False),
    ],
)
def test_lengths_that_cannot_both_be_had(text: str, contradicts: bool) -> None:
    found = [f for f in lint.findings(chat(text, "Go."), []) if f.code == "contradictory-length"]
    assert bool(found) == contradicts
    if found:
        assert text[found[0].start : found[0].end] in found[0].sentence


def test_an_answer_of_no_shape_is_pointed_out() -> None:
    assert codes(chat("You help customers.", "Hello.")) == ["no-output-format"]
    assert codes(chat("You help customers.", "Hello.", output_schema={"type": "object"})) == []


@pytest.mark.parametrize(
    ("one_name", "other"),
    [
        ("customer", "сustomer"),
        ("order_id", "order_іd"),
        ("α_rate", "a_rate"),
        ("café", "cafe\u0301"),
        ("modern", "modem"),
    ],
)
def test_names_that_look_alike_are_both_named(one_name: str, other: str) -> None:
    assert lookalikes.pairs([one_name, other]) == [(one_name, other)]


@pytest.mark.parametrize("name", ["customer_name", "ชื่อ", "клиент", "اسم", "naïve", "order2", "顧客"])
def test_honest_names_of_any_script_are_left_alone(name: str) -> None:
    assert lookalikes.pairs([name, "ticket"]) == []
    assert lookalikes.strangers(name) == []


def test_a_name_of_two_scripts_says_which_letter_is_foreign() -> None:
    draft = chat("Answer in JSON.", "<t>{{ticket}}</t> for {{сustomer}}")
    found = one(draft, "mixed-scripts", "ticket", "сustomer")
    assert "latin small letter u" in found.sentence


def test_look_alikes_in_one_text_are_a_warning_at_the_second() -> None:
    draft = chat("Answer in JSON.", "{{customer}} and {{сustomer}}")
    found = one(draft, "look-alike", "customer", "сustomer")
    assert "customer and сustomer look alike" in found.sentence
    assert draft.messages[1]["content"][found.start : found.end] == "сustomer"


def test_what_a_word_processor_left_is_found_and_counted() -> None:
    draft = chat("Answer in\u00a0JSON\u200b, “please”.", "Go.")
    assert codes(draft) == ["pasted-invisible", "pasted-quotes", "pasted-space"]
    assert one(draft, "pasted-quotes").sentence == "Message 1 has curly quotes (2), as word processors write them."


@pytest.mark.parametrize("text", ["می‌خواهم", "👩‍🚀", "it’s", "العربية‏"])
def test_letters_that_a_script_needs_are_not_blamed_on_a_word_processor(text: str) -> None:
    assert codes(chat(f"Answer in JSON. {text}", "Go.")) == []


def test_examples_are_complete_and_have_a_place() -> None:
    row = {"input": "Hi", "output": " "}
    assert codes(chat("Answer in JSON.", "Go.", examples=[row])) == ["examples-without-place", "empty-example"]
    draft = chat("Answer in JSON.", "Go.")
    draft.messages.insert(1, {"type": "examples"})
    assert codes(draft) == ["no-examples"]


def test_a_broken_reference_and_one_that_leads_nowhere_are_errors() -> None:
    broken = chat("Answer in JSON. @@@langfusePrompt:name=a@@@", "Go.")
    assert codes(broken) == ["reference"]
    lost = chat("Answer in JSON. @@@langfusePrompt:name=a|label=x@@@", "Go.")
    assert codes(lost, problem="There is no prompt a.") == ["reference"]


@given(
    st.lists(st.text(max_size=80), min_size=1, max_size=4),
    st.sampled_from(["mustache", "jinja", "fstring"]),
    st.lists(st.text(min_size=1, max_size=8), max_size=4),
)
def test_no_text_breaks_the_lint_and_every_span_lies_inside_its_text(
    texts: list[str], format: str, names: list[str]
) -> None:
    draft = Draft([{"role": "system", "content": text} for text in texts], format=format)
    for finding in lint.findings(draft, [variable(name) for name in names]):
        assert finding.level in lint.LEVELS
        if finding.start is not None:
            assert 0 <= finding.start <= (finding.end or 0) <= len(texts[finding.message_index or 0])


@pytest.mark.parametrize("text", ["at most 9 words " * 8_000, "{{message}} " * 20_000, "<" * 300_000, "“" * 300_000])
def test_a_long_text_does_not_hold_the_editor_up(text: str) -> None:
    began = time.monotonic()
    lint.findings(chat("Answer in JSON.", text), [])
    assert time.monotonic() - began < 5
