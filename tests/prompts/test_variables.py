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


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(), min_size=1, max_size=8))
def test_rendering_puts_every_text_exactly_in_its_place(values: dict[str, str]) -> None:
    text = "|".join(f"{{{{{name}}}}}" for name in values)
    messages = [{"role": "user", "content": text}]
    made = variables.declared(messages, "mustache", [])
    assert rendering.render(messages, made, "mustache", values)[0]["content"] == "|".join(values.values())
