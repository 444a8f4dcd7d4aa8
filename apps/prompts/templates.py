"""The three template formats: which names a text uses, and how it is filled. No loop here can run for ever."""

import json
import re
import string
from collections.abc import Callable, Iterable
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from apps.core.errors import DomainError

MAX_OUTPUT = 2 * 1024 * 1024
MAX_LOOP_DEPTH = 2
MAX_STEPS = 100_000
STEPS = "galley_steps"
MUSTACHE = re.compile(r"\{\{\s*(?P<name>[^\W\d]\w{0,99})\s*\}\}")
MUSTACHE_TAG = re.compile(r"\{\{(?P<inside>[^{}]*)\}\}")

Message = dict[str, Any]


class TemplateError(DomainError):
    """The text is not a template that this format can fill."""

    code = "template"


def names_in(texts: Iterable[str], format: str) -> list[str]:
    """Return the distinct variable names in order of appearance. Raises TemplateError for a broken text."""
    found: dict[str, None] = {}
    for text in texts:
        found.update(dict.fromkeys(FORMATS[format][0](text)))
    return list(found)


def fill(text: str, format: str, values: dict[str, Any]) -> str:
    """Return `text` with `values` in place; every name in it must have a value.

    Raises TemplateError for a broken text and for a result over 2 MB.
    """
    result = FORMATS[format][1](text, values)
    if len(result) > MAX_OUTPUT:
        raise TemplateError("The filled text is over 2 MB. Shorten the values.")
    return result


def as_text(value: Any) -> str:
    """Spell a value the way all formats do: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _mustache_names(text: str) -> list[str]:
    for tag in MUSTACHE_TAG.finditer(text):
        if not MUSTACHE.fullmatch(tag.group()):
            inside = tag.group("inside").strip()[:40]
            raise TemplateError(
                f"{{{{{inside}}}}} is not a variable. Use letters, digits and _ only, and begin with a letter."
            )
    return [match["name"] for match in MUSTACHE.finditer(text)]


def _mustache_fill(text: str, values: dict[str, Any]) -> str:
    return MUSTACHE.sub(lambda match: as_text(values[match["name"]]), text)


def _fstring_parts(text: str) -> list[tuple[str, str | None]]:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise TemplateError(f"The braces do not match: {error}. Write {{{{ and }}}} for braces in the text.") from None
    for _, name, spec, conversion in parts:
        if name is not None and (spec or conversion or not re.fullmatch(r"[^\W\d]\w{0,99}", name)):
            raise TemplateError(f"{{{name[:40]}}} is not a plain variable name.")
    return [(literal, name) for literal, name, _, _ in parts]


def _fstring_names(text: str) -> list[str]:
    return [name for _, name in _fstring_parts(text) if name is not None]


def _fstring_fill(text: str, values: dict[str, Any]) -> str:
    return "".join(literal + ("" if name is None else as_text(values[name])) for literal, name in _fstring_parts(text))


# Jinja: only what ends, and soon. Loops go over given lists, at most two deep and counted; nothing can be called,
# nothing can be multiplied, no attribute of a Python object can be reached.
JINJA_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr, nodes.For,
    nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Getitem,
    nodes.Getattr, nodes.Add, nodes.Sub, nodes.List, nodes.Tuple,
)  # fmt: skip
JINJA_FILTERS = frozenset(
    [
        "capitalize",
        "default",
        "first",
        "int",
        "join",
        "last",
        "length",
        "lower",
        "round",
        "sort",
        "string",
        "title",
        "tojson",
        "trim",
        "truncate",
        "unique",
        "upper",
    ]
)
LOOP_FIELDS = frozenset({"index", "index0", "first", "last", "length"})


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters |= {"join": _join, "round": _round, STEPS: _counter()}
    environment.finalize = lambda value: value if isinstance(value, jinja2.Undefined) else as_text(value)
    environment.globals.clear()
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment


def _counter() -> Callable[[Any], list[Any]]:
    """Return a filter that every loop's values pass through: it counts the steps of one filling."""
    left = MAX_STEPS

    def steps(values: Any) -> list[Any]:
        nonlocal left
        if not isinstance(values, list | tuple | dict):
            raise TypeError("a loop goes over a list")
        left -= len(values)
        if left < 0:
            raise ValueError(f"the loops take over {MAX_STEPS:,} steps")
        return list(values)

    return steps


def _join(values: Any, separator: str = "") -> str:
    if not isinstance(values, list | tuple):
        raise TypeError("join takes a list")
    texts = [as_text(value) for value in values]
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_OUTPUT:
        raise ValueError("the joined text is over 2 MB")
    return separator.join(texts)


def _round(value: float, precision: int = 0) -> float:
    return round(value, min(max(int(precision), 0), 12))


def _jinja_tree(text: str) -> nodes.Template:
    try:
        tree = _environment().parse(text)
    except (jinja2.TemplateSyntaxError, RecursionError) as error:
        where = f" in line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise TemplateError(f"The Jinja text cannot be read{where}: {error}.") from None
    _refuse_what_may_not_end(tree, depth=0)
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, STEPS, [], [], None, None).set_lineno(loop.lineno)
    return tree


def _refuse_what_may_not_end(node: nodes.Node, depth: int) -> None:
    if not isinstance(node, JINJA_NODES):
        raise TemplateError(
            f"{type(node).__name__.lower()} is not available in prompts: conditions, loops over variables and filters are."
        )
    if isinstance(node, nodes.Filter) and node.name not in JINJA_FILTERS:
        raise TemplateError(f"The filter {node.name} is not available. These are: {', '.join(sorted(JINJA_FILTERS))}.")
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise TemplateError(f"{node.attr} cannot be reached from a prompt.")
    if isinstance(node, nodes.For):
        depth += 1
        if depth > MAX_LOOP_DEPTH or node.recursive:
            raise TemplateError(f"Loops may be nested {MAX_LOOP_DEPTH} deep at most.")
    for child in node.iter_child_nodes():
        _refuse_what_may_not_end(child, depth)


def _jinja_names(text: str) -> list[str]:
    tree = _jinja_tree(text)
    bound = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"} | {"loop"}
    return [n.name for n in tree.find_all(nodes.Name) if n.ctx == "load" and n.name not in bound]


def _jinja_fill(text: str, values: dict[str, Any]) -> str:
    template = _environment().from_string(_jinja_tree(text))
    parts: list[str] = []
    size = 0
    try:
        for part in template.generate(values):
            size += len(part)
            if size > MAX_OUTPUT:
                break
            parts.append(part)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise TemplateError(f"The Jinja text cannot be filled: {error}.") from None
    return "".join(parts) if size <= MAX_OUTPUT else "x" * (MAX_OUTPUT + 1)


FORMATS: dict[str, tuple[Callable[[str], list[str]], Callable[[str, dict[str, Any]], str]]] = {
    "mustache": (_mustache_names, _mustache_fill),
    "jinja": (_jinja_names, _jinja_fill),
    "fstring": (_fstring_names, _fstring_fill),
}
