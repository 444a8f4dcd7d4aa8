import pytest

from apps.experiments import assertions, bounded
from apps.experiments.assertions import FaultyAssertion, Subject


def passes(kind, value="", text="", **more):
    row = {"type": kind, "value": value, **more}
    return assertions.verdict(row, Subject(text, {"city": "Porto", "order": {"id": 7}}, "Yes")).passed


@pytest.mark.parametrize(
    ("kind", "value", "good", "bad"),
    [
        ("contains", "Porto", "from Porto", "from porto"),
        ("icontains", "PORTO", "from Porto", "from Faro"),
        ("equals", "Yes", " Yes\n", "yes"),
        ("starts-with", "Dear", "Dear Ines", "Hello, Dear"),
        ("regex", r"^\d{4}-\d{2}$", "2026-11", "november"),
        ("is-json", "", '{"a": [1, null]}', "{a: 1}"),
        ("json-schema", {"type": "object", "required": ["a"]}, '{"a": 1}', '{"b": 1}'),
        ("max-length", 5, "12345", "123456"),
        ("min-length", 5, "12345", "1234"),
    ],
)
def test_each_type_holds_for_one_text_and_not_for_the_other(kind, value, good, bad):
    assert passes(kind, value, good)
    assert not passes(kind, value, bad)


@pytest.mark.parametrize("kind", ["contains", "icontains", "equals", "starts-with", "regex"])
def test_not_turns_a_string_check_round(kind):
    assert passes(kind, "a", "a") is not passes(f"not-{kind}", "a", "a")
    assert passes(kind, "a", "b") is not passes(f"not-{kind}", "a", "b")


def test_lengths_are_counted_in_words_too():
    assert passes("max-length", 3, "one two three", unit="words")
    assert not passes("max-length", 3, "one two three four", unit="words")


def test_a_value_uses_the_inputs_of_the_case_and_its_expected_answer():
    assert passes("equals", "{{city}} {{ order.id }} {{expected}}", "Porto 7 Yes")


def test_a_missing_variable_fails_with_its_name_even_when_negated():
    verdict = assertions.verdict({"type": "not-contains", "value": "{{name}}"}, Subject("x", {}))
    assert (verdict.passed, verdict.reason) == (False, "the case has no variable name")


def test_a_pattern_that_backtracks_for_ever_is_stopped():
    verdict = assertions.verdict({"type": "regex", "value": "(a+)+$"}, Subject("a" * 60 + "b", {}))
    assert not verdict.passed
    assert "was stopped" in verdict.reason


def test_the_next_pattern_after_a_stopped_one_is_answered():
    with pytest.raises(bounded.TooSlow):
        bounded.child.ask({"pattern": "(a+)+$", "text": "a" * 60 + "b"}, 0.1)
    assert bounded.search("b", "abc") == ""


def test_a_schema_may_not_fetch_anything():
    assert "outside itself" in bounded.fits_schema({"$ref": "http://127.0.0.1:1/schema"}, {})


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", '{"a": Infinity}', "", "1" * 6000])
def test_hostile_or_empty_json_is_not_json(text):
    assert not passes("is-json", "", text)


def test_a_case_passes_when_every_row_holds():
    rows = [{"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}]
    assert assertions.judge(rows, Subject("ab", {})).passed
    outcome = assertions.judge(rows, Subject("a", {}))
    assert (outcome.passed, outcome.score) == (False, 0.5)


def test_with_a_threshold_the_weighted_score_decides():
    rows = [{"type": "contains", "value": "a", "weight": 3}, {"type": "contains", "value": "b", "weight": 1}]
    outcome = assertions.judge(rows, Subject("a", {}), case_threshold=0.75)
    assert (outcome.passed, outcome.score) == (True, 0.75)
    assert not assertions.judge(rows, Subject("b", {}), case_threshold=0.75).passed


def test_a_row_of_weight_nothing_is_reported_and_does_not_count():
    rows = [{"type": "contains", "value": "a"}, {"type": "contains", "value": "b", "weight": 0}]
    outcome = assertions.judge(rows, Subject("a", {}))
    assert outcome.passed
    assert [verdict.passed for verdict in outcome.verdicts] == [True, False]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"type": "smells", "value": "x"}, "not a type"),
        ({"type": "contains"}, "say what the answer contains"),
        ({"type": "regex", "value": "("}, "not valid"),
        ({"type": "regex", "value": "a" * 501}, "longer than 500"),
        ({"type": "max-length", "value": "many"}, "not a whole number"),
        ({"type": "not-max-length", "value": 3}, "not a type"),
        ({"type": "max-length", "value": 3, "unit": "pages"}, "chars or words"),
        ({"type": "json-schema", "value": "{"}, "not JSON"),
        ({"type": "json-schema", "value": {"type": "colour"}}, "not valid"),
        ({"type": "contains", "value": "x", "weight": -1}, "between 0 and 1000"),
        ({"type": "contains", "value": "x", "weight": "heavy"}, "not a number"),
        ("contains", "not a type"),
    ],
)
def test_a_faulty_row_is_named(row, words):
    with pytest.raises(FaultyAssertion, match=f"Assertion 2.*{words}"):
        assertions.validate([{"type": "contains", "value": "x"}, row])


def test_no_rows_and_rows_that_all_weigh_nothing_are_refused():
    with pytest.raises(FaultyAssertion, match="at least one"):
        assertions.validate([])
    with pytest.raises(FaultyAssertion, match="weight 0"):
        assertions.validate([{"type": "is-json", "weight": 0}])


def test_a_typed_length_and_weight_become_numbers():
    [row] = assertions.validate([{"type": "max-length", "value": " 80 ", "weight": "2", "unit": "words"}])
    assert row == {"type": "max-length", "value": 80, "weight": 2, "unit": "words"}
