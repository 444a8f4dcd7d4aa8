"""Talking about a change request, beside the words in question."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest
from apps.prompts import actions
from apps.prompts.models import ChangeRequest, Comment
from apps.prompts.request_forms import CommentForm
from apps.prompts.views.changes import find_request, to_request


def _find_comment(found: ChangeRequest, pk: int) -> Comment:
    return get_object_or_404(found.comments.select_related("change_request", "author"), pk=pk)


def _read(request: HttpRequest) -> dict[str, Any]:
    form = CommentForm(request.POST)
    if not form.is_valid():
        raise DomainError("A comment is text of at most 20,000 characters.")
    return form.cleaned_data


@require_POST
@requires(Right.VIEW)
def change_request_comment(request: HttpRequest, number: int) -> HttpResponse:
    found = find_request(request, number)
    sent = _read(request)
    anchor = None
    if sent["prompt"] is not None and sent["message"] is not None:
        anchor = actions.Anchor(sent["prompt"], sent["message"], sent["quote"])
    made = actions.comment_on_change_request(
        change_request=found,
        remark=sent["text"],
        anchor=anchor,
        reply_to=_find_comment(found, sent["reply_to"]) if sent["reply_to"] else None,
        acting_user=request.user,
    )
    return to_request(request, number, f"#comment-{made.reply_to_id or made.pk}")


@require_POST
@requires(Right.VIEW)
def comment_edit(request: HttpRequest, number: int, pk: int) -> HttpResponse:
    comment = _find_comment(find_request(request, number), pk)
    actions.edit_comment(comment=comment, remark=_read(request)["text"], acting_user=request.user)
    return to_request(request, number, f"#comment-{comment.reply_to_id or comment.pk}")


@require_POST
@requires(Right.VIEW)
def comment_resolve(request: HttpRequest, number: int, pk: int) -> HttpResponse:
    comment = _find_comment(find_request(request, number), pk)
    resolved = request.POST.get("resolved") == "yes"
    actions.resolve_comment(comment=comment, resolved=resolved, acting_user=request.user)
    return to_request(request, number, f"#comment-{comment.pk}")
