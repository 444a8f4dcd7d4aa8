from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.experiments.models.datasets import Case, Dataset, Suite
from apps.llm.models import Call, Model
from apps.prompts.models import ChangeRequest, Version


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> Self:
        return self.filter(state__in=Run.ACTIVE)

    def ended(self) -> Self:
        return self.exclude(state__in=Run.ACTIVE)

    def done(self) -> Self:
        return self.filter(state=Run.State.DONE)

    def about(self, candidate: int, live: int | None) -> Self:
        """Keep runs that tried this version against that one, or against nothing."""
        arms = RunArm.objects.filter(run=models.OuterRef("pk"))
        against = arms.filter(role=RunArm.Role.BASELINE)
        return self.filter(
            models.Exists(arms.filter(role=RunArm.Role.CANDIDATE, version=candidate)),
            ~models.Exists(against) if live is None else models.Exists(against.filter(version=live)),
        )

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def with_names(self) -> Self:
        """Load what a line about a run shows: its suite, prompt, dataset, starter and arms."""
        return self.select_related("suite__prompt", "dataset", "started_by", "change_request").prefetch_related(
            "arms__version__prompt", "arms__model"
        )

    def asleep(self) -> Self:
        """Keep active runs that nobody works on: no output is under a live lease, by the database's clock."""
        held = Output.objects.filter(run=models.OuterRef("pk"), state=Output.State.LEASED, leased_until__gte=Now())
        return self.active().filter(~models.Exists(held))


class Run(models.Model):
    """One proof: every case of a dataset version, answered by every arm, held to one snapshot of assertions.

    With `reuse`, an answer that the workspace kept may serve again; evidence for a change request never does that.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    ACTIVE = (State.QUEUED, State.RUNNING)

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="runs")
    suite = models.ForeignKey(Suite, on_delete=models.PROTECT, related_name="runs")
    suite_version = models.PositiveIntegerField()
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="runs")
    dataset_version = models.PositiveIntegerField()
    assertions = models.JSONField()
    pass_threshold = models.DecimalField(max_digits=4, decimal_places=3)
    case_threshold = models.DecimalField(max_digits=4, decimal_places=3, null=True)
    repeats = models.PositiveSmallIntegerField()
    concurrency = models.PositiveSmallIntegerField(default=32)
    reuse = models.BooleanField(default=False)
    change_request = models.ForeignKey(ChangeRequest, on_delete=models.PROTECT, null=True, related_name="runs")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=500, blank=True)
    summary = models.JSONField(null=True, help_text="The figures as they were when it ended.")
    started_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="run_newest"),
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="run_active"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="queued", started_at=None, finished_at=None)
                | Q(state="running", started_at__isnull=False, finished_at=None)
                | Q(state__in=["done", "failed", "cancelled"], finished_at__isnull=False),
                name="run_times_fit_state",
            ),
            models.CheckConstraint(condition=~Q(state="failed", reason=""), name="run_failed_with_reason"),
            models.CheckConstraint(condition=Q(concurrency__gte=1, concurrency__lte=512), name="run_concurrency"),
            models.CheckConstraint(condition=Q(change_request=None) | Q(reuse=False), name="run_evidence_is_new"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk} of {self.suite}"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def party(self) -> str:
        """Return who this run is among those that compete for a model."""
        return f"run:{self.pk}"


class RunArm(models.Model):
    """One version on one model inside a run: the candidate, or what it is measured against."""

    class Role(models.TextChoices):
        CANDIDATE = "candidate", "Candidate"
        BASELINE = "baseline", "Baseline"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="arms")
    position = models.PositiveSmallIntegerField()
    role = models.CharField(max_length=10, choices=Role.choices)
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="run_arms")
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="run_arms")
    # Where the labels in its text lead for this run: version ids by `place`. Frozen, so that all answers are of one text.
    taken_in = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="run_arm_position_once"),
            models.UniqueConstraint(fields=["run"], condition=Q(role="baseline"), name="run_one_baseline"),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()}: {self.version}"

    @staticmethod
    def place(prompt_id: int, label: str) -> str:
        """Return the key of a prompt's label in `taken_in`."""
        return f"{prompt_id}:{label}"


class OutputQuerySet(models.QuerySet["Output"]):
    def finished(self) -> Self:
        return self.filter(state=Output.State.DONE)

    def failed(self) -> Self:
        return self.filter(state=Output.State.FAILED)

    def unfinished(self) -> Self:
        return self.filter(state__in=[Output.State.WAITING, Output.State.LEASED])


class Output(models.Model):
    """What one arm answered to one case, once. `sent_from` is when it may first have been sent: from there on its
    paid answer is looked for before another is bought. `passed` and `score` sum up its assertions. A `reused` answer
    was kept from before: it took no time and no tokens, and `saved` is what it would have cost."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        LEASED = "leased", "Being answered"
        DONE = "done", "Answered"
        FAILED = "failed", "No answer"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="outputs")
    arm = models.ForeignKey(RunArm, on_delete=models.CASCADE, related_name="outputs")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="outputs")
    repeat = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    lease_token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    sent_from = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    call = models.ForeignKey(Call, on_delete=models.SET_NULL, null=True, related_name="+")
    text = models.TextField(blank=True)
    finish_reason = models.CharField(max_length=40, blank=True)
    error_kind = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    latency_ms = models.PositiveIntegerField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    cost = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    reused = models.BooleanField(default=False)
    saved = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    passed = models.BooleanField(null=True)
    score = models.FloatField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = OutputQuerySet.as_manager()

    class Meta:
        indexes = [
            # What is left of a run: claims, progress and the end look here and nowhere else.
            models.Index(fields=["run", "id"], condition=Q(state__in=["waiting", "leased"]), name="output_left"),
            models.Index(fields=["run", "leased_until"], condition=Q(state="leased"), name="output_leased"),
            models.Index(fields=["run", "case", "arm"], name="output_by_case"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["arm", "case", "repeat"], name="output_once"),
            models.CheckConstraint(
                condition=Q(state="leased", lease_token__isnull=False, leased_until__isnull=False)
                | ~Q(state="leased") & Q(lease_token=None, leased_until=None),
                name="output_lease_fits_state",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "leased"], finished_at=None)
                | Q(state__in=["done", "failed"], finished_at__isnull=False),
                name="output_finished_or_not",
            ),
            models.CheckConstraint(condition=~Q(state="failed", error_kind=""), name="output_failed_with_kind"),
        ]

    def __str__(self) -> str:
        return f"Output {self.pk}"


class Score(models.Model):
    """What one assertion says of one output. `verdict` is null when it gives a value without passing or failing."""

    class Source(models.TextChoices):
        ASSERTION = "assertion", "Assertion"
        JUDGE = "judge", "Judge"
        PERSON = "person", "Person"

    output = models.ForeignKey(Output, on_delete=models.CASCADE, related_name="scores")
    assertion_index = models.PositiveSmallIntegerField(default=0)
    name = models.CharField(max_length=120)
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.ASSERTION)
    verdict = models.BooleanField(null=True)
    value = models.FloatField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    scorer_version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["output", "source", "assertion_index", "scorer_version"], name="score_once")
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}"
