"""Writing a draft with its preview beside it."""

from copy import copy
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.core.htmx import HttpRequest, page
from apps.llm.models import Model
from apps.prompts import actions, boards, contents, rendering, variables
from apps.prompts.forms import read_draft
from apps.prompts.models import Draft, Prompt
from apps.prompts.templates import FORMATS, as_text
from apps.prompts.views.prompts import find, frame


@require_GET
@requires(Right.EDIT)
def draft_edit(request: HttpRequest, prompt_id: int) -> HttpResponse:
    draft = actions.open_draft(prompt=find(request, prompt_id), acting_user=request.user)
    return page(request, "prompts/draft_edit.html", _context(request, draft))


@require_POST
@requires(Right.EDIT)
def draft_save(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Autosave: keep the text and answer with preview, contract and saved state; the text itself stays in the page.

    With `op` (add, remove:<index>) a message is added or taken away and the whole editor comes back.
    """
    draft = _own_draft(request, find(request, prompt_id))
    content = read_draft(request.POST)
    op = request.POST.get("op", "")
    _change_messages(content["messages"], op)
    try:
        draft = actions.save_draft(draft=draft, revision=_revision(request), content=content, acting_user=request.user)
    except DomainError as error:
        context = {**_context(request, _typed(draft, content)), "save_error": error}
        return page(request, "prompts/draft_edit.html", context, fragment="editor" if op else "saved")
    names_changed = [v["name"] for v in content["variables"]] != [v["name"] for v in _contract(draft)[0]]
    context = {**_context(request, draft), "oob": True, "names_changed": names_changed}
    return page(request, "prompts/draft_edit.html", context, fragment="editor" if op else "saved")


def _change_messages(rows: list[dict[str, str]], op: str) -> None:
    verb, _, index = op.partition(":")
    if verb == "add":
        rows.append({"role": "assistant" if rows[-1]["role"] == "user" else "user", "content": ""})
    elif verb == "remove" and index.isdigit() and int(index) < len(rows) > 1:
        del rows[int(index)]


def _revision(request: HttpRequest) -> int:
    revision = text.whole_number(request.POST.get("revision", ""))
    if revision is None:
        raise Conflict("This page is out of date. Reload it; your last saved text is kept.")
    return revision


@require_POST
@requires(Right.EDIT)
def version_save(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Save what the page holds, then make it a version: one press never loses the last words."""
    prompt = find(request, prompt_id)
    draft = _own_draft(request, prompt)
    content = read_draft(request.POST)
    message = request.POST.get("message", "")
    try:
        draft = actions.save_draft(draft=draft, revision=_revision(request), content=content, acting_user=request.user)
        version = actions.save_version(draft=draft, message=message, acting_user=request.user)
    except DomainError as error:
        context = {**_context(request, _typed(draft, content)), "version_error": error.message, "message": message}
        return page(request, "prompts/draft_edit.html", context, status=422)
    messages.success(request, f"Version {version.number} is saved.")
    return redirect("version_detail", workspace=request.workspace.slug, prompt_id=prompt.pk, number=version.number)


@require_POST
@requires(Right.EDIT)
def draft_discard(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    actions.discard_draft(draft=_own_draft(request, prompt), acting_user=request.user)
    messages.success(request, "The draft is gone.")
    return redirect("prompt_detail", workspace=request.workspace.slug, prompt_id=prompt.pk)


def _own_draft(request: HttpRequest, prompt: Prompt) -> Draft:
    drafts = prompt.drafts.select_related("prompt__workspace", "based_on")
    return get_object_or_404(drafts, author=request.user)


def _typed(draft: Draft, content: dict[str, Any]) -> Draft:
    """Return the draft as the page holds it: what could not be saved is still shown."""
    shown = copy(draft)
    for field, value in content.items():
        setattr(shown, field, value)
    return shown


def _context(request: HttpRequest, draft: Draft) -> dict[str, Any]:
    """Collect what the editor shows."""
    contract, problem = _contract(draft)
    preview, preview_problem = _preview(draft, contract)
    return {
        **frame(request, draft.prompt, "draft"),
        "draft": draft,
        "contract": [{**variable, "default_text": _default_text(variable)} for variable in contract],
        "problem": problem or preview_problem,
        "preview": preview,
        "tokens": rendering.approximate_tokens(preview or draft.messages),
        "models": Model.objects.usable().chatting().filter(workspace=request.workspace).order_by("name"),
        "formats": list(FORMATS),
        "types": variables.TYPES,
        "roles": ("system", "user", "assistant"),
        "message": "",
        "others": draft.prompt.drafts.exclude(pk=draft.pk).select_related("author", "author_key"),
        "live": boards.live_of(draft.prompt),
    }


def _default_text(variable: variables.Variable) -> str:
    return "" if variable.get("default") is None else as_text(variable["default"])


def _contract(draft: Draft) -> tuple[list[variables.Variable], str]:
    """Return the contract found in the text and, when it cannot be read, why."""
    try:
        return contents.contract_of(draft), ""
    except DomainError as error:
        return draft.variables, error.message


def _preview(draft: Draft, contract: list[variables.Variable]) -> tuple[list[dict[str, str]], str]:
    try:
        values = variables.example_values(contract)
        shown = copy(draft)
        shown.variables = contract
        return rendering.messages_of(shown, values), ""
    except DomainError as error:
        return [], error.message
