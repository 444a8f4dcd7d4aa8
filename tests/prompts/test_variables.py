from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.prompts import rendering, variables
from apps.prompts.variables import ContractError

MESSAGES = [{"role": "user", "content": "{{name}} has {{count}} of {{tone}}"}]
KNOWN = [
    {"name": "count", "type": "integer"},
    {"name": "tone", "required": False, "default": "kind"},
    {"name": "gone", "type": "string"},
]


def contract() -> list[variables.Variable]:
    return variables.declared(MESSAGES, "mustache", KNOWN)


def test_the_contract_follows_the_text_and_keeps_what_is_known() -> None:
    assert [(v["name"], v["type"], v["required"], v["default"]) for v in contract()] == [
        ("name", "string", True, None),
        ("count", "integer", True, None),
        ("tone", "string", False, "kind"),
    ]


def test_defaults_fill_what_is_not_given() -> None:
    assert variables.fill(contract(), {"name": "Ines", "count": 3}) == {"name": "Ines", "count": 3, "tone": "kind"}


@pytest.mark.parametrize(
    ("values", "name", "words"),
    [
        ({"count": 1}, "name", "is missing"),
        ({"name": "a", "count": "1"}, "count", "must be of type integer"),
        ({"name": "a", "count": True}, "count", "must be of type integer"),
        ({"name": "a", "count": 1, "colour": "red"}, "colour", "is not a variable"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, object], name: str, words: str) -> None:
    with pytest.raises(ContractError, match=f"{name} {words}") as caught:
        variables.fill(contract(), values)
    assert list(caught.value.details["problems"]) == [name]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ContractError) as caught:
        variables.fill(contract(), {"colour": 1})
    assert set(caught.value.details["problems"]) == {"name", "count", "colour"}


def test_ten_thousand_variables_are_refused_in_words() -> None:
    text = " ".join(f"{{{{v{n}}}}}" for n in range(10_000))
    with pytest.raises(ContractError, match="10,000 variables; at most 1,000"):
        variables.declared([{"role": "user", "content": text}], "mustache", [])


def test_a_default_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(ContractError, match="default of count"):
        variables.declared(MESSAGES, "mustache", [{"name": "count", "type": "integer", "default": "three"}])


def test_examples_make_a_preview_for_every_type() -> None:
    known = [{"name": "name", "type": "list"}, {"name": "count", "type": "integer", "example": "7"}]
    made = variables.declared(MESSAGES, "mustache", known)
    filled = rendering.render(MESSAGES, made, "mustache", variables.example_values(made))
    assert filled == [{"role": "user", "content": "[] has 7 of [tone]"}]


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.text().filter(lambda text: "\x00" not in text),
        min_size=1,
        max_size=8,
    )
)
def test_rendering_puts_every_text_exactly_in_its_place(values: dict[str, str]) -> None:
    text = "|".join(f"{{{{{name}}}}}" for name in values)
    messages = [{"role": "user", "content": text}]
    made = variables.declared(messages, "mustache", [])
    assert rendering.render(messages, made, "mustache", values)[0]["content"] == "|".join(values.values())


HISTORY = {"type": "placeholder", "name": "history"}


def test_a_placeholder_is_a_variable_for_messages_and_takes_nothing_else() -> None:
    made = variables.declared([HISTORY, {"role": "user", "content": "{{a}}"}], "mustache", [])
    assert [(v["name"], v["type"]) for v in made] == [("a", "string"), ("history", "messages")]
    for wrong in (
        "hi",
        [{"role": "user"}],
        [{"role": "robot", "content": "x"}],
        [{"role": "user", "content": "a\x00"}],
        ["x"],
    ):
        with pytest.raises(ContractError, match="history must be a list"):
            variables.fill(made, {"a": "x", "history": wrong})
    with pytest.raises(ContractError, match="history is missing"):
        variables.fill(made, {"a": "x"})


def test_a_placeholder_and_a_variable_of_one_name_are_refused() -> None:
    with pytest.raises(ContractError, match="history is a variable and a placeholder"):
        variables.declared([HISTORY, {"role": "user", "content": "{{history}}"}], "mustache", [])


def test_a_null_byte_in_a_value_is_named() -> None:
    with pytest.raises(ContractError, match="name holds a null byte"):
        variables.fill(contract(), {"name": "a\x00", "count": 1})


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity", "1e999", "[" * 5_000])
def test_what_is_no_number_is_refused_by_name(written: str) -> None:
    with pytest.raises(ContractError, match="count"):
        variables.declared(
            [{"role": "user", "content": "{{count}}"}],
            "mustache",
            [{"name": "count", "type": "number", "default": variables.parse("number", written)}],
        )


def test_a_value_is_found_under_either_spelling_of_its_name() -> None:
    messages = [{"role": "user", "content": "{{caf\u00e9}}"}]
    made = variables.declared(messages, "mustache", [{"name": "cafe\u0301", "description": "Where."}])
    assert made[0]["description"] == "Where."
    assert rendering.render(messages, made, "mustache", {"cafe\u0301": "here"})[0]["content"] == "here"


KINDS = st.sampled_from(["string", "number", "integer", "boolean", "list", "object"])
ANY = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.tuples(KINDS, st.booleans(), ANY), max_size=4),
    st.dictionaries(st.sampled_from(["a", "b", "c", "x"]), ANY, max_size=4),
)
def test_filling_gives_every_variable_a_value_of_its_type_or_names_what_is_wrong(contract: Any, values: Any) -> None:
    declared = [
        {
            "name": name,
            "type": kind,
            "required": required,
            "default": default if variables._fits(default, kind) else None,
        }
        for name, (kind, required, default) in contract.items()
    ]
    try:
        filled = variables.fill(declared, values)
    except ContractError as error:
        problems, message = error.details["problems"], error.message
    else:
        problems, message = {}, ""
    for name in problems:
        given_to = next((v for v in declared if v["name"] == name), None)
        assert name in message
        assert (
            given_to is None
            or values.get(name) is None
            or not variables._fits(values[name], given_to["type"])
            or "\x00" in values[name]
        )
    if problems:
        return
    assert filled.keys() == {variable["name"] for variable in declared}
    for variable in declared:
        value = filled[variable["name"]]
        assert variables._fits(value, variable["type"]) or (value == "" and not variable["required"])
