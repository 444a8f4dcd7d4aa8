from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.prompts import diffs
from apps.prompts.models import Draft


def content(**fields: object) -> Draft:
    return Draft(**{"messages": [{"role": "user", "content": "Be kind to {{name}}."}], **fields})


def test_words_show_what_went_and_what_came() -> None:
    assert diffs.words("Be brief and kind.", "Be brief and warm.") == [
        ("equal", "Be brief and "),
        ("delete", "kind"),
        ("insert", "warm"),
        ("equal", "."),
    ]


def both(pieces: list[diffs.Piece]) -> tuple[str, str]:
    """Put the two texts together again."""
    return tuple("".join(text for kind, text in pieces if kind != other) for other in ("insert", "delete"))


FEW = st.text(alphabet="ab \n.é", max_size=80)
# Emoji with their joiners, Thai and Arabic with their marks, flags, right-to-left marks, control characters.
ODD = st.text(alphabet="👩\u200d💻🏽❤️🇵🇹ที่นี่مَرْحَبًا\u202e\x01\x1c\x85\u2028\r\t 中文é", max_size=60)
ANY = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=120)


@given(st.one_of(st.tuples(FEW, FEW), st.tuples(ODD, ODD), st.tuples(ANY, ANY)))
@settings(max_examples=400)
def test_a_diff_holds_both_texts_completely(texts: tuple[str, str]) -> None:
    assert both(diffs.words(*texts)) == texts


@given(st.lists(st.sampled_from(["one ", "two ", "three\n", "one", "ที่", "é."]), max_size=4_000), st.randoms())
@settings(max_examples=25, deadline=None)
def test_a_long_diff_holds_both_texts_completely(parts: list[str], random: Random) -> None:
    changed = [part for part in parts if random.random() > 0.1]
    random.shuffle(changed[: len(changed) // 4])
    texts = "".join(parts * 4), "".join(changed * 4)
    assert both(diffs.words(*texts)) == texts


@pytest.mark.parametrize(
    ("before", "after", "gone", "came"),
    [
        ("👩\u200d💻 writes", "👩\u200d🔬 writes", "👩\u200d💻", "👩\u200d🔬"),
        ("ที่นี่ดี", "ที่นั่นดี", "นี่", "นั่น"),
        ("from 🇵🇹", "from 🇵🇱", "🇵🇹", "🇵🇱"),
        ("cafe\u0301", "cafe\u0300", "cafe\u0301", "cafe\u0300"),
    ],
)
def test_what_is_read_as_one_sign_is_never_torn(before: str, after: str, gone: str, came: str) -> None:
    pieces = diffs.words(before, after)
    assert ("delete", gone) in pieces
    assert ("insert", came) in pieces


def test_a_word_changed_in_the_middle_of_one_endless_line_is_found() -> None:
    before = " ".join(f"word{number % 50}" for number in range(30_000))
    after = before[:90_000] + "NEW" + before[90_000:]
    changed = [(kind, len(text) < 20) for kind, text in diffs.words(before, after) if kind != "equal"]
    assert changed
    assert all(short for _, short in changed)


def message(text: str, role: str = "user") -> dict[str, str]:
    return {"role": role, "content": text}


LETTERS = [message(f"This is the {word} of several messages, about {word}.") for word in ("first", "second", "third")]


def statuses(before: list[dict[str, str]], after: list[dict[str, str]]) -> list[tuple[int, str]]:
    found = diffs.between(content(messages=before), content(messages=after)).messages
    return [(one.number, one.status) for one in found]


def test_a_message_put_on_top_leaves_the_others_the_same() -> None:
    top = message("You are a careful editor.", "system")
    assert statuses(LETTERS, [top, *LETTERS]) == [(1, "added"), (2, "same"), (3, "same"), (4, "same")]


def test_a_message_taken_from_the_middle_stands_where_it_was() -> None:
    assert statuses(LETTERS, [LETTERS[0], LETTERS[2]]) == [(1, "same"), (2, "removed"), (2, "same")]


def test_a_message_that_moved_is_said_to_have_moved() -> None:
    found = diffs.between(content(messages=LETTERS), content(messages=[LETTERS[2], *LETTERS[:2]]))
    assert [(one.status, one.before_number) for one in found.messages] == [("moved", 3), ("same", 1), ("same", 2)]
    assert found.sentence == "1 message moved."


def test_a_message_written_anew_is_one_changed_message() -> None:
    assert statuses([message("Be kind.")], [message("Write Python only; no prose.")]) == [(1, "changed")]


def test_another_role_is_a_change_even_with_the_same_words() -> None:
    found = diffs.between(content(messages=LETTERS[:1]), content(messages=[{**LETTERS[0], "role": "system"}]))
    assert [(one.status, one.before_role, one.role) for one in found.messages] == [("changed", "user", "system")]


def test_placeholders_are_compared_by_their_name() -> None:
    before = [message("Hello"), {"type": "placeholder", "name": "history"}]
    after = [{"type": "placeholder", "name": "past"}, message("Hello")]
    assert statuses(before, after) == [(1, "added"), (2, "same"), (2, "removed")]


@given(st.permutations(range(6)), st.integers(0, 6))
def test_every_message_of_both_sides_is_shown_once(order: list[int], kept: int) -> None:
    old = [message(f"Sentence number {n} of {n * 7}") for n in range(6)]
    new = [old[n] for n in order[:kept]] + [message("Something else")]
    found = diffs.between(content(messages=old), content(messages=new)).messages
    assert sorted(one.number for one in found if one.status != "removed") == list(range(1, len(new) + 1))
    assert sorted(one.before_number for one in found if one.before_number) == list(range(1, 7))


def schema(**properties: dict[str, str]) -> dict[str, object]:
    return {"type": "object", "properties": properties}


def test_a_schema_is_compared_by_property() -> None:
    before = content(output_schema=schema(answer={"type": "string"}, score={"type": "integer"}))
    after = content(output_schema=schema(answer={"type": "string"}, score={"type": "number"}))
    found = diffs.between(before, after)
    assert found.rows == [("score.type", "integer", "number")]
    assert found.sentence == "output schema: score.type integer → number."


def test_a_schema_that_came_is_named_once() -> None:
    assert diffs.between(content(), content(output_schema=schema(a={}))).sentence == "output schema added."


def tool(name: str, **parameters: dict[str, str]) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "description": "Finds.", "parameters": schema(**parameters)}}


def test_tools_are_compared_by_their_name() -> None:
    before = content(tools=[tool("find", query={"type": "string"}), tool("drop")])
    after = content(tools=[tool("send"), tool("find", query={"type": "integer"})])
    assert diffs.between(before, after).sentence == (
        "tool send added, tool find: parameters.query.type string → integer, tool drop removed."
    )


def test_a_variable_is_compared_field_by_field() -> None:
    variable = {"name": "tone", "type": "string", "required": True, "default": None, "example": "", "description": ""}
    found = diffs.between(content(variables=[variable]), content(variables=[{**variable, "required": False}]))
    assert found.rows == [("tone: required", "required", "optional")]
    assert found.sentence == "variable tone is now optional."


def test_an_empty_default_is_no_missing_default() -> None:
    variable = {"name": "tone", "type": "string", "required": True, "default": None, "example": "", "description": ""}
    found = diffs.between(content(variables=[variable]), content(variables=[{**variable, "default": ""}]))
    assert found.rows == [("tone: default", None, "")]


def test_many_changes_are_summed_up() -> None:
    variables = [{"name": f"v{n}", "type": "string", "required": True, "default": None} for n in range(30)]
    assert diffs.between(content(), content(variables=variables)).sentence.endswith("and 22 more changes.")


def test_equal_contents_have_no_difference() -> None:
    diff = diffs.between(content(), content())
    assert diff.is_empty
    assert diff.sentence == "No difference."


def test_the_sentence_names_every_change() -> None:
    before = content(model_config={"model": "small", "parameters": {"temperature": 0.7}})
    after = content(
        messages=[{"role": "user", "content": "Be warm."}, {"role": "user", "content": "Now."}],
        model_config={"model": "small", "parameters": {"temperature": 0.2}},
        variables=[{"name": "tone", "type": "string", "required": False, "default": "kind"}],
    )
    assert diffs.between(before, after).sentence == (
        "1 message changed, 1 message added, temperature 0.7 → 0.2, variable tone added with default."
    )


def test_nothing_live_makes_everything_new() -> None:
    diff = diffs.between(None, content())
    assert diff.messages[0].status == "added"
    assert "everything is new" in diff.sentence


def test_two_hundred_kilobytes_are_compared_by_lines() -> None:
    before = "\n".join(f"Line {n} of the long text" for n in range(8_000))
    after = before.replace("Line 4000 of", "Line 4000 in")
    pieces = diffs.words(before, after)
    assert [kind for kind, _ in pieces] == ["equal", "delete", "insert", "equal"]


def test_what_programs_keep_beside_the_model_is_a_difference_too() -> None:
    before = content(messages=LETTERS, model_config={"model": "m", "config": {"region": "eu"}})
    after = content(messages=LETTERS, model_config={"model": "m", "config": {"region": "us"}})
    assert [(row.name, row.status) for row in diffs.between(before, after).sections[0].rows] == [
        ("config.region", "changed")
    ]
