"""What a prompt may hold: checked when it is written, hashed when it becomes a version."""

import math
from collections.abc import Iterable
from typing import Any

import jsonschema

from apps.core import canonical, text
from apps.core.errors import DomainError
from apps.prompts import variables
from apps.prompts.models import Draft, Prompt
from apps.prompts.templates import FORMATS, Message

ROLES = ("system", "user", "assistant")
MAX_MESSAGES = 100
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
    if "|" in name or "\n" in name or any(not part.strip() for part in name.split("/")):
        raise DomainError("A name may use / for folders, without | and without an empty folder.")
    return name


def clean_description(description: str) -> str:
    return text.clean(description, field="The description", max_bytes=1_200).strip()[:300]


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Return the tags as they are kept: trimmed, once each, in order. Raises DomainError for over 20."""
    found = sorted({text.clean(tag, field="A tag", max_bytes=1_000).strip()[:40] for tag in tags} - {""})
    if len(found) > MAX_TAGS:
        raise DomainError(f"A prompt has at most {MAX_TAGS} tags.")
    return found


def clean_messages(messages: Any, *, kind: str) -> list[Message]:
    """Return the messages as they will be stored; the text itself is kept exactly.

    Raises DomainError for a wrong shape, an unknown role, and a text over 1 MB.
    """
    if not isinstance(messages, list) or not messages or len(messages) > MAX_MESSAGES:
        raise DomainError(f"A prompt has 1 to {MAX_MESSAGES} messages.")
    if kind == Prompt.Kind.TEXT and len(messages) != 1:
        raise DomainError("A text prompt is one text. Make a chat prompt for several messages.")
    cleaned = [_clean_message(number, message) for number, message in enumerate(messages, 1)]
    size = sum(len(message["content"].encode()) for message in cleaned)
    if size > text.MEGABYTE:
        raise DomainError(f"The messages are {size / text.MEGABYTE:.1f} MB together; at most 1 MB fits.")
    return cleaned


def _clean_message(number: int, message: Any) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        raise DomainError(f"Message {number} has no text.")
    if message.get("role") not in ROLES:
        raise DomainError(f"Message {number} needs one of the roles {', '.join(ROLES)}.")
    return {"role": message["role"], "content": text.clean(message["content"], field=f"Message {number}")}


def clean_model_config(config: Any) -> dict[str, Any]:
    """Return {"model", "parameters"} with numbers inside their ranges. Raises DomainError naming what is not."""
    config = config if isinstance(config, dict) else {}
    parameters = {name: value for name, value in (config.get("parameters") or {}).items() if value is not None}
    for name, value in parameters.items():
        if name not in PARAMETER_RANGES:
            raise DomainError(f"{name} is not a parameter that Galley passes on.")
        low, high = PARAMETER_RANGES[name]
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not low <= value <= high:
            raise DomainError(f"{name} must be a number from {low:g} to {high:g}.")
    model = text.clean(str(config.get("model") or ""), field="The model", max_bytes=200)
    return {"model": model, "parameters": parameters}


def check_format(format: str) -> None:
    if format not in FORMATS:
        raise DomainError(f"The format must be one of {', '.join(FORMATS)}.")


def check_schema(schema: Any) -> None:
    """Raise DomainError unless `schema` is absent or a JSON Schema."""
    if schema is None:
        return
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise DomainError(f"The output schema is not a JSON Schema: {error.message}") from None


def finished(draft: Draft) -> dict[str, Any]:
    """Return the draft's content as a version will hold it, its contract completed from the text.

    Raises DomainError (TemplateError, ContractError) for a text that could not be filled.
    """
    messages = clean_messages(draft.messages, kind=draft.prompt.kind)
    if not any(message["content"].strip() for message in messages):
        raise DomainError("The prompt is empty. Write something before you save a version.")
    check_schema(draft.output_schema)
    return {
        "messages": messages,
        "format": draft.format,
        "variables": variables.declared(messages, draft.format, draft.variables),
        "model_config": clean_model_config(draft.model_config),
        "output_schema": draft.output_schema,
        "tools": draft.tools,
    }
