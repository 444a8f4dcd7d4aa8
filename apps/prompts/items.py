"""The items of a prompt: messages, placeholders for the caller's own messages, and the place of the examples."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Item = dict[str, Any]
PLACEHOLDER = "placeholder"
EXAMPLES = "examples"


def is_message(item: Item) -> bool:
    return "role" in item


def is_placeholder(item: Item) -> bool:
    return item.get("type") == PLACEHOLDER


def is_examples(item: Item) -> bool:
    return item.get("type") == EXAMPLES


def texts(messages: Iterable[Item], examples: Iterable[dict[str, str]] = ()) -> Iterator[str]:
    """Yield every text in which variables may stand, in the order in which a model reads them."""
    for item in messages:
        if is_message(item):
            yield item["content"]
        elif is_examples(item):
            for example in examples:
                yield from (example["input"], example["output"])


def placeholders(messages: Iterable[Item]) -> list[str]:
    return [item["name"] for item in messages if is_placeholder(item)]


def expanded(messages: Iterable[Item], examples: list[dict[str, str]]) -> list[Item]:
    """Return the items with the examples as messages in their place; placeholders stay."""
    found: list[Item] = []
    for item in messages:
        if is_examples(item):
            for example in examples:
                found.append({"role": "user", "content": example["input"]})
                found.append({"role": "assistant", "content": example["output"]})
        else:
            found.append(item)
    return found


def mapped(messages: Iterable[Item], change: Callable[[str], str]) -> list[Item]:
    """Return the items with `change` applied to the text of every message."""
    return [{**item, "content": change(item["content"])} if is_message(item) else item for item in messages]
