from hypothesis import given
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


@given(st.text(alphabet="ab \n.é", max_size=80), st.text(alphabet="ab \n.é", max_size=80))
def test_a_diff_holds_both_texts_completely(before: str, after: str) -> None:
    pieces = diffs.words(before, after)
    assert "".join(text for kind, text in pieces if kind != "insert") == before
    assert "".join(text for kind, text in pieces if kind != "delete") == after


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
        "1 message changed, 1 message added, temperature 0.7 → 0.2, variable tone added."
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
