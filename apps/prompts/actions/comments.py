"""The discussion of a change request: remarks, answers, and what is pointed at."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Membership, User
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.prompts import anchors
from apps.prompts.actions import steps
from apps.prompts.models import ChangeRequest, Comment, CommentEdit

MOST_BYTES = 20_000


@dataclass(frozen=True)
class Anchor:
    """What a remark points at: a message of one prompt's text, by its place, and the words in it (none: all of it)."""

    prompt_id: int
    message: int
    quote: str = ""


@transaction.atomic
def comment_on_change_request(
    *,
    change_request: ChangeRequest,
    remark: str,
    anchor: Anchor | None = None,
    reply_to: Comment | None = None,
    acting_user: User,
) -> Comment:
    """Add a remark to the discussion, tell the author, who is answered, and who is named with an @.

    Raises DomainError when it is empty, Conflict when the words it points at are not there any more.
    """
    remark = _clean(remark)
    if reply_to and (reply_to.change_request_id != change_request.pk or reply_to.reply_to_id):
        raise DomainError("Answer the remark that began the thread.")
    if reply_to and anchor:
        raise DomainError("An answer points at what its thread points at.")
    request = steps.fresh(change_request)
    comment = Comment.objects.create(
        change_request=request, author=acting_user, text=remark, reply_to=reply_to, **_anchored(request, anchor)
    )
    _tell(request, comment, _mentioned(request, remark))
    audit.record(workspace=request.workspace, actor=acting_user, verb="commented on", target=request)
    return comment


def _clean(remark: str) -> str:
    remark = text.clean(remark, field="The comment", max_bytes=MOST_BYTES).strip()
    if not remark:
        raise DomainError("The comment is empty.")
    return remark


def _anchored(request: ChangeRequest, anchor: Anchor | None) -> dict[str, object]:
    if anchor is None:
        return {}
    item = next((one for one in request.items.all() if one.prompt_id == anchor.prompt_id), None)
    quote = text.clean(anchor.quote, field="The quote", max_bytes=MOST_BYTES).strip()
    if item is None or not anchors.is_there(item.version, anchor.message, quote):
        raise Conflict("The text changed while you wrote: what you point at is not there any more.")
    return {
        "prompt_id": item.prompt_id,
        "version_number": item.version.number,
        "message": anchor.message,
        "quote": quote,
    }


def _mentioned(request: ChangeRequest, remark: str) -> list[User]:
    """Return the members named with an @ who may open the page."""
    if "@" not in remark:
        return []
    members = Membership.objects.filter(workspace=request.workspace_id, user__is_active=True).with_right(Right.VIEW)
    people = [member.user for member in members.select_related("user")]
    names = anchors.mentions(remark, {str(user) for user in people})
    return [user for user in people if str(user) in names]


def _tell(request: ChangeRequest, comment: Comment, mentioned: list[User]) -> None:
    """Tell each person once, for the best reason. No word of the remark: notices are read outside the wall."""
    author, named = comment.author, {user.pk for user in mentioned} - {comment.author_id}
    steps.tell(request, [u for u in mentioned if u.pk in named], "mention", f"{author} named you in {request.title}")
    others = {request.author_id: request.author}
    if comment.reply_to:
        thread = [comment.reply_to, *comment.reply_to.replies.select_related("author")]
        others.update({one.author_id: one.author for one in thread})
    told = [user for pk, user in others.items() if pk not in named and pk != comment.author_id]
    verb = "answered" if comment.reply_to else "commented"
    steps.tell(request, told, "comment", f"{author} {verb} on {request.title}")


@transaction.atomic
def edit_comment(*, comment: Comment, remark: str, acting_user: User) -> Comment:
    """Change one's own remark; what it said before is kept. Tells only those who are named for the first time.

    Raises NotAllowed for the remark of another.
    """
    remark = _clean(remark)
    comment = Comment.objects.select_for_update(of=("self",), no_key=True).get(pk=comment.pk)
    if comment.author_id != acting_user.pk:
        raise NotAllowed("Only its author changes a comment.")
    if remark == comment.text:
        return comment
    request = steps.fresh(comment.change_request)
    before = {user.pk for user in _mentioned(request, comment.text)}
    CommentEdit.objects.create(comment=comment, text=comment.text, at=comment.edited_at or comment.at)
    comment.text, comment.edited_at = remark, timezone.now()
    comment.save(update_fields=["text", "edited_at"])
    new = [user for user in _mentioned(request, remark) if user.pk not in before | {acting_user.pk}]
    steps.tell(request, new, "mention", f"{acting_user} named you in {request.title}")
    audit.record(workspace=request.workspace, actor=acting_user, verb="edited a comment on", target=request)
    return comment


@transaction.atomic
def resolve_comment(*, comment: Comment, resolved: bool, acting_user: User) -> Comment:
    """Say that a thread is dealt with, or open it again. Raises NotAllowed for who neither wrote, asked nor reviews."""
    comment = Comment.objects.select_for_update(of=("self",), no_key=True).get(pk=comment.pk)
    request = steps.fresh(comment.change_request)
    if comment.reply_to_id:
        raise DomainError("A thread is resolved as a whole.")
    concerned = {comment.author_id, request.author_id}
    member = Membership.objects.filter(workspace=request.workspace_id, user=acting_user).first()
    if acting_user.pk not in concerned and not (member and member.may(Right.REVIEW, Right.EDIT)):
        raise NotAllowed("Only who asks, writes or reviews says that this is dealt with.")
    comment.resolved_at = timezone.now() if resolved else None
    comment.resolved_by = acting_user if resolved else None
    comment.save(update_fields=["resolved_at", "resolved_by"])
    verb = "resolved a comment on" if resolved else "reopened a comment on"
    audit.record(workspace=request.workspace, actor=acting_user, verb=verb, target=request)
    return comment
