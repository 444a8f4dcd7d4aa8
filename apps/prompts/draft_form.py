"""What the editor sends: read as a draft keeps it, with a word for each part that cannot be kept yet."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from apps.core.errors import DomainError
from apps.prompts import contents, filling, items, variables
from apps.prompts.models import Draft

PARAMETERS = {"temperature": False, "top_p": False, "max_tokens": True, "seed": True}  # True: a whole number


@dataclass
class Written:
    """The content to save and, by part of the page, what is wrong with a part. Such a part stays as it was saved."""

    content: dict[str, Any]
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def first_problem(self) -> str:
        return next(iter(self.problems.values()), "")


def read_draft(post: QueryDict, draft: Draft) -> Written:
    """Return the editor's content as `save_draft` takes it.

    A half-written number, list of tools or schema does not hold up the text: it is named, and what was saved stays.
    """
    written = Written(
        {
            "messages": _items(post),
            "format": post["format"] if post.get("format") in Draft.Format.values else draft.format,
            "variables": [_variable(post, key, name) for key, name in _rows(post)],
        }
    )
    _keep_placeholders(written, draft)
    _keep(written, "model", "model_config", lambda: _model_config(post), draft.model_config)
    if "examples" in post:
        written.content["examples"] = _examples(post)
    if "tools" in post:
        _keep(written, "tools", "tools", lambda: _tools(post.get("tools", "")), draft.tools)
    if "output_schema" in post:
        _keep(
            written,
            "output_schema",
            "output_schema",
            lambda: _schema(post.get("output_schema", "")),
            draft.output_schema,
        )
    return written


def _keep_placeholders(written: Written, draft: Draft) -> None:
    """Let a placeholder whose name is only half typed keep the name that was saved; one that had none yet waits."""
    before = items.placeholders(draft.messages)
    taken: list[str] = []
    found: list[items.Item] = []
    for item in written.content["messages"]:
        if items.is_placeholder(item):
            name, saved = filling.name_of(item["name"]), before[len(taken)] if len(taken) < len(before) else ""
            if name is None or name in taken:
                written.problems["messages"] = (
                    f"{item['name'] or 'A placeholder'} needs a name of its own: letters, digits and _, a letter first."
                )
                name = saved if saved not in taken else ""
            taken.append(name)
            if not name:
                continue
            item = {**item, "name": name}
        found.append(item)
    written.content["messages"] = found


def _keep(written: Written, part: str, name: str, read: Any, before: Any) -> None:
    try:
        written.content[name] = read()
    except DomainError as error:
        written.problems[part] = error.message
        written.content[name] = before


def _items(post: QueryDict) -> list[items.Item]:
    """Return the cards in the order of the page."""
    messages = zip(post.getlist("role"), post.getlist("content"), strict=False)
    names = iter(post.getlist("placeholder"))
    found: list[items.Item] = []
    for kind in post.getlist("item") or ["message"] * len(post.getlist("content")):
        if kind == items.PLACEHOLDER:
            found.append({"type": items.PLACEHOLDER, "name": next(names, "").strip()})
        elif kind == items.EXAMPLES:
            found.append({"type": items.EXAMPLES})
        elif pair := next(messages, None):
            found.append({"role": pair[0], "content": pair[1]})
    return found


def _examples(post: QueryDict) -> list[dict[str, str]]:
    rows = zip(post.getlist("example-input"), post.getlist("example-output"), strict=False)
    return [{"input": given, "output": answered} for given, answered in rows if given or answered]


def _rows(post: QueryDict) -> list[tuple[str, str]]:
    names = post.getlist("variable")
    keys = post.getlist("variable-key") or [str(number) for number in range(len(names))]
    return list(zip(keys, names, strict=False))


def _variable(post: QueryDict, key: str, name: str) -> dict[str, Any]:
    kind = post.get(f"variable-{key}-type", "string")
    default = post.get(f"variable-{key}-default", "")
    # An empty text is a default of its own: it stays one as long as nobody writes another.
    blank = kind == "string" and post.get(f"variable-{key}-empty-default") == "on"
    return {
        "name": name,
        "type": kind,
        "required": post.get(f"variable-{key}-required") == "on",
        "default": variables.parse(kind, default) if default else (None if not blank else ""),
        "example": post.get(f"variable-{key}-example", "").replace("\r\n", "\n"),
        "description": post.get(f"variable-{key}-description", ""),
    }


def _model_config(post: QueryDict) -> dict[str, Any]:
    parameters = {name: _number(post, name, whole=whole) for name, whole in PARAMETERS.items()}
    return contents.clean_model_config({"model": post.get("model", ""), "parameters": parameters})


def _number(post: QueryDict, name: str, *, whole: bool = False) -> float | int | str | None:
    written = post.get(name, "").strip().replace(",", ".")
    try:
        return (int(written) if whole else float(written)) if written else None
    except ValueError:
        return written


def _tools(written: str) -> list[dict[str, Any]]:
    given = _json(written)
    return [] if given is None else contents.clean_tools(given)


def _schema(written: str) -> Any:
    schema = _json(written)
    contents.check_schema(schema)
    return schema


def _json(written: str) -> Any:
    """Read JSON; nothing is None. Raises DomainError with the line and the column where it breaks off."""
    if not written.strip():
        return None
    try:
        return json.loads(written, parse_constant=_no_number)
    except ValueError as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "a number"
        raise DomainError(f"This is not JSON yet: look at {where}.") from None
    except RecursionError:
        raise DomainError("This JSON is nested too deeply.") from None


def _no_number(word: str) -> None:
    raise ValueError(word)
