"""Writing a draft with its preview beside it. The page types on its own; it asks here to keep, to look and to convert."""

from typing import Any

from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, boards, editor, items, writing
from apps.prompts.draft_form import Written, read_draft
from apps.prompts.models import Draft, Prompt, Version
from apps.prompts.templates import FORMATS
from apps.prompts.views.prompts import find, frame

CHOICES = 30


@require_GET
@requires(Right.EDIT)
def draft_edit(request: HttpRequest, prompt_id: int) -> HttpResponse:
    draft = actions.open_draft(prompt=find(request, prompt_id), acting_user=request.user)
    return page(request, "prompts/draft_edit.html", _context(request, draft))


@require_POST
@requires(Right.EDIT)
def draft_save(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Autosave: keep what the page holds and answer with what there is to see of it; the text stays in the page.

    With `op` (add, placeholder, examples, row; remove, up or down with an index) a card is changed first: so the
    buttons work without a script too.
    """
    draft = _own_draft(request, find(request, prompt_id))
    written = read_draft(request.POST, draft)
    editor.change_cards(written.content, request.POST.get("op", ""))
    try:
        draft = actions.save_draft(
            draft=draft, revision=_revision(request), content=written.content, acting_user=request.user
        )
    except DomainError as error:
        return _not_saved(request, draft, written, error)
    if not request.accepts("text/html"):
        return JsonResponse(editor.told(request.workspace, draft, _inputs(request, draft), written.problems))
    messages.success(request, written.first_problem or "Saved.")
    return redirect("draft_edit", workspace=request.workspace.slug, prompt_id=prompt_id)


def _not_saved(request: HttpRequest, draft: Draft, written: Written, error: DomainError) -> HttpResponse:
    """Say why; to a tab that is out of date, also what was saved in its stead."""
    if request.accepts("text/html"):
        context = {**_context(request, _as_sent(request, draft, written)), "save_error": error.message}
        return page(request, "prompts/draft_edit.html", context, status=error.status)
    told: dict[str, Any] = {"error": error.message, "code": error.code}
    if isinstance(error, Conflict):
        draft.refresh_from_db()  # what we read may be older than what stood in the way
        told["theirs"] = {"revision": draft.revision, "at": draft.updated_at.isoformat(), **draft.content()}
    return JsonResponse(told, status=error.status)


def _as_sent(request: HttpRequest, draft: Draft, written: Written) -> Draft:
    """Return the page's text to show again, still on what it was written on: a later text is never overwritten unseen."""
    shown = writing.typed(draft, written.content)
    shown.revision = text.whole_number(request.POST.get("revision", "")) or 0
    return shown


@require_POST
@requires(Right.EDIT)
def draft_preview(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Answer what a model would see of the page's text, at every pause of a hand. Keeps nothing."""
    draft = _own_draft(request, find(request, prompt_id))
    shown = writing.typed(draft, read_draft(request.POST, draft).content)
    return JsonResponse(editor.seen(shown, writing.look(shown, _inputs(request, draft))))


@require_POST
@requires(Right.EDIT)
def draft_convert(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Answer how the page's texts are spelled in the format `to`, and what has no match there. Keeps nothing."""
    draft = _own_draft(request, find(request, prompt_id))
    content = read_draft(request.POST, draft).content
    after = request.POST.get("to", "")
    if after not in FORMATS or content["format"] not in FORMATS:
        return JsonResponse({"error": f"The format must be one of {', '.join(FORMATS)}."}, status=422)
    return JsonResponse(editor.respelled(content, after))


@require_GET
@requires(Right.EDIT)
def draft_company(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Answer who else writes this prompt, and what was saved since the draft began: the page asks now and then."""
    draft = _own_draft(request, find(request, prompt_id))
    return page(request, "prompts/draft_edit.html", _company(draft), fragment="company")


@require_GET
@requires(Right.EDIT)
def draft_references(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Answer which text prompts can be taken in, with the versions and the labels to choose from."""
    wanted = request.workspace.prompts.active().filter(kind=Prompt.Kind.TEXT).exclude(pk=prompt_id)
    query = request.GET.get("q", "").strip()[:200]
    found = wanted.filter(name__icontains=query, versions__isnull=False).distinct()
    rows = found.prefetch_related(
        boards.live_prefetch(), "labels__version", Prefetch("versions", Version.objects.for_rows())
    )
    context = {"prompt": find(request, prompt_id), "choices": rows.order_by("name", "id")[:CHOICES], "query": query}
    return page(request, "prompts/draft_references.html", context, fragment="choices")


@require_POST
@requires(Right.EDIT)
def version_save(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Save what the page holds, then make it a version: one press never loses the last words."""
    prompt = find(request, prompt_id)
    draft = _own_draft(request, prompt)
    written = read_draft(request.POST, draft)
    message = request.POST.get("message", "")
    try:
        if written.problems:
            raise DomainError(written.first_problem)
        draft = actions.save_draft(
            draft=draft, revision=_revision(request), content=written.content, acting_user=request.user
        )
        version = actions.save_version(draft=draft, message=message, acting_user=request.user)
    except DomainError as error:
        context = {**_context(request, _as_sent(request, draft, written)), "message": message}
        return page(request, "prompts/draft_edit.html", {**context, "version_error": error.message}, status=422)
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


def _revision(request: HttpRequest) -> int:
    revision = text.whole_number(request.POST.get("revision", ""))
    if revision is None:
        raise Conflict("This page is out of date. Reload it; your last saved text is kept.")
    return revision


def _inputs(request: HttpRequest, draft: Draft) -> dict[str, Any] | None:
    """Return the values of the input set that the page previews with, if it is one of this prompt's."""
    number = text.whole_number(request.POST.get("inputs", ""))
    chosen = next((one for one in editor.input_sets(draft.prompt) if one.pk == number), None) if number else None
    return chosen.values if chosen else None


def _company(draft: Draft) -> dict[str, Any]:
    newest = draft.prompt.versions.select_related("author").newest_first().first()
    began = draft.based_on.number if draft.based_on else 0
    return {
        "prompt": draft.prompt,
        "draft": draft,
        "others": editor.others(draft),
        "newer": newest if newest and newest.number > began else None,
    }


def _context(request: HttpRequest, draft: Draft) -> dict[str, Any]:
    """Collect what the editor shows."""
    seen = writing.look(draft)
    return {
        **frame(request, draft.prompt, "draft"),
        **_company(draft),
        **editor.page_of(request.workspace, draft, seen),
        "written": editor.written(draft, request.POST if request.method == "POST" else None),
        "has_examples": any(items.is_examples(item) for item in draft.messages),
        "message": "",
    }
