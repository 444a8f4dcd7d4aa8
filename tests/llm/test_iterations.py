"""Answers of Anthropic's that took several requests on the provider's side."""

from typing import Any

from apps.llm.completion import Usage
from apps.llm.dialects import anthropic

WHOLE = {"input_tokens": 500, "output_tokens": 100}


def entry(kind: str, given: int, answered: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "input_tokens": given, "output_tokens": answered, **more}


def test_what_was_summed_up_is_counted_although_the_whole_leaves_it_out() -> None:
    iterations = [entry("compaction", 1000, 200, cache_read_input_tokens=7), entry("message", 500, 100)]
    found = anthropic.usage({**WHOLE, "iterations": iterations})
    assert found == Usage(input=1500, output=300, cache_read=7)


def test_what_another_model_was_asked_makes_the_cost_an_estimate() -> None:
    iterations = [entry("message", 500, 100), entry("advisor_message", 30, 40, model="claude-opus-5")]
    found = anthropic.usage({**WHOLE, "iterations": iterations})
    assert found == Usage(input=530, output=140, estimated=True)


def test_iterations_that_are_no_list_are_passed_over() -> None:
    for iterations in (None, "text", [None, "text", {"type": "compaction"}]):
        assert anthropic.usage({**WHOLE, "iterations": iterations}) == Usage(input=500, output=100)
