"""What the editor's page and its script are told of a draft, and what its buttons do to the cards."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.core import text
from apps.llm.models import Model
from apps.prompts import contents, converting, items, templates, variables, writing
from apps.prompts.models import Draft, Prompt

WRITING_NOW = timedelta(minutes=10)
MAX_SETS = 50
PARAMETERS = ("temperature", "top_p", "max_tokens", "seed")


def told(workspace: Workspace, draft: Draft, inputs: dict[str, Any] | None, problems: dict[str, str]) -> dict[str, Any]:
    """Return what the page learns from a save."""
    look = writing.look(draft, inputs)
    weight = writing.weight(workspace, draft, look)
    return {
        **seen(draft, look),
        "revision": draft.revision,
        "saved_at": draft.updated_at.isoformat(),
        "problems": problems,
        "references": references(workspace, draft),
        "weight": weight.sentence,
        "assumption": weight.draft.assumption,
    }


def seen(draft: Draft, look: writing.Look) -> dict[str, Any]:
    """Return the preview, the contract's names and every finding, as the script reads them."""
    return {
        "preview": look.preview,
        "problem": look.problem,
        "names": look.contract,
        "findings": [finding.told() for finding in look.findings],
        "format": draft.format,
    }


def references(workspace: Workspace, draft: Draft) -> list[dict[str, Any]]:
    """Return where each reference leads, with the address of that version."""
    found = []
    for chip in writing.chips(draft):
        place = {"workspace": workspace.slug, "prompt_id": chip.prompt_id, "number": chip.number}
        url = reverse("version_detail", kwargs=place) if chip.number else ""
        found.append({**asdict(chip), "url": url})
    return found


def page_of(workspace: Workspace, draft: Draft, look: writing.Look) -> dict[str, Any]:
    """Return what the whole page shows of a draft."""
    rows = writing.rows_of(draft, look.contract)
    known = references(workspace, draft)
    sets = input_sets(draft.prompt)
    models = list(Model.objects.usable().chatting().filter(workspace=workspace).order_by("name", "id"))
    model = draft.model_config.get("model") or ""
    return {
        "draft": draft,
        "rows": [{**row, "default_text": _default_text(row)} for row in rows],
        "look": look,
        "weight": writing.weight(workspace, draft, look),
        "references": known,
        "findings": look.findings,
        "state": {**seen(draft, look), "references": known, "sets": {one.pk: one.values for one in sets}},
        "sets": sets,
        "models": models,
        "strange_model": model if model not in {one.name for one in models} else "",
        "formats": Draft.Format.choices,
        "types": variables.TYPES,
        "roles": contents.ROLES,
        "try_url": reverse("prompt_try", kwargs={"workspace": workspace.slug, "prompt_id": draft.prompt_id}),
        "blank": {},
        "new_placeholder": {"type": items.PLACEHOLDER, "name": ""},
        "new_examples": {"type": items.EXAMPLES},
        "new_variable": {"name": "NAME", "type": "string", "required": True, "used": True},
    }


def written(draft: Draft, post: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the fields that hold numbers and JSON as their author wrote them, right or wrong."""
    parameters = draft.model_config.get("parameters") or {}
    stored = {name: "" if parameters.get(name) is None else f"{parameters[name]:.15g}" for name in PARAMETERS}
    stored |= {name: "" if parameters.get(name) is None else str(parameters[name]) for name in ("max_tokens", "seed")}
    stored |= {"tools": _pretty(draft.tools or None), "output_schema": _pretty(draft.output_schema)}
    return {name: (post or {}).get(name, value) for name, value in stored.items()}


def _pretty(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _default_text(variable: variables.Variable) -> str:
    return "" if variable.get("default") is None else templates.as_text(variable["default"])


def others(draft: Draft) -> list[dict[str, Any]]:
    """Return who else has written to a draft of the prompt, the latest hand first; `now` are those who still write."""
    since = timezone.now() - WRITING_NOW
    written = draft.prompt.drafts.exclude(pk=draft.pk).exclude(revision=Draft.UNTOUCHED, author_key=None)
    rows = written.select_related("author", "author_key").order_by("-updated_at", "id")
    return [
        # A program writes in one stroke: it is never at it still.
        {"author": row.by, "at": row.updated_at, "now": row.author_id is not None and row.updated_at > since}
        for row in rows[:20]
    ]


def input_sets(prompt: Prompt) -> list[Any]:
    """Return the values that people saved to try the prompt with, by name."""
    return list(prompt.input_sets.order_by("name", "id")[:MAX_SETS])


def respelled(content: dict[str, Any], after: str) -> dict[str, Any]:
    """Return the texts of messages and examples in another format, and what has no match there."""
    unfit: list[str] = []

    def spell(text: str) -> str:
        spelled, left = converting.converted(text, content["format"], after)
        unfit.extend(left)
        return spelled

    messages = [spell(item["content"]) for item in content["messages"] if items.is_message(item)]
    examples = [{side: spell(text) for side, text in row.items()} for row in content.get("examples", [])]
    return {"messages": messages, "examples": examples, "unfit": [passage[:120] for passage in unfit[:20]]}


def change_cards(content: dict[str, Any], op: str) -> None:
    """Do to the cards what a button asks: add one, take one away, move one; or add a row of examples."""
    cards: list[items.Item] = content["messages"]
    verb, _, written_index = op.partition(":")
    number = text.whole_number(written_index)
    index = len(cards) if number is None else number
    if verb == "add":
        cards.append({"role": "assistant" if cards and cards[-1].get("role") == "user" else "user", "content": ""})
    elif verb == "placeholder":
        cards.append({"type": items.PLACEHOLDER, "name": _free_name(cards)})
    elif verb == "examples" and not any(map(items.is_examples, cards)):
        cards.insert(len(cards) - 1, {"type": items.EXAMPLES})
    elif verb == "row":
        content["examples"] = [*content.get("examples", []), {"input": "…", "output": "…"}]
    elif index < len(cards):
        _change_card(cards, verb, index)


def _change_card(cards: list[items.Item], verb: str, index: int) -> None:
    if verb == "remove" and len(cards) > 1:
        del cards[index]
    elif verb in ("up", "down"):
        to = index + (1 if verb == "down" else -1)
        if 0 <= to < len(cards):
            cards.insert(to, cards.pop(index))


def _free_name(cards: list[items.Item]) -> str:
    taken = items.placeholders(cards)
    return next(name for name in ["history", *(f"history_{n}" for n in range(2, 200))] if name not in taken)
