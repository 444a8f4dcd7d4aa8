"""One resolver from a version and values to the messages a model is sent: for pages, runs and programs alike."""

from typing import Any

from apps.prompts import templates, variables
from apps.prompts.models.prompts import Content
from apps.prompts.templates import Message

ContractError = variables.ContractError
TemplateError = templates.TemplateError


def render(
    messages: list[Message], contract: list[variables.Variable], format: str, values: dict[str, Any]
) -> list[Message]:
    """Return the messages with every variable filled.

    Raises ContractError naming each missing, unknown or ill-typed variable; TemplateError for a broken text.
    """
    filled = variables.fill(contract, values)
    return [{**message, "content": templates.fill(message["content"], format, filled)} for message in messages]


def messages_of(content: Content, values: dict[str, Any]) -> list[Message]:
    """Return what the model is sent for a draft or version with `values`. Raises as `render` does."""
    return render(content.messages, content.variables, content.format, values)


def approximate_tokens(messages: list[Message]) -> int:
    """Return a rough count, one token for four characters: for orientation while writing, never for money."""
    return sum(len(message["content"]) // 4 + 4 for message in messages)
