"""What the editor shows of a draft as it stands: its contract, the preview, mistakes, references, tokens and cost."""

from copy import copy
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from apps.accounts.models import Workspace
from apps.core import formats
from apps.core.errors import DomainError
from apps.prompts import (
    boards,
    call_costs,
    composition,
    contents,
    items,
    lint,
    mistakes,
    references,
    rendering,
    variables,
)
from apps.prompts.mistakes import Finding
from apps.prompts.models import Draft, Version
from apps.prompts.templates import Message

MAX_CHIPS = 50


@dataclass
class Chip:
    """A reference of the text: the version that it leads to now and the text that it brings, or why it leads nowhere."""

    tag: str
    name: str
    wanted: str
    number: int | None = None
    prompt_id: int | None = None
    text: str = ""
    problem: str = ""


@dataclass
class Look:
    """A draft seen from outside. `problem` says why there is no preview."""

    contract: list[variables.Variable]
    preview: list[Message]
    problem: str
    findings: list[Finding] = field(default_factory=list)


def typed(draft: Draft, content: dict[str, Any]) -> Draft:
    """Return the draft as the page holds it: what could not be saved is still shown."""
    shown = copy(draft)
    for name, value in content.items():
        setattr(shown, name, value)
    return shown


def look(draft: Draft, inputs: dict[str, Any] | None = None) -> Look:
    """Return the draft filled with its examples, `inputs` before them, and what keeps it from being filled."""
    try:
        contract = contents.contract_of(draft)
    except DomainError as error:
        return Look(draft.variables, [], error.message, _findings(draft, [], error))
    findings = _findings(draft, contract, None)
    names = {variable["name"] for variable in contract}
    values = {**variables.example_values(contract), **{n: v for n, v in (inputs or {}).items() if n in names}}
    try:
        preview = rendering.messages_of(typed(draft, {"variables": contract}), values)
    except DomainError as error:
        return Look(contract, [], error.message, findings)
    return Look(contract, preview, "", findings)


def _findings(draft: Draft, contract: list[variables.Variable], problem: DomainError | None) -> list[Finding]:
    """Return the mistakes at their exact places, then the advice."""
    declared = [v for v in draft.variables if variables.is_told(v) or v["name"] in _known(draft)]
    own = {v["name"] for v in draft.variables}
    inner = [v["name"] for v in contract if v["name"] not in own] if composition.has_references(draft) else []
    why = problem.message if isinstance(problem, references.BadReference) else ""
    advice = lint.findings(draft, declared, inner=inner, problem=why)
    return mistakes.of_messages(draft.messages, draft.format) + [
        mistakes.from_lint(draft.messages, one)
        for one in advice
        if one.code not in mistakes.CODES or one.message_index is None
    ]


def _known(draft: Draft) -> set[str]:
    """Return the names that the version before declared."""
    return {v["name"] for v in draft.based_on.variables} if draft.based_on else set()


def rows_of(draft: Draft, contract: list[variables.Variable]) -> list[dict[str, Any]]:
    """Return the rows of the contract's table: what the text uses, then what was told of names that are gone from it."""
    used = {variable["name"] for variable in contract}
    absent = [v for v in draft.variables if v["name"] not in used and variables.is_told(v)]
    known = _known(draft)
    rows = [*((v, True) for v in contract), *((v, False) for v in absent)]
    return [{**v, "used": is_used, "known": v["name"] in known} for v, is_used in rows]


def chips(draft: Draft) -> list[Chip]:
    """Return each reference of the draft once, with where it leads."""
    texts = items.texts(draft.messages, draft.examples)
    tags = (match.group() for text in texts if references.MARK in text for match in references.TAG.finditer(text))
    found = [_chip(tag) for tag in islice(dict.fromkeys(tags), MAX_CHIPS)]
    whole = [chip for chip in found if not chip.problem]
    alone = [typed(draft, {"messages": [{"role": "user", "content": chip.tag}], "examples": []}) for chip in whole]
    led = composition.try_many(alone, workspace_id=draft.prompt.workspace_id)
    for chip, outcome in zip(whole, led, strict=True):
        if isinstance(outcome, DomainError):
            chip.problem = outcome.message
            continue
        version = outcome.used[0].version
        chip.number, chip.prompt_id, chip.text = version.number, version.prompt_id, outcome.messages[0]["content"]
    return found


def _chip(tag: str) -> Chip:
    try:
        reference = references.in_text(tag)[0]
    except DomainError as error:
        return Chip(tag, tag, "", problem=error.message)
    return Chip(tag, reference.name, reference.label or f"v{reference.version}")


@dataclass(frozen=True)
class Weight:
    """How heavy a call of the draft is, beside one of what is live."""

    draft: call_costs.PerCall
    live: call_costs.PerCall | None

    @property
    def sentence(self) -> str:
        said = f"{_brief(self.draft)}{' per call' if self.draft.cost is not None else ''}"
        return f"{said} (live: {_brief(self.live)})" if self.live else said


def _brief(one: call_costs.PerCall) -> str:
    tokens = f"{one.tokens:,} {'token' if one.tokens == 1 else 'tokens'}"
    return tokens if one.cost is None else f"{tokens} ≈ {formats.money(one.cost)}"


def weight(workspace: Workspace, draft: Draft, seen: Look) -> Weight:
    """Return tokens and cost per call of the draft and of the version that is live highest up."""
    live = boards.live_of(draft.prompt)
    version = live[-1].version if live else None
    sent = seen.preview or items.expanded([i for i in draft.messages if items.is_message(i)], draft.examples)
    names = {content.model_config.get("model") or "" for content in (draft, version) if content}
    known = call_costs.rates_of(workspace, names - {""})
    answer = call_costs.usual_answer(workspace.pk, draft.prompt_id)
    return Weight(
        call_costs.per_call(draft, sent, known, answer),
        call_costs.per_call(version, _filled(version), known, answer) if version else None,
    )


def _filled(version: Version) -> list[Message]:
    try:
        return rendering.messages_of(version, variables.example_values(contents.contract_of(version)))
    except DomainError:
        return [item for item in version.messages if items.is_message(item)]
