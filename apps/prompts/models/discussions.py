from typing import Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import User
from apps.core import append_only
from apps.prompts.models.changes import ChangeRequest
from apps.prompts.models.prompts import Prompt


class CommentQuerySet(models.QuerySet["Comment"]):
    def loaded(self) -> Self:
        """Load what a discussion shows, oldest first."""
        return self.select_related("author", "resolved_by", "prompt").prefetch_related("edits").order_by("id")


class Comment(models.Model):
    """A remark in the discussion of a change request: about the whole, or about words of one message."""

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    at = models.DateTimeField(default=timezone.now)
    reply_to = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="replies")
    # The anchor: a message of one prompt's text as it was asked for then, and the words that were pointed at.
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    version_number = models.PositiveIntegerField(null=True, blank=True)
    message = models.PositiveSmallIntegerField(null=True, blank=True)
    quote = models.TextField(blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = CommentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(prompt=None, message=None, version_number=None, quote="")
                | models.Q(
                    prompt__isnull=False, message__isnull=False, version_number__isnull=False, reply_to__isnull=True
                ),
                name="comment_anchor_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(resolved_at=None, resolved_by=None)
                | models.Q(resolved_at__isnull=False, resolved_by__isnull=False, reply_to=None),
                name="comment_resolved_or_not",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} on {self.change_request}"

    @property
    def is_anchored(self) -> bool:
        return self.prompt_id is not None


class CommentEdit(models.Model):
    """What a comment said before its author changed it. Append-only."""

    comment = models.ForeignKey(Comment, on_delete=models.PROTECT, related_name="edits")
    text = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.comment} at {self.at}"
