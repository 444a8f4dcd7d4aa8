from typing import Self
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.prompts.models import Prompt


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def active(self) -> Self:
        return self.filter(archived_at=None)

    def with_counts(self) -> Self:
        """Add `case_count`, the cases of the newest version, and `suite_count`."""
        cases = Case.objects.filter(dataset=models.OuterRef("pk"), removed_in=None).order_by().values("dataset")
        suites = Suite.objects.filter(dataset=models.OuterRef("pk")).order_by().values("dataset")
        count = models.Count("pk")
        return self.annotate(
            case_count=models.functions.Coalesce(models.Subquery(cases.annotate(n=count).values("n")), 0),
            suite_count=models.functions.Coalesce(models.Subquery(suites.annotate(n=count).values("n")), 0),
        )


class Dataset(models.Model):
    """A set of inputs worth testing, shared by suites. Every change of its cases makes a new version."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=500, blank=True)
    version = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="dataset_name_once")]

    def __str__(self) -> str:
        return self.name


class CaseQuerySet(models.QuerySet["Case"]):
    def in_version(self, version: int) -> Self:
        """Keep the cases that the dataset had at that version."""
        return self.filter(added_in__lte=version).filter(models.Q(removed_in=None) | models.Q(removed_in__gt=version))

    def current(self) -> Self:
        return self.filter(removed_in=None)

    def in_order(self) -> Self:
        return self.order_by("position", "id")


class Case(models.Model):
    """One revision of one input. An edit ends this row and adds another with the same key."""

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="cases")
    key = models.UUIDField(default=uuid4)
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=200)
    inputs = models.JSONField(default=dict)
    expected = models.TextField(blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    added_in = models.PositiveIntegerField()
    removed_in = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = CaseQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["dataset", "position", "id"], name="case_order")]
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "key"], condition=models.Q(removed_in=None), name="case_current_once"
            ),
            models.CheckConstraint(
                condition=models.Q(removed_in=None) | models.Q(removed_in__gt=models.F("added_in")),
                name="case_removed_after_added",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SuiteQuerySet(models.QuerySet["Suite"]):
    def active(self) -> Self:
        return self.filter(archived_at=None, prompt__archived_at=None)


class Suite(models.Model):
    """What a prompt must get right: a dataset, the assertions every answer is held to, and how many must pass.

    A case passes when all its assertions do or, with `case_threshold`, when its weighted score reaches that.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="suites")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="suites")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="suites")
    name = models.CharField(max_length=120)
    assertions = models.JSONField(default=list)
    repeats = models.PositiveSmallIntegerField(default=1)
    pass_threshold = models.DecimalField(max_digits=4, decimal_places=3, default=0)
    case_threshold = models.DecimalField(max_digits=4, decimal_places=3, null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = SuiteQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "name"], name="suite_name_once"),
            models.CheckConstraint(condition=models.Q(repeats__gte=1, repeats__lte=20), name="suite_repeats"),
            models.CheckConstraint(
                condition=models.Q(pass_threshold__gte=0, pass_threshold__lte=1), name="suite_pass_threshold"
            ),
            models.CheckConstraint(
                condition=models.Q(case_threshold=None) | models.Q(case_threshold__gt=0, case_threshold__lte=1),
                name="suite_case_threshold",
            ),
        ]

    def __str__(self) -> str:
        return self.name
