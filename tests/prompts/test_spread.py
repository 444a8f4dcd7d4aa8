"""How far answers differ, in groups and ranges."""

from decimal import Decimal
from uuid import uuid4

from apps.llm.completion import Completion, Usage
from apps.prompts import spread
from apps.prompts.tries import Outcome


def said(text: str, cost: str | None = "0.001", ms: int = 500) -> Outcome:
    done = Completion(
        text=text,
        tool_calls=[],
        finish_reason="stop",
        usage=Usage(input=10, output=5),
        cost=None if cost is None else Decimal(cost),
        latency_ms=ms,
        call_id=uuid4(),
        charge_id=uuid4(),
        provider_request_id="",
        attempts=1,
    )
    return Outcome(text, completion=done)


FAILED = Outcome(error="The provider did not answer.")


def test_equal_answers_are_one_group_and_the_most_frequent_comes_first() -> None:
    found = spread.of([said("b"), said("a"), said("a "), said("c"), said("a")])
    assert [(group.text, group.count) for group in found.groups] == [("a", 3), ("b", 1), ("c", 1)]
    assert found.sentence == "3 different answers in 5 runs; the most frequent came 3 times."


def test_the_ranges_are_in_words() -> None:
    found = spread.of([said("ab", "0.001", 100), said("abcd", "0.003", 2000), said("abc", "0.002", 300)])
    rows = {row.label: (row.lowest, row.middle, row.highest) for row in found.ranges}
    assert rows["Length, characters"] == ("2", "3", "4")
    assert rows["Cost"] == ("$0.001", "$0.002", "$0.003")
    assert rows["Time"] == ("100\u00a0ms", "300\u00a0ms", "2\u00a0s")


def test_an_even_number_of_runs_has_a_middle_too() -> None:
    assert spread.of([said("a", "0.001", 101), said("b", "0.002", 102)]).ranges[1].middle == "$0.0015"


def test_what_has_no_price_is_left_out_of_the_range_of_cost() -> None:
    assert [row.label for row in spread.of([said("a", None)]).ranges] == ["Length, characters", "Time"]


def test_failures_are_counted_beside_the_answers() -> None:
    found = spread.of([said("a"), FAILED, said("a")])
    assert (found.sentence, found.failures) == ("The same answer in 2 of 3 runs (the others failed).", [FAILED])
    assert spread.of([FAILED, FAILED]).sentence == "None of 2 runs was answered."


def test_answers_that_only_call_tools_differ_by_what_they_call() -> None:
    one, other = (Outcome(tools=[{"name": "track", "arguments": order}]) for order in ("1", "2"))
    assert [group.text for group in spread.of([one, other, one]).groups] == ["track(1)", "track(2)"]
