from collections.abc import Iterable
from typing import Self

import pgtrigger
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import ApiKey, User, Workspace
from apps.core import append_only, canonical
from apps.prompts.models.deployments import Deployment, Environment
from apps.prompts.models.prompts import Prompt, Version


class State(models.TextChoices):
    """Where a change request can be."""

    DRAFT = "draft", "Draft"
    OPEN = "open", "Open"
    CHANGES_REQUESTED = "changes_requested", "Changes requested"
    APPROVED = "approved", "Approved"
    SCHEDULED = "scheduled", "Scheduled"
    APPLIED = "applied", "Promoted"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    SUPERSEDED = "superseded", "Superseded"


WAITING = (State.OPEN, State.CHANGES_REQUESTED, State.APPROVED, State.SCHEDULED)
CLOSED = (State.APPLIED, State.REJECTED, State.WITHDRAWN, State.SUPERSEDED)
# The one table of moves, which the database holds everybody to. "Approved" means that nothing is missing any more, so
# it is derived anew at each event. What was never approved is applied by those alone who may go round the policy.
MOVES: dict[State, tuple[State, ...]] = {
    State.DRAFT: (State.OPEN, State.WITHDRAWN),
    State.OPEN: (State.CHANGES_REQUESTED, State.APPROVED, *CLOSED),
    State.CHANGES_REQUESTED: (State.OPEN, State.APPROVED, *CLOSED),
    State.APPROVED: (State.OPEN, State.CHANGES_REQUESTED, State.SCHEDULED, *CLOSED),
    State.SCHEDULED: (State.OPEN, State.CHANGES_REQUESTED, State.APPROVED, *CLOSED),
    # What another request overtook comes back when it is compared with what is live now.
    State.SUPERSEDED: (State.OPEN,),
}


class ChangeRequestQuerySet(models.QuerySet["ChangeRequest"]):
    def waiting(self) -> Self:
        return self.filter(state__in=WAITING)

    def opened(self) -> Self:
        """Leave out drafts: nobody has been asked for anything yet."""
        return self.exclude(state=State.DRAFT)

    def closed(self) -> Self:
        return self.filter(state__in=CLOSED)

    def drafts_of(self, user: User) -> Self:
        return self.filter(state=State.DRAFT, author=user)

    def visible_to(self, user: User) -> Self:
        """Leave out the drafts of others: a draft is nobody's business but its author's."""
        return self.exclude(~models.Q(author=user), state=State.DRAFT)

    def collecting(self) -> Self:
        """Keep those that still take prompts in."""
        return self.filter(state__in=[State.DRAFT, State.OPEN, State.CHANGES_REQUESTED, State.APPROVED])

    def wanting(self, environment_id: int, prompt_ids: Iterable[int]) -> Self:
        """Keep those that wait to change one of these prompts in the environment."""
        return self.waiting().filter(environment=environment_id, items__prompt__in=list(prompt_ids)).distinct()

    def due(self) -> Self:
        """Keep what should be live by now: by the database's clock, whatever this machine believes."""
        return self.filter(state=State.SCHEDULED, scheduled_at__lte=Now())

    def matching(self, query: str) -> Self:
        """Keep those whose title, number or prompts say `query`."""
        if not query:
            return self
        named = models.Q(title__icontains=query) | models.Q(items__prompt__name__icontains=query)
        if query.removeprefix("#").isascii() and query.removeprefix("#").isdigit() and len(query) < 10:
            named |= models.Q(number=int(query.removeprefix("#")))
        return self.filter(named).distinct()

    def newest_first(self) -> Self:
        return self.order_by("-id")


class ChangeRequest(models.Model):
    """A wish to put versions live in an environment, with the evidence and the people it asks for."""

    State = State
    WAITING = WAITING

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="change_requests")
    number = models.PositiveIntegerField()
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="change_requests")
    title = models.CharField(max_length=200)
    why = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    # What moved it here when nobody did: a schedule that failed, a request that came first. A sentence.
    state_note = models.CharField(max_length=500, blank=True)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    # Set when a program asked: the author is then the person who made its key, and answers for it.
    author_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    scheduled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    scheduled_reason = models.TextField(blank=True)
    superseded_by = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = ChangeRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="change_request_number_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=[State.DRAFT, *WAITING], closed_at=None)
                | models.Q(state__in=CLOSED, closed_at__isnull=False),
                name="change_request_closed_or_not",
            ),
            models.CheckConstraint(
                condition=models.Q(state=State.SCHEDULED, scheduled_at__isnull=False, scheduled_by__isnull=False)
                | (~models.Q(state=State.SCHEDULED) & models.Q(scheduled_at=None, scheduled_by=None)),
                name="change_request_scheduled_or_not",
            ),
            models.CheckConstraint(
                condition=models.Q(superseded_by=None) | models.Q(state=State.SUPERSEDED),
                name="change_request_superseded_by",
            ),
        ]
        indexes = [
            models.Index(fields=["scheduled_at"], condition=models.Q(state="scheduled"), name="change_request_due"),
            models.Index(fields=["workspace", "state", "-id"], name="change_request_by_state"),
        ]
        triggers = [
            pgtrigger.FSM(
                name="moves",
                field="state",
                transitions=[(str(before), str(after)) for before, wanted in MOVES.items() for after in wanted],
            )
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.title}"

    @property
    def is_waiting(self) -> bool:
        return self.state in WAITING

    @property
    def is_draft(self) -> bool:
        return self.state == State.DRAFT

    @property
    def is_scheduled(self) -> bool:
        return self.state == State.SCHEDULED

    @property
    def is_collecting(self) -> bool:
        """Tell whether prompts can be added, exchanged and taken out."""
        return self.is_draft or (self.is_waiting and not self.is_scheduled)

    @property
    def author_ids(self) -> set[int]:
        """Return who asked, who wrote and who chose: those whom other eyes are wanted from. Prefetch items__version."""
        found = {self.author_id}
        for item in self.items.all():
            found |= {pk for pk in (item.version.author_id, item.chosen_by_id) if pk}
        return found


class AskedReviewer(models.Model):
    """Somebody whose review the author asked for by name."""

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="asked")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change_request", "user"], name="reviewer_asked_once")]

    def __str__(self) -> str:
        return f"{self.user} for {self.change_request}"


class ChangeRequestItem(models.Model):
    """One prompt of a change request: the version wanted, and what was live when it was asked for."""

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="items")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="change_request_items")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="change_request_items")
    base = models.ForeignKey(Deployment, on_delete=models.PROTECT, null=True, related_name="+")
    # Who put this version in, or exchanged it: not always the author of the request.
    chosen_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

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
    # Nobody's key for what the desk reports itself.
    reported_by = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change_request", "name"], name="check_name_once")]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_status_display()}"

    @property
    def report_hash(self) -> str:
        """Return the identity of what was reported: what somebody accepts is this report and no later one."""
        return canonical.sha256([self.name, self.status, self.summary, self.evidence, self.url, self.content_hash])


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
