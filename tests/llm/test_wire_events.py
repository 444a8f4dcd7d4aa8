"""A stream is the same events however its bytes are cut."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.llm import events
from apps.llm.errors import ProviderError
from apps.llm.events import Events

OBJECTS = st.lists(
    st.dictionaries(st.text(), st.text() | st.integers() | st.none(), min_size=1).filter(lambda d: "error" not in d),
    max_size=6,
)


def read(*parts: bytes) -> list[dict[str, Any]]:
    found = Events()
    return [event for part in parts for event in found.feed(part)] + list(found.end())


def take(found: Events, parts: list[bytes]) -> None:
    for part in parts:
        list(found.feed(part))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    objects=OBJECTS,
    places=st.lists(st.integers(0, 10**6), max_size=30),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    ascii_only=st.booleans(),
)
def test_no_cut_and_no_line_end_changes_the_events(
    objects: list[dict[str, Any]], places: list[int], line_end: str, ascii_only: bool
) -> None:
    lines = [f": hi{line_end}data: {json.dumps(o, ensure_ascii=ascii_only)}{line_end}{line_end}" for o in objects]
    data = "".join(lines).encode("utf-8", "surrogatepass")
    whole = data.decode("utf-8", "ignore")
    if "\ufffd" in whole or len(whole.encode()) != len(data):
        return
    assert read(*cut(data, places)) == objects


@given(data=st.binary(max_size=300), places=st.lists(st.integers(0, 10**6), max_size=10))
def test_any_bytes_are_read_or_refused_but_never_break(data: bytes, places: list[int]) -> None:
    try:
        found = read(*cut(data, places))
    except ProviderError:
        return
    assert all(isinstance(event, dict) for event in found)


def test_data_over_several_lines_is_one_event() -> None:
    assert read(b'data: {"a":\ndata: 1}\n\n') == [{"a": 1}]


def test_a_last_event_that_no_blank_line_follows_counts() -> None:
    assert read(b'data: {"a": 1}') == [{"a": 1}]


def test_the_beginning_of_an_event_is_no_event() -> None:
    assert read(b'data: {"a": 1}\n\ndata: {"b"') == [{"a": 1}]


def test_nothing_counts_after_the_end() -> None:
    found = Events()
    assert list(found.feed(b'data: {"a": 1}\n\ndata: [DONE]\n\ndata: rubbish\n\n')) == [{"a": 1}]
    assert (found.is_done, found.seen) == (True, 1)


def test_an_event_without_data_is_passed_over() -> None:
    assert read(b'event: ping\n\nid: 7\n\ndata:\n\ndata: {"a": 1}\n\n') == [{"a": 1}]


@pytest.mark.parametrize("size", [1, 1000])
def test_an_event_that_never_ends_is_refused(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 10_000)
    found = Events()
    with pytest.raises(ProviderError, match="too large"):
        take(found, [b"x" * size] * 20_000)


def test_many_small_events_are_no_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 1000)
    assert len(read(*[b'data: {"a": 1}\n\n'] * 500)) == 500
