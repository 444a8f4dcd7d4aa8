"""What is typed into the playground becomes values, or a sentence that names the variable."""

import json
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.errors import DomainError
from apps.prompts import inputs, variables


def variable(name: str, kind: str = "string", **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": True, "default": None, "example": "", "description": "", **fields}


def posted(**fields: str | list[str]) -> QueryDict:
    query = QueryDict(mutable=True)
    for name, value in fields.items():
        query.setlist(f"input-{name.replace('__', '-')}", value if isinstance(value, list) else [value])
    return query


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        ("string", "1", "1"),
        ("string", " two\r\nlines ", " two\nlines "),
        ("number", "1.5", 1.5),
        ("integer", "3", 3),
        ("boolean", "false", False),
        ("list", '["a"]', ["a"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("integer", "three", "three"),
    ],
)
def test_each_type_is_read_as_its_type(kind: str, typed: str, value: Any) -> None:
    assert inputs.read(posted(x=typed), [variable("x", kind)]) == {"x": value}


@pytest.mark.parametrize("kind", ["string", "number", "integer", "boolean", "list", "object"])
def test_an_empty_field_is_no_value_so_that_the_default_stands_in(kind: str) -> None:
    assert inputs.read(posted(x=""), [variable("x", kind)]) == {}


def test_a_list_of_messages_is_read_from_its_rows_without_the_empty_ones() -> None:
    post = posted(past__role=["user", "assistant", "user"], past__content=["Hello", "Good day", " "])
    found = inputs.read(post, [variable("past", "messages")])
    assert found == {"past": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day"}]}


def test_more_messages_than_fit_are_refused() -> None:
    post = posted(past__role=["user"] * 51, past__content=["x"] * 51)
    with pytest.raises(inputs.OutOfBounds, match="past has 51 messages"):
        inputs.read(post, [variable("past", "messages")])


def test_inputs_over_half_a_megabyte_are_refused() -> None:
    with pytest.raises(inputs.OutOfBounds, match="512 kB"):
        inputs.read(posted(x="ü" * 300_000), [variable("x")])


@pytest.mark.parametrize("written", ["[1]", "{", "1" * 5000, "[" * 5000, "", '{"a": NaN}', '{"a": "\\u0000"}'])
def test_what_another_page_hands_over_is_an_object_or_refused(written: str) -> None:
    with pytest.raises(DomainError):
        inputs.from_json(written)


def test_columns_share_the_fields_of_all_their_contracts() -> None:
    merged = inputs.merged([[variable("a"), variable("b")], [variable("b", "list"), variable("c")]])
    assert [(v["name"], v["type"]) for v in merged] == [("a", "string"), ("b", "string"), ("c", "string")]


def test_each_column_takes_what_it_names_read_as_its_own_type() -> None:
    contract = [variable("count", "integer"), variable("name")]
    assert inputs.fitted(contract, {"count": "3", "name": "Ines", "other": 1}) == {"count": 3, "name": "Ines"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(JSON, min_size=1),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), min_size=1),
)
def test_what_a_field_shows_is_read_back_as_the_same_value(value: list[Any], words: str) -> None:
    contract = [variable("things", "list"), variable("words")]
    things, said = inputs.fields(contract, {"things": value, "words": words})
    found = inputs.read(posted(things=things.text, words=said.text), contract)
    assert found == json.loads(json.dumps({"things": value, "words": words}))
    assert variables.fill(contract, found)
