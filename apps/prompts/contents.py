"""What a prompt may hold: checked when it is written, hashed when it becomes a version."""

import math
import re
from collections.abc import Iterable
from copy import copy
from typing import Any

import jsonschema

from apps.core import canonical, text
from apps.core.errors import DomainError
from apps.prompts import composition, filling, items, variables
from apps.prompts.models import Draft, Prompt
from apps.prompts.models.prompts import Content
from apps.prompts.templates import FORMATS

ROLES = ("system", "user", "assistant")
MAX_MESSAGES = 100
MAX_CONFIG = 256 * text.KILOBYTE
MAX_EXAMPLES = 200
MAX_TOOLS = 64
MAX_SCHEMA_BYTES = 256 * text.KILOBYTE
MAX_SCHEMA_DEPTH = 40
TOOL_FIELDS = ("name", "description", "parameters", "strict")
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAME_LIMIT = 255
MAX_TAGS = 20
RESERVED_NAMES = frozenset({"new", "metrics", "prompt-detail"})
PARAMETER_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "max_tokens": (1, 1_000_000),
    "seed": (0, 2**53),
}


def content_hash(content: dict[str, Any]) -> str:
    """Return the identity of a content: equal for equal content, whatever the order of keys."""
    return canonical.sha256(content)


def clean_name(name: str) -> str:
    """Return a prompt's name, trimmed. Raises DomainError for what cannot be a name or a folder path."""
    name = text.clean(name, field="The name", max_bytes=NAME_LIMIT * 4).strip()
    if not name or len(name) > NAME_LIMIT or name in RESERVED_NAMES:
        raise DomainError(f"A name needs 1 to {NAME_LIMIT} characters and must not be {', '.join(RESERVED_NAMES)}.")
    if "|" in name or "@@@" in name or "\n" in name or any(not part.strip() for part in name.split("/")):
        raise DomainError("A name may use / for folders, without |, @@@ and an empty folder.")
    return name


def clean_description(description: str) -> str:
    return text.clean(description, field="The description", max_bytes=1_200).strip()[:300]


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Return the tags as they are kept: trimmed, once each, in order. Raises DomainError for over 20."""
    found = sorted({text.clean(tag, field="A tag", max_bytes=1_000).strip()[:40] for tag in tags} - {""})
    if len(found) > MAX_TAGS:
        raise DomainError(f"A prompt has at most {MAX_TAGS} tags.")
    return found


def clean_messages(messages: Any, *, kind: str) -> list[items.Item]:
    """Return the messages as they will be stored; the text itself is kept exactly.

    Raises DomainError for a wrong shape, an unknown role, and a text over 1 MB.
    """
    if not isinstance(messages, list) or not messages or len(messages) > MAX_MESSAGES:
        raise DomainError(f"A prompt has 1 to {MAX_MESSAGES} messages.")
    if kind == Prompt.Kind.TEXT and len(messages) != 1:
        raise DomainError("A text prompt is one text. Make a chat prompt for several messages.")
    cleaned = [_clean_item(number, item, kind) for number, item in enumerate(messages, 1)]
    if sum(items.is_examples(item) for item in cleaned) > 1:
        raise DomainError("The examples stand in one place only.")
    names = items.placeholders(cleaned)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DomainError(f"The placeholder {twice} stands there twice. Give one of them another name.")
    size = sum(len(words.encode()) for words in items.texts(cleaned))
    if size > text.MEGABYTE:
        raise DomainError(f"The messages are {size / text.MEGABYTE:.1f} MB together; at most 1 MB fits.")
    return cleaned


def _clean_item(number: int, item: Any, kind: str) -> items.Item:
    if not isinstance(item, dict) or item.get("type") in (None, "chatmessage", "message"):
        return _clean_message(number, item)
    if kind == Prompt.Kind.TEXT:
        raise DomainError("A text prompt is one text, without placeholders and examples of their own.")
    if items.is_examples(item):
        return {"type": items.EXAMPLES}
    if not items.is_placeholder(item):
        raise DomainError(f"Message {number} is of a kind that Galley does not know.")
    name = item.get("name")
    name = filling.name_of(name) if isinstance(name, str) else None
    if name is None:
        raise DomainError(f"The placeholder in place {number} needs a name: letters, digits and _, a letter first.")
    return {"type": items.PLACEHOLDER, "name": name}


def clean_examples(examples: Any) -> list[dict[str, str]]:
    """Return the few-shot rows as {"input", "output"}. Raises DomainError for a wrong shape, over 200 or over 1 MB."""
    if not isinstance(examples, list) or len(examples) > MAX_EXAMPLES:
        raise DomainError(f"A prompt has up to {MAX_EXAMPLES} examples.")
    cleaned = [_clean_example(number, example) for number, example in enumerate(examples, 1)]
    size = sum(len(words.encode()) for example in cleaned for words in example.values())
    if size > text.MEGABYTE:
        raise DomainError(f"The examples are {size / text.MEGABYTE:.1f} MB together; at most 1 MB fits.")
    return cleaned


def _clean_example(number: int, example: Any) -> dict[str, str]:
    sides = ("input", "output")
    if not isinstance(example, dict) or any(not isinstance(example.get(side), str) for side in sides):
        raise DomainError(f"Example {number} needs an input and an output.")
    return {side: text.clean(example[side], field=f"Example {number}") for side in sides}


def clean_tools(tools: Any) -> list[dict[str, Any]]:
    """Return the tools in OpenAI's shape. Raises DomainError naming the tool that a provider would refuse."""
    if not isinstance(tools, list) or len(tools) > MAX_TOOLS:
        raise DomainError(f"A prompt has up to {MAX_TOOLS} tools, as a list.")
    cleaned = [_clean_tool(number, tool) for number, tool in enumerate(tools, 1)]
    names = [tool["function"]["name"] for tool in cleaned]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DomainError(f"There are two tools called {twice}.")
    if len(canonical.dumps(cleaned)) > MAX_SCHEMA_BYTES:
        raise DomainError("The tools are over 256 kB together.")
    return cleaned


def _clean_tool(number: int, tool: Any) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or tool.get("type", "function") != "function":
        raise DomainError(f'Tool {number} must look like {{"type": "function", "function": {{"name": …}}}}.')
    name = function.get("name")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        raise DomainError(f"Tool {number} needs a name of up to 64 letters, digits, _ and -.")
    try:
        check_schema(function.get("parameters"))
    except DomainError as error:
        raise DomainError(f"The parameters of the tool {name}: {error.message}") from None
    known = {key: function[key] for key in TOOL_FIELDS if key in function}
    if not isinstance(known.get("description", ""), str) or not isinstance(known.get("strict", False), bool):
        raise DomainError(f"The description of the tool {name} is a text, and strict is true or false.")
    return {"type": "function", "function": text.clean_tree(known, field=f"The tool {name}")}


def _clean_message(number: int, message: Any) -> items.Item:
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        raise DomainError(f"Message {number} has no text.")
    if message.get("role") not in ROLES:
        raise DomainError(f"Message {number} needs one of the roles {', '.join(ROLES)}.")
    return {"role": message["role"], "content": text.clean(message["content"], field=f"Message {number}")}


def clean_model_config(config: Any) -> dict[str, Any]:
    """Return {"model", "parameters"} with numbers inside their ranges. Raises DomainError naming what is not.

    A third part, "config", is kept where there is one: what a program keeps beside the model and means for itself.
    """
    config = config if isinstance(config, dict) else {}
    parameters = {name: value for name, value in (config.get("parameters") or {}).items() if value is not None}
    for name, value in parameters.items():
        if name not in PARAMETER_RANGES:
            raise DomainError(f"{name} is not a parameter that Galley passes on.")
        low, high = PARAMETER_RANGES[name]
        if not is_parameter(name, value):
            raise DomainError(f"{name} must be a number from {low:g} to {high:g}.")
    model = text.clean(str(config.get("model") or ""), field="The model", max_bytes=200)
    return {"model": model, "parameters": parameters, **_clean_extra(config.get("config"))}


def _clean_extra(config: Any) -> dict[str, Any]:
    """Return {"config"}, or nothing when there is none."""
    if config in (None, {}):
        return {}
    try:
        size = len(canonical.dumps(config))
    except (TypeError, ValueError):
        raise DomainError("The config holds something that JSON cannot say, like NaN.") from None
    if size > MAX_CONFIG:
        raise DomainError(f"The config is {size // text.KILOBYTE} kB; at most {MAX_CONFIG // text.KILOBYTE} kB fit.")
    return {"config": text.clean_tree(config, field="The config")}


def is_parameter(name: str, value: Any) -> bool:
    """Tell whether it is a parameter that is passed on, with a number inside its range."""
    low, high = PARAMETER_RANGES.get(name, (1, 0))
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return number and low <= value <= high


def check_format(format: str) -> None:
    if format not in FORMATS:
        raise DomainError(f"The format must be one of {', '.join(FORMATS)}.")


def check_schema(schema: Any) -> None:
    """Raise DomainError unless `schema` is absent or a JSON Schema."""
    if schema is None:
        return
    if _nested_over(schema, MAX_SCHEMA_DEPTH):
        raise DomainError(f"The output schema is nested over {MAX_SCHEMA_DEPTH} deep. No provider takes that.")
    text.clean_tree(schema, field="The output schema")
    try:
        if len(canonical.dumps(schema).encode()) > MAX_SCHEMA_BYTES:
            raise DomainError("The output schema is over 256 kB.")
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise DomainError(f"The output schema is not a JSON Schema: {error.message[:300]}") from None
    except (TypeError, ValueError):
        raise DomainError("The output schema is not JSON: every number in it must be one.") from None


def _nested_over(value: Any, most: int) -> bool:
    """Tell whether a JSON value is nested over `most` deep, without going deep itself."""
    level = [value]
    for _ in range(most + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def finished(draft: Draft) -> dict[str, Any]:
    """Return the draft's content as a version will hold it, its contract completed from the text and what it takes in.

    Raises DomainError (TemplateError, ContractError, BadReference) for a text that could not be filled.
    """
    cleaned = copy(draft)
    cleaned.messages = clean_messages(draft.messages, kind=draft.prompt.kind)
    cleaned.examples = clean_examples(draft.examples)
    if cleaned.examples and not any(map(items.is_examples, cleaned.messages)):
        raise DomainError("The examples stand nowhere in the messages. Give them a place, or take them out.")
    if not any(words.strip() for words in items.texts(cleaned.messages)) and not items.placeholders(cleaned.messages):
        raise DomainError("The prompt is empty. Write something before you save a version.")
    check_schema(draft.output_schema)
    cleaned.tools = clean_tools(draft.tools)
    cleaned.model_config = clean_model_config(draft.model_config)
    cleaned.variables = contract_of(cleaned)
    return cleaned.content()


def contract_of(content: Content) -> list[variables.Variable]:
    """Return the contract found in a draft's or version's text, completed by what is known and by what it takes in."""
    if composition.has_references(content):
        workspace_id = content.prompt.workspace_id  # type: ignore[attr-defined]
        return composition.resolve(content, workspace_id=workspace_id).variables
    return variables.declared(content.messages, content.format, content.variables, content.examples)
