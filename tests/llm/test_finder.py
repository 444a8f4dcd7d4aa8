"""The finder says of every requirement whether it is met, with the numbers; unknown is neither yes nor no."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.llm import finder
from apps.llm.finder import Candidate, Requirements, Verdict

SURE: dict[str, Any] = {
    "context_window": 128_000, "max_output_tokens": 8_000, "modalities": ["text", "image"], "tools": True, "json": True,
    "regions": ["eu", "us"], "assurances": ["zero-retention"], "p50_ms": Decimal(800), "p99_ms": Decimal(3_000),
    "timed": 1_200, "cost": Decimal("1.50"),
}  # fmt: skip


def candidate(name: str = "alpha", number: int = 1, **known: Any) -> Candidate:
    return Candidate(model_id=number, name=name, connection="OpenAI", **known)


@pytest.mark.parametrize(
    ("wanted", "label", "words"),
    [
        ({"min_context": 200_000}, "Context", "128,000 tokens, needs 200,000"),
        ({"input_tokens": 127_000, "output_tokens": 2_000}, "Context", "128,000 tokens, needs 129,000"),
        ({"output_tokens": 9_000}, "Answer length", "8,000 tokens, needs 9,000"),
        ({"max_p50_ms": 500}, "Typical answer", "800\u00a0ms over 1,200 answers, at most 500\u00a0ms"),
        ({"max_p99_ms": 2_000}, "Slowest 1 %", "3\u00a0s over 1,200 answers, at most 2\u00a0s"),
        ({"max_cost": Decimal(1)}, "Cost of 1,000", "$1.50, at most $1.00"),
        ({"modalities": ["audio"]}, "Reads audio", "only text, image"),
        ({"region": "japan"}, "Data in japan", "only eu, us"),
        ({"assurances": ["hipaa"]}, "Hipaa", "only zero-retention"),
    ],
)
def test_what_fails_says_by_how_much(wanted: dict[str, Any], label: str, words: str) -> None:
    (found,) = finder.rank(Requirements(**wanted), [candidate(**SURE)])
    assert found.verdict == Verdict.FAILS
    assert [(reason.label, reason.words) for reason in found.failing] == [(label, words)]


def test_a_model_that_has_it_all_meets_it_all() -> None:
    wanted = Requirements(
        input_tokens=1_000, output_tokens=500, min_context=100_000, max_p50_ms=800, max_p99_ms=3_000,
        max_cost=Decimal("1.5"), tools=True, json=True, modalities=["image"], region="eu", assurances=["zero-retention"],
    )  # fmt: skip
    (found,) = finder.rank(wanted, [candidate(**SURE)])
    assert found.verdict == Verdict.MEETS
    assert len(found.reasons) == 10


def test_what_nobody_knows_is_unknown_and_not_refused() -> None:
    wanted = Requirements(
        min_context=1, max_p50_ms=1, max_cost=Decimal(1), tools=True, json=True, modalities=["image"], region="eu",
        assurances=["hipaa"],
    )  # fmt: skip
    (found,) = finder.rank(wanted, [candidate()])
    assert {reason.verdict for reason in found.reasons} == {Verdict.UNKNOWN}
    assert found.fits


def test_a_handful_of_answers_does_not_tell_the_slowest() -> None:
    few = candidate(p50_ms=Decimal(100), p99_ms=Decimal(200), timed=99)
    (found,) = finder.rank(Requirements(max_p50_ms=150, max_p99_ms=150), [few])
    assert [reason.verdict for reason in found.reasons] == [Verdict.MEETS, Verdict.UNKNOWN]


def test_a_plain_no_fails() -> None:
    (found,) = finder.rank(Requirements(tools=True, json=True), [candidate(tools=False, json=True)])
    assert [reason.label for reason in found.failing] == ["Tools"]


def test_what_surely_fits_comes_before_what_may_and_the_cheap_before_the_dear() -> None:
    models = [
        candidate("fails", 1, tools=False, cost=Decimal("0.1")),
        candidate("may", 2, cost=Decimal("0.2")),
        candidate("dear", 3, tools=True, cost=Decimal(9)),
        candidate("cheap", 4, tools=True, cost=Decimal(3)),
        candidate("unpriced", 5, tools=True),
    ]
    found = finder.rank(Requirements(tools=True), models)
    assert [one.candidate.name for one in found] == ["cheap", "dear", "unpriced", "may", "fails"]


def test_nothing_asked_for_is_met_by_all() -> None:
    found = finder.rank(Requirements(), [candidate("b", 1), candidate("a", 2)])
    assert [(one.candidate.name, one.verdict, one.reasons) for one in found] == [
        ("a", Verdict.MEETS, ()),
        ("b", Verdict.MEETS, ()),
    ]


known = st.fixed_dictionaries(
    {},
    optional={
        "context_window": st.integers(1, 10**6), "tools": st.booleans(), "json": st.booleans(),
        "cost": st.decimals(0, 1000, places=4), "p50_ms": st.decimals(1, 10_000, places=1),
        "regions": st.lists(st.sampled_from(["eu", "us"]), unique=True),
    },
)  # fmt: skip


@given(st.lists(known, max_size=12), st.booleans(), st.integers(0, 10**6), st.sampled_from(["", "eu"]))
def test_every_model_is_found_once_and_failures_come_last(
    models: list[dict[str, Any]], tools: bool, context: int, region: str
) -> None:
    wanted = Requirements(tools=tools, min_context=context, region=region)
    found = finder.rank(wanted, [candidate(f"m{n}", n, **facts) for n, facts in enumerate(models)])
    assert sorted(one.candidate.model_id for one in found) == list(range(len(models)))
    fits = [one.fits for one in found]
    assert fits == sorted(fits, reverse=True)
