from typing import Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import ApiKey, User, Workspace
from apps.core import append_only
from apps.prompts.models.deployments import Deployment, Environment
from apps.prompts.models.prompts import Prompt, Version


class ChangeRequestQuerySet(models.QuerySet["ChangeRequest"]):
    def waiting(self) -> Self:
        return self.filter(state__in=ChangeRequest.WAITING)

    def newest_first(self) -> Self:
        return self.order_by("-id")


class ChangeRequest(models.Model):
    """A wish to put versions live in an environment, with the evidence and the people it asks for."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        APPLIED = "applied", "Promoted"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    WAITING = (State.OPEN, State.CHANGES_REQUESTED)

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="change_requests")
    number = models.PositiveIntegerField()
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="change_requests")
    title = models.CharField(max_length=200)
    why = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    # Set when a program asked: the author is then the person who made its key, and answers for it.
    author_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = ChangeRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="change_request_number_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "changes_requested"], closed_at=None)
                | models.Q(state__in=["applied", "rejected", "withdrawn"], closed_at__isnull=False),
                name="change_request_closed_or_not",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.title}"

    @property
    def is_waiting(self) -> bool:
        return self.state in self.WAITING

    @property
    def author_ids(self) -> set[int]:
        """Return who asked and who wrote: the people that other eyes are wanted from. Prefetch items__version."""
        return {self.author_id} | {item.version.author_id for item in self.items.all() if item.version.author_id}


class ChangeRequestItem(models.Model):
    """One prompt of a change request: the version wanted, and what was live when it was asked for."""

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="items")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="change_request_items")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="change_request_items")
    base = models.ForeignKey(Deployment, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change_request", "prompt"], name="change_request_prompt_once")]

    def __str__(self) -> str:
        return str(self.version)


class Approval(models.Model):
    """What a reviewer decided about exactly this content. Append-only; the newest of each reviewer counts."""

    class Decision(models.TextChoices):
        APPROVE = "approve", "Approved"
        REQUEST_CHANGES = "request_changes", "Asked for changes"
        REJECT = "reject", "Rejected"

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.PROTECT, related_name="approvals")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    decision = models.CharField(max_length=20, choices=Decision.choices)
    content_hash = models.CharField(max_length=64)
    comment = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.reviewer} {self.get_decision_display()}"


class Check(models.Model):
    """A named status on a change request, reported from outside this room. The newest report of a name counts."""

    class Status(models.TextChoices):
        PENDING = "pending", "Running"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"
        ERRORED = "errored", "Could not finish"

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="checks")
    name = models.SlugField(max_length=40)
    status = models.CharField(max_length=10, choices=Status.choices)
    summary = models.CharField(max_length=500)
    evidence = models.JSONField(default=dict, blank=True)
    url = models.CharField(max_length=300, blank=True)
    content_hash = models.CharField(max_length=64)
    reported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change_request", "name"], name="check_name_once")]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_status_display()}"


class Comment(models.Model):
    """A remark in the discussion of a change request."""

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.author} on {self.change_request}"


class Dossier(models.Model):
    """The evidence as it stood when the request was promoted, frozen with its hash. Append-only."""

    change_request = models.OneToOneField(ChangeRequest, on_delete=models.PROTECT, related_name="dossier")
    body = models.JSONField()
    hash = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return self.hash
