"""The shapes of Langfuse's prompt API, from and to ours. Nothing that comes in is lost on its way back out."""

from typing import Any

import jsonschema

from apps.core.errors import DomainError
from apps.prompts import contents, items
from apps.prompts.models import Prompt


def content_from(kind: str, prompt: Any, config: Any) -> dict[str, Any]:
    """Return a content as drafts hold it. Raises DomainError for a prompt of the wrong shape."""
    model_config, tools, schema = split_config(config)
    return {
        "messages": _messages_from(kind, prompt),
        "format": "mustache",
        "model_config": model_config,
        "tools": tools,
        "output_schema": schema,
    }


def _messages_from(kind: str, prompt: Any) -> list[Any]:
    if kind == Prompt.Kind.TEXT:
        if not isinstance(prompt, str):
            raise DomainError("The prompt of type text must be a string.")
        return [{"role": "user", "content": prompt}]
    if not isinstance(prompt, list):
        raise DomainError("The prompt of type chat must be a list of messages.")
    return prompt


def prompt_to(kind: str, messages: list[items.Item], examples: list[dict[str, str]]) -> Any:
    """Return a text, or messages and placeholders. Examples are pairs of messages there: they have no other shape."""
    return messages[0]["content"] if kind == Prompt.Kind.TEXT else items.expanded(messages, examples)


def split_config(config: Any) -> tuple[dict[str, Any], list[Any], Any]:
    """Return model, parameters and the rest; the tools; the output schema.

    What we know by another name and could say the same way moves to its own field; all else stays in "config" as it
    came, so that `joined_config` makes the same again.
    """
    if not isinstance(config, dict):
        return ({} if config is None else {"config": config}), [], None
    rest = dict(config)
    found: dict[str, Any] = {"parameters": {}}
    if isinstance(rest.get("model"), str) and 0 < len(rest["model"].encode("utf-8", "replace")) <= 200:
        found["model"] = rest.pop("model")
    for name in contents.PARAMETER_RANGES:
        if contents.is_parameter(name, rest.get(name)):
            found["parameters"][name] = rest.pop(name)
    tools = rest.pop("tools") if _are_tools(rest.get("tools")) else []
    schema = rest.pop("output_schema") if _is_schema(rest.get("output_schema")) else None
    return ({**found, "config": rest} if rest else found), tools, schema


def joined_config(model_config: dict[str, Any], tools: list[Any], schema: Any) -> Any:
    """Return one config again: what stands in a field of its own goes before what was left over."""
    rest = model_config.get("config", {})
    if not isinstance(rest, dict):
        return rest
    found = {**rest, **model_config.get("parameters", {})}
    if model_config.get("model"):
        found["model"] = model_config["model"]
    if tools:
        found["tools"] = tools
    if schema is not None:
        found["output_schema"] = schema
    return found


def _are_tools(tools: Any) -> bool:
    """Tell whether our versions would hold exactly these."""
    try:
        return bool(tools) and contents.clean_tools(tools) == tools
    except DomainError:
        return False


def _is_schema(schema: Any) -> bool:
    if not isinstance(schema, dict) or not schema:
        return False
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError:
        return False
    return True
