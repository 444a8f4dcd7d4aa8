"""The answers: they follow the prompt visibly, err in the usual ways, and always the same way."""

import json
from typing import Any

import jsonschema
import pytest

from apps.llm.practice_provider.answering import Answer, answer
from apps.llm.practice_provider.asking import read_openai
from apps.llm.practice_provider.classifying import labels_in
from apps.llm.practice_provider.instructions import read as read_instructions
from apps.llm.practice_provider.judging import shortcomings

REPLY = "You are a support agent at Acme Outdoor. Reply to the customer's message."
LABELS = {"billing", "delivery", "damage", "account", "other"}
CLASSIFY = "Classify the customer's message into one of: billing, delivery, damage, account, other."
DEFINED = """Classify the customer's message. Answer with the label only.
- billing: charges, invoices, cards, money
- delivery: parcels that are late or lost, tracking
- damage: broken, cracked or torn products
- account: sign-in, password, locked accounts
- other: anything else"""
EXTRACT = 'Extract the fields as JSON: {"order_number": "", "customer_name": "", "product": ""}'
MATTERS = [
    ("damage", "arrived yesterday but it is cracked and leaking. What happens now?"),
    ("delivery", "has not arrived and the tracking has not moved since Monday. Where is it?"),
    ("billing", "was charged twice on my card, and the invoice shows $49.90 only once."),
    ("damage", "came with a torn strap and a scratched buckle. I am quite disappointed."),
    ("delivery", "is delayed again and I am still waiting for the parcel. Please tell me when it will be delivered."),
]
PRODUCTS = ["kettle", "tent", "backpack", "headphones", "lamp", "desk", "jacket", "coffee grinder"]
NAMES = ["Maria", "Tom", "Aisha", "Jonas", "Chen", "Olivia"]
CASES = [
    (label, f"Hello, my order #{48000 + 37 * at} for the {PRODUCTS[at % 8]} {text}\n\nRegards, {NAMES[at % 6]}", at)
    for at, (label, text) in enumerate(MATTERS * 24)
]
KETTLE = "Hello, my order #48213 arrived but the kettle is cracked and leaking. What happens now?\n\nRegards, Maria"
FAULTY = read_instructions("Mention the order number. Do not mention policy. Use the customer's name.")


def ask(system: str, user: str, model: str = "practice-small", **options: Any) -> Answer:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return answer(read_openai({"model": model, "messages": messages, **options}, ""))


def fault_rate(system: str, model: str = "practice-small") -> float:
    return sum(bool(shortcomings(ask(system, text, model).text, FAULTY)) for _, text, _ in CASES) / len(CASES)


def error_rate(system: str, model: str = "practice-small") -> float:
    return sum(ask(system, text, model).text != label for label, text, _ in CASES) / len(CASES)


def test_a_reply_quotes_what_the_customer_wrote() -> None:
    text = ask(REPLY, KETTLE, "practice-large").text
    assert "48213" in text
    assert "kettle" in text
    assert "Maria" in text


def test_a_tagged_message_in_one_text_is_told_from_its_instructions() -> None:
    asked = f"Reply to the customer. Sign as Robin.\n<message>\n{KETTLE}\n</message>"
    text = ask("", asked, "practice-large").text
    assert "48213" in text
    assert text.endswith("Robin")


def test_leading_paragraphs_of_instructions_are_not_taken_for_the_message() -> None:
    asked = f"Reply to the customer.\n\nDo not mention policy.\n\nSign as Robin.\n\n{KETTLE}"
    text = ask("", asked, "practice-large").text
    assert text.startswith("Hello Maria")
    assert text.endswith("Robin")


@pytest.mark.parametrize("text", ["1", " ", "my the ", "<text>", "order ", "a@"])
@pytest.mark.parametrize("system", [REPLY, CLASSIFY, "Grade the reply."])
def test_a_huge_senseless_message_is_answered(system: str, text: str) -> None:
    assert ask(system + text * 40_000, text * 40_000).end == "end"


@pytest.mark.parametrize(
    ("wish", "sign"),
    [
        ("Apologise first.", "sorry|apologise"),
        ("Sign as Robin Meyer.", "Robin Meyer"),
        ("Use bullet points.", "\n- "),
        ("Ask one clarifying question.", "?"),
        ("Use a warm tone.", "Warm wishes"),
        ("Use a formal tone.", "Yours sincerely"),
        ("Mention our help centre.", "help centre"),
        ("Say what the next step is.", "working days"),
    ],
)
def test_an_instruction_shows_in_the_reply(wish: str, sign: str) -> None:
    signs = sign.split("|")
    told = [ask(f"{REPLY} {wish}", text).text for _, text, _ in CASES]
    untold = [ask(REPLY, text).text for _, text, _ in CASES]
    shown, unasked = (sum(any(s in text for s in signs) for text in texts) / len(CASES) for texts in (told, untold))
    assert shown > 0.9
    assert unasked < shown


def test_a_word_limit_is_kept_nearly_always() -> None:
    lengths = [len(ask(f"{REPLY} Use under 40 words.", text).text.split()) for _, text, _ in CASES]
    assert sum(length < 40 for length in lengths) > 0.9 * len(lengths)


def test_a_sentence_limit_shortens_the_reply() -> None:
    texts = [ask(f"{REPLY} Use at most two sentences.", text).text.split("\n\n")[1] for _, text, _ in CASES]
    assert sum(text.count(".") + text.count("!") <= 3 for text in texts) > 0.9 * len(texts)


def test_a_ban_on_refunds_stops_nearly_all_promises() -> None:
    def promises(system: str) -> int:
        return sum("full refund" in ask(system, text).text for _, text, _ in CASES)

    assert promises(REPLY) > 8
    assert promises(f"{REPLY} Do not promise a refund.") < promises(REPLY) / 3


def test_a_reply_in_json_has_the_keys_that_the_prompt_names() -> None:
    text = ask(f"{REPLY} Reply in JSON with keys reply, order_number and tone.", KETTLE, "practice-large").text
    assert set(json.loads(text)) == {"reply", "order_number", "tone"}


def test_untold_replies_err_in_a_noticeable_part_of_the_cases() -> None:
    assert 0.2 < fault_rate(REPLY) < 0.5


def test_the_large_model_errs_less_than_the_small_one() -> None:
    assert fault_rate(REPLY, "practice-large") < 0.6 * fault_rate(REPLY)


def test_a_better_prompt_errs_less() -> None:
    better = f"{REPLY} Quote the order number. Use the customer's name. Do not promise a refund. Do not mention policy. Stay under 90 words."
    assert fault_rate(better) < 0.5 * fault_rate(REPLY)


def test_a_class_is_always_one_of_the_labels() -> None:
    assert {ask(CLASSIFY, text).text for _, text, _ in CASES} <= LABELS


def test_defined_labels_are_told_apart_better() -> None:
    assert 0.1 < error_rate(CLASSIFY) < 0.5
    assert error_rate(DEFINED) < 0.6 * error_rate(CLASSIFY)


@pytest.mark.parametrize(
    "prompt",
    [
        CLASSIFY,
        DEFINED,
        "Classify the message as billing, delivery, damage, account or other.",
        'Choose the label from "billing", "delivery", "damage", "account" and "other".',
        "Categories:\n1. billing\n2. delivery\n3. damage\n4. account\n5. other",
        "Labels: billing (money), delivery (parcels), damage (broken things), account, other. Say nothing else.",
    ],
)
def test_labels_are_read_however_they_are_listed(prompt: str) -> None:
    assert {name for name, _ in labels_in(prompt)} == LABELS


def test_a_class_by_schema_is_one_of_its_values() -> None:
    schema = {
        "type": "object",
        "properties": {"label": {"enum": ["refund", "repair"]}, "confidence": {"type": "number"}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "label", "schema": schema}}
    found = json.loads(ask("Classify the message.", KETTLE, response_format=form).text)
    assert found["label"] in {"refund", "repair"}
    assert 0 <= found["confidence"] <= 1


def test_extraction_finds_the_fields_and_now_and_then_misses_one() -> None:
    right = 0
    for _, text, at in CASES:
        found = ask(f"{EXTRACT} Only JSON.", text).text.removeprefix("```json\n").removesuffix("\n```")
        wanted = {"order_number": str(48000 + 37 * at), "customer_name": NAMES[at % 6], "product": PRODUCTS[at % 8]}
        right += json.loads(found.split("```json\n")[-1]) == wanted
    assert 0.45 < right / len(CASES) < 0.95


def test_a_summary_is_shorter_and_keeps_to_its_limit() -> None:
    text = ask("Summarise the customer's message in one sentence.", KETTLE, "practice-large").text
    assert len(text) < len(KETTLE)
    assert text.count(".") == 1


def test_a_judge_prefers_the_answer_that_meets_the_criteria() -> None:
    system = "You are a judge. Which answer is better? It must apologise and quote the order number. Give your verdict as JSON."
    good, bad = "I am sorry, Maria. A new kettle for order 48213 is on its way.", "OK."
    first = json.loads(ask(system, f"Answer A:\n{good}\n\nAnswer B:\n{bad}").text)
    second = json.loads(ask(system, f"Answer A:\n{bad}\n\nAnswer B:\n{good}").text)
    assert (first["verdict"], second["verdict"]) == ("A", "B")


def test_a_grader_fails_an_answer_that_breaks_a_ban_and_says_why() -> None:
    system = (
        'Grade the reply. It must not promise a refund. Respond with JSON: {"reason": "", "pass": true, "score": 0.5}'
    )
    verdict = json.loads(ask(system, "Reply: You will receive a full refund.", "practice-large").text)
    assert verdict["pass"] is False
    assert "refund" in verdict["reason"]


def test_verdicts_mostly_but_not_always_agree_with_the_criteria() -> None:
    system = "You are a judge. Grade the reply: does it apologise? Respond in JSON."
    verdicts = [json.loads(ask(system, f"Reply: We are sorry about order {n}.").text)["pass"] for n in range(200)]
    assert 0.8 < sum(verdicts) / len(verdicts) < 1


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/x"}, "minItems": 2}}, "required": ["a"], "$defs": {"x": {"type": "string", "minLength": 8}}},
        {"type": "object", "properties": {"v": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 3, "maximum": 4}]}}, "required": ["v"]},
        {"type": "object", "properties": {"verdict": {"enum": ["A", "B", "tie"]}, "score": {"type": "number", "minimum": 0, "maximum": 1}}, "required": ["verdict", "score"]},
        {"type": "object", "properties": {"s": {"type": ["string", "null"], "maxLength": 5}, "k": {"const": 7}, "n": {"type": "integer", "exclusiveMinimum": 0}}, "required": ["s", "k", "n"]},
        {"type": "object", "properties": {"child": {"$ref": "#"}, "name": {"type": "string"}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("system", [REPLY, CLASSIFY, EXTRACT, "Grade the reply.", "Summarise the message.", "Hello."])
def test_any_schema_is_satisfied_by_any_task(schema: dict[str, Any], system: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "any", "schema": schema}}
    jsonschema.validate(json.loads(ask(system, KETTLE, response_format=form).text), schema)


def test_without_temperature_a_seed_changes_nothing() -> None:
    assert ask(REPLY, KETTLE, seed=1) == ask(REPLY, KETTLE, seed=2)


def test_with_temperature_seeds_vary_the_answer_and_each_repeats_itself() -> None:
    texts = [ask(REPLY, KETTLE, temperature=0.7, seed=seed).text for seed in range(12)]
    assert len(set(texts)) > 1
    assert texts == [ask(REPLY, KETTLE, temperature=0.7, seed=seed).text for seed in range(12)]


def test_something_else_is_answered_about_its_subject() -> None:
    assert "hammock" in ask("You are helpful.", "Tell me how to hang a hammock between two trees.").text
