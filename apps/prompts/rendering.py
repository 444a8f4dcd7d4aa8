"""One resolver from a draft or version and values to the messages a model is sent: for pages, runs and programs alike."""

from typing import Any

from apps.prompts import composition, items, references, templates, variables
from apps.prompts.models.prompts import Content
from apps.prompts.shelf import Overrides
from apps.prompts.templates import Message

ContractError = variables.ContractError
TemplateError = templates.TemplateError
BadReference = references.BadReference


def render(
    messages: list[items.Item],
    contract: list[variables.Variable],
    format: str,
    values: dict[str, Any],
    examples: list[dict[str, str]] | None = None,
) -> list[Message]:
    """Return the messages with every variable filled, the examples in their place and the caller's messages in theirs.

    Raises ContractError naming each missing, unknown or ill-typed variable; TemplateError for a broken text.
    """
    filled = variables.fill(contract, values)
    found: list[Message] = []
    for item in items.expanded(messages, examples or []):
        if items.is_placeholder(item):
            # What a caller passes is text already: nothing in it is filled.
            found.extend({"role": one["role"], "content": one["content"]} for one in filled[item["name"]])
        else:
            found.append({**item, "content": templates.fill(item["content"], format, filled)})
    return found


def messages_of(content: Content, values: dict[str, Any], overrides: Overrides | None = None) -> list[Message]:
    """Return what the model is sent for a draft or version with `values`, references taken in. Load `prompt` with it.

    Raises as `render` and `composition.resolve` do.
    """
    if not composition.has_references(content):
        return render(content.messages, content.variables, content.format, values, content.examples)
    workspace_id = content.prompt.workspace_id  # type: ignore[attr-defined]
    resolved = composition.resolve(content, workspace_id=workspace_id, overrides=overrides)
    return render(resolved.messages, resolved.variables, content.format, values, resolved.examples)


def approximate_tokens(messages: list[items.Item]) -> int:
    """Return a rough count, one token for four characters: for orientation while writing, never for money."""
    return sum(len(text) // 4 + 4 for text in items.texts(messages))
