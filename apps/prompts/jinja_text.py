"""Jinja: only what ends, and soon.

Loops go over given lists, at most two deep and counted; nothing can be called, nothing can be multiplied, no attribute
of a Python object can be reached. How much there is to read is limited before anything is parsed, and every step of a
filling looks at the clock.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from apps.prompts.filling import MAX_OUTPUT, Room, TemplateError, as_text, same_name

MAX_LOOP_DEPTH = 2
MAX_STEPS = 100_000
MAX_SECONDS = 2.0
# Python's own compiler gives up on blocks that are nested 20 deep.
MAX_BLOCKS = 15
MAX_NESTING = 60
MAX_TAGS = 2_000
MAX_CODE = 50 * 1024
STEPS = "galley_steps"
NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr, nodes.For,
    nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Getitem,
    nodes.Getattr, nodes.Add, nodes.Sub, nodes.List, nodes.Tuple,
)  # fmt: skip
FILTERS = frozenset(
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
CLOSES = {"{{": "}}", "{%": "%}", "{#": "#}"}


def names(text: str) -> list[str]:
    """Return the names that a text takes from outside, in order. Raises TemplateError for one that cannot be read."""
    tree = _tree(text)
    wanted = meta.find_undeclared_variables(tree)
    return list(dict.fromkeys(name.name for name in tree.find_all(nodes.Name) if name.name in wanted))


def fill(text: str, values: dict[str, Any]) -> str:
    """Return the text filled. Raises TemplateError for what cannot be filled, takes over 2 seconds or over 2 MB."""
    clock = _Clock()
    try:
        template = _environment(clock).from_string(_tree(text))
        room = Room()
        clock.start()
        return "".join(room.take(clock.look(part)) for part in template.generate(values))
    except (
        jinja2.TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        KeyError,
        SyntaxError,
        RecursionError,
    ) as error:
        raise TemplateError(f"The Jinja text cannot be filled: {str(error)[:300]}.") from None


class _Clock:
    """How long one filling has taken so far, and how many steps its loops took."""

    def __init__(self) -> None:
        self._ends = float("inf")
        self._steps = MAX_STEPS

    def start(self) -> None:
        self._ends = time.monotonic() + MAX_SECONDS

    def look(self, value: Any = None) -> Any:
        """Return the value, unless time is up."""
        if time.monotonic() > self._ends:
            raise TemplateError(f"The Jinja text takes over {MAX_SECONDS:g} seconds to fill. Shorten its loops.")
        return value

    def guarded(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a filter that looks at the clock before it works. It must not be one that wants the environment."""

        def looked(*given: Any, **named: Any) -> Any:
            self.look()
            return work(*given, **named)

        # Jinja marks filters that want the environment or the context before the value.
        looked.__dict__.update(getattr(work, "__dict__", {}))
        return looked

    def steps(self, values: Any) -> "_Steps":
        """Return the values of a loop, counted. Every loop goes through here."""
        if not isinstance(values, list | tuple | dict):
            raise TypeError("a loop goes over a list")
        self._steps -= len(values)
        if self._steps < 0:
            raise ValueError(f"the loops take over {MAX_STEPS:,} steps")
        return _Steps(values, self)


class _Steps(list[Any]):
    """A list that looks at the clock at every step."""

    def __init__(self, values: Any, clock: _Clock) -> None:
        super().__init__(values)
        self._clock = clock

    def __iter__(self) -> Iterator[Any]:
        return (self._clock.look(value) for value in super().__iter__())


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja with nothing in it but what ends."""

    intercepted_binops = frozenset({"+", "-"})
    clock: _Clock

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        self.clock.look()
        texts = isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple)
        if texts and len(left) + len(right) > MAX_OUTPUT:
            raise ValueError("what is added up is over 2 MB")
        return super().call_binop(context, operator, left, right)


def _environment(clock: _Clock) -> _Environment:
    environment = _Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.clock = clock
    known = {name: work for name, work in environment.filters.items() if name in FILTERS}
    known |= {"join": _join, "round": _round, "unique": _unique}
    environment.filters = {name: clock.guarded(work) for name, work in known.items()} | {STEPS: clock.steps}
    environment.finalize = lambda value: value if isinstance(value, jinja2.Undefined) else as_text(value)
    environment.globals.clear()
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment


@jinja2.pass_environment
def _unique(environment: jinja2.Environment, values: Any, *options: Any, **named: Any) -> list[Any]:
    """Return a list, which loops and other filters take; Jinja's own gives what can be read once."""
    return list(jinja2.filters.do_unique(environment, values, *options, **named))


def _join(values: Any, separator: str = "") -> str:
    if not isinstance(values, list | tuple):
        raise TypeError("join takes a list")
    texts = [as_text(value) for value in values]
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_OUTPUT:
        raise ValueError("the joined text is over 2 MB")
    return separator.join(texts)


def _round(value: float, precision: int = 0) -> float:
    return round(value, min(max(int(precision), 0), 12))


def _tree(text: str) -> nodes.Template:
    _refuse_much(text)
    try:
        tree = _environment(_Clock()).parse(text)
        _refuse_what_may_not_end(tree)
    except (jinja2.TemplateError, RecursionError, SyntaxError) as error:
        where = f" in line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise TemplateError(f"The Jinja text cannot be read{where}: {str(error)[:300]}.") from None
    for name in tree.find_all(nodes.Name):
        name.name = same_name(name.name)
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, STEPS, [], [], None, None).set_lineno(loop.lineno)
    return tree


def _refuse_much(text: str) -> None:
    """Refuse a text with more tags, or more inside them, than anybody writes: parsing it would take long."""
    tags = sum(text.count(opening) for opening in CLOSES)
    if tags > MAX_TAGS:
        raise TemplateError(f"The Jinja text has {tags:,} tags; at most {MAX_TAGS:,} can be read.")
    inside, place = 0, 0
    while (start := _next(text, place)) >= 0:
        end = text.find(CLOSES[text[start : start + 2]], start + 2)
        place = len(text) if end < 0 else end
        inside += place - start
    if inside > MAX_CODE:
        raise TemplateError(f"The Jinja tags hold {inside // 1024} kB; at most {MAX_CODE // 1024} kB can be read.")


def _next(text: str, place: int) -> int:
    found = [start for opening in CLOSES if (start := text.find(opening, place)) >= 0]
    return min(found, default=-1)


def _refuse_what_may_not_end(tree: nodes.Template) -> None:
    """Go through the tree without recursion: what is nested very deep is refused, not followed."""
    waiting: list[tuple[nodes.Node, int, int, int]] = [(tree, 0, 0, 0)]
    while waiting:
        node, depth, blocks, loops = waiting.pop()
        _refuse(node)
        blocks += isinstance(node, nodes.If | nodes.For)
        loops += isinstance(node, nodes.For)
        if loops > MAX_LOOP_DEPTH or (isinstance(node, nodes.For) and node.recursive):
            raise TemplateError(f"Loops may be nested {MAX_LOOP_DEPTH} deep at most.")
        if blocks > MAX_BLOCKS or depth > MAX_NESTING:
            raise TemplateError("The Jinja text is nested too deep. Make it simpler.")
        waiting += [(child, depth + 1, blocks, loops) for child in node.iter_child_nodes()]


def _refuse(node: nodes.Node) -> None:
    if not isinstance(node, NODES):
        raise TemplateError(
            f"{type(node).__name__.lower()} is not available in prompts: conditions, loops over variables and filters are."
        )
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise TemplateError(f"The filter {node.name} is not available. These are: {', '.join(sorted(FILTERS))}.")
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise TemplateError(f"{node.attr} cannot be reached from a prompt.")
