"""Random prompts inside random prompts: what comes out, and that no circle comes about."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import Workspace
from apps.prompts import composition, references
from apps.prompts.models import Label, Version
from apps.prompts.references import BadReference, Reference
from tests import factories
from tests.prompts.test_composition import tag, text_of

# Random prompts: as plain substitution, written down a second time, would have it.


def naive(texts: dict[str, str], name: str) -> str:
    return re.sub(r"@@@langfusePrompt:name=(\w+)\|version=1@@@", lambda match: naive(texts, match[1]), texts[name])


WORDS = st.text(alphabet="ab {}\nกé👩", max_size=6).filter(lambda text: "{" not in text and "}" not in text)
# Each prompt may take in earlier ones: pieces are words or the place of an earlier prompt.
PLANS = st.lists(st.lists(WORDS | st.integers(0, 5), max_size=4), min_size=1, max_size=6)
ONE_CASE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.django_db
@ONE_CASE
@given(PLANS)
def test_what_is_put_together_is_what_plain_substitution_gives(plan: list[list[str | int]]) -> None:
    workspace = Workspace.objects.create(slug=f"w{Workspace.objects.count()}", name="W", time_zone="UTC")
    texts: dict[str, str] = {}
    for place, pieces in enumerate(plan):
        parts = [piece if isinstance(piece, str) else tag(f"p{piece % place}", 1) if place else "" for piece in pieces]
        texts[f"p{place}"] = "".join(parts)
        prompt = factories.make_prompt(workspace, f"p{place}", kind="text")
        content = [{"role": "user", "content": texts[f"p{place}"]}]
        version = factories.make_version(prompt, messages=content, variables=[])
        composition.record(version)
        assert text_of(version) == naive(texts, f"p{place}")


@pytest.mark.django_db
@ONE_CASE
@given(st.integers(2, 5), st.data())
def test_every_circle_is_refused_however_long(length: int, data: st.DataObject) -> None:
    """A ring of prompts, each following the next by a label or a number: whoever closes it is refused."""
    workspace = Workspace.objects.create(slug=f"w{Workspace.objects.count()}", name="W", time_zone="UTC")
    prompts = [factories.make_prompt(workspace, f"p{number}", kind="text") for number in range(length)]
    for prompt in prompts:
        version = factories.make_version(prompt, messages=[{"role": "user", "content": "x"}], variables=[])
        Label.objects.create(prompt=prompt, name="l", version=version)
    written: set[int] = set()
    refused = []
    for place in data.draw(st.permutations(range(length))):
        target = (place + 1) % length
        which: int | str = data.draw(st.sampled_from(["l", 2])) if target in written else "l"
        version = Version(prompt=prompts[place], number=2, content_hash="x", message="ring", format="mustache")
        version.messages = [{"role": "user", "content": tag(prompts[target].name, which)}]
        version.save(force_insert=True)
        written.add(place)
        try:
            composition.record(version)
        except BadReference:
            refused.append(place)
        else:
            Label.objects.filter(prompt=prompts[place]).update(version=version)
    assert len(refused) == 1
    assert place == refused[0]


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_tags(text: str) -> None:
    try:
        found = references.in_text(text)
    except BadReference:
        return
    assert all(references.in_text(reference.tag) == [reference] for reference in found)


@given(st.text(alphabet="ab/ é.", min_size=1, max_size=20), st.integers(1, 10**6))
def test_a_tag_is_read_as_it_was_written(name: str, number: int) -> None:
    for reference in (Reference(name, number), Reference(name, None, "production")):
        assert references.in_text(f"x{reference.tag}y") == [reference]
        assert references.replace(f"x{reference.tag}y", lambda _: "z") == "xzy"
