"""Tokens counted from text, for when no provider has said how many there were."""

import pytest

from apps.llm import counting


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("x" * 400, 100), ("日本語", 2), ("🙂🙂🙂", 2)]
)
def test_four_ascii_characters_are_a_token_and_others_weigh_more(text: str, tokens: int) -> None:
    assert counting.tokens(text) == tokens


def test_everything_that_is_sent_counts() -> None:
    plain = [{"role": "user", "content": "Hello there"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hello there"}, {"type": "image_url"}]}]
    bare = counting.input_tokens(plain)
    assert bare == counting.tokens("Hello there") + counting.PER_MESSAGE
    assert counting.input_tokens(parts) >= bare
    assert counting.input_tokens(plain, [{"name": "find"}]) > bare
    assert counting.input_tokens(plain, (), {"type": "object"}) > bare
    assert counting.input_tokens([*plain, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]) > bare
