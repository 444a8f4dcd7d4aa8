import secrets
from typing import Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import ApiKey, Membership, User, Workspace
from apps.core import append_only
from apps.prompts import rules
from apps.prompts.models.epochs import moves_delivery
from apps.prompts.models.prompts import Prompt, Version
from apps.prompts.rules import Rules


def default_policy() -> dict[str, object]:
    return {"approvals": 0, "self_approval": True, "checks": []}


def new_salt() -> str:
    return secrets.token_hex(8)


class EnvironmentQuerySet(models.QuerySet["Environment"]):
    def ranked(self) -> Self:
        return self.order_by("rank", "id")

    def before(self, environment: "Environment") -> "Environment | None":
        """Return the environment that comes just before this one; None for the first."""
        return self.filter(rank__lt=environment.rank).order_by("-rank").first()


class Environment(models.Model):
    """A place where prompts are live, and what it asks for before they are: approvals and named checks."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="environments")
    name = models.SlugField(max_length=40)
    rank = models.PositiveSmallIntegerField()
    policy = models.JSONField(default=default_policy)

    objects = EnvironmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="environment_name_once"),
            # Asked at the end of a transaction, so that two environments can change places.
            models.UniqueConstraint(
                fields=["workspace", "rank"], name="environment_rank_once", deferrable=models.Deferrable.DEFERRED
            ),
        ]
        triggers = [moves_delivery("changed.workspace_id")]

    def __str__(self) -> str:
        return self.name

    @property
    def rules(self) -> Rules:
        return rules.of(self.policy)

    @property
    def approvals_needed(self) -> int:
        return self.rules.approvals

    @property
    def allows_self_approval(self) -> bool:
        return self.rules.self_approval

    @property
    def required_checks(self) -> list[str]:
        return list(self.rules.checks)

    @property
    def is_guarded(self) -> bool:
        """Tell whether a version needs a change request to go live here."""
        return self.rules.asks_for_request

    def may_be_changed_by(self, member: Membership) -> bool:
        """Tell whether a member may change what is live here: by their rights, and by whom the policy names."""
        return member.may_promote(self.name) and self.rules.admits(member.user_id, member.team_id)

    @property
    def policy_sentence(self) -> str:
        """Say the policy as people would."""
        return rules.sentence(self.rules, self.name)


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def tips(self) -> Self:
        """Keep the last move in each place: what is live there, or that it was taken down."""
        return self.filter(next=None)

    def current(self) -> Self:
        """Keep what is live now."""
        return self.tips().stays()

    def stays(self) -> Self:
        """Leave out the moves after which nothing was live."""
        return self.exclude(kind=Deployment.Kind.TAKE_DOWN)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def loaded(self) -> Self:
        """Load what every page says of a deployment: place, people, versions."""
        return self.select_related("environment", "actor", "actor_key", "change_request").prefetch_related(
            "arms__version"
        )

    def by_prompt(self, environment_id: int, prompts: list[int]) -> "dict[int, Deployment]":
        """Return what is live in an environment, by prompt id."""
        rows = self.current().loaded().filter(environment=environment_id, prompt__in=prompts)
        return {row.prompt_id: row for row in rows}


class Deployment(models.Model):
    """A moment when what is live in an environment changed. Append-only; each follows exactly one other."""

    class Kind(models.TextChoices):
        DEPLOY = "deploy", "Promoted"
        ROLL_BACK = "roll_back", "Rolled back"
        # Its arms name what it ended; nothing is live until another follows.
        TAKE_DOWN = "take_down", "Taken down"

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="deployments")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="deployments")
    previous = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="next")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.DEPLOY)
    salt = models.CharField(max_length=32, default=new_salt)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    actor_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)
    # Somebody went round approvals, checks and freezes, by a right of its own.
    emergency = models.BooleanField(default=False)
    change_request = models.ForeignKey(
        "prompts.ChangeRequest", on_delete=models.PROTECT, null=True, related_name="deployments"
    )
    at = models.DateTimeField(default=timezone.now)

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        constraints = [
            # Of two people who replace the same deployment, the database lets one.
            models.UniqueConstraint(
                fields=["prompt", "environment", "previous"], nulls_distinct=False, name="deployment_follows_once"
            )
        ]
        triggers = [
            *append_only.TRIGGERS,
            moves_delivery("SELECT workspace_id FROM prompts_environment WHERE id = changed.environment_id"),
        ]

    def __str__(self) -> str:
        return f"{self.prompt.name} in {self.environment.name}"

    @property
    def version(self) -> Version:
        """Return the version with the most weight. Prefetch `arms__version`."""
        return max(self.arms.all(), key=lambda arm: (arm.weight, arm.pk)).version

    @property
    def is_take_down(self) -> bool:
        return self.kind == Deployment.Kind.TAKE_DOWN

    @property
    def replaced(self) -> Version | None:
        """Return what was live just before; None when nothing was."""
        before = self.previous
        return before.version if before and not before.is_take_down else None

    @property
    def who(self) -> str:
        """Name who did it: a person, a key, or the desk itself. Select actor and actor_key."""
        if self.actor_key:
            return f"API key {self.actor_key}"
        return str(self.actor) if self.actor else "Galley"


class DeploymentArmQuerySet(models.QuerySet["DeploymentArm"]):
    def live(self) -> Self:
        """Keep what is live now."""
        return self.filter(deployment__next=None).exclude(deployment__kind=Deployment.Kind.TAKE_DOWN)


class DeploymentArm(models.Model):
    """One version's share of a deployment, in percent of the traffic."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="arms")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="arms")
    weight = models.PositiveSmallIntegerField(default=100)

    objects = DeploymentArmQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["deployment", "version"], name="arm_once"),
            models.CheckConstraint(condition=models.Q(weight__gte=0, weight__lte=100), name="arm_weight_percent"),
        ]
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.version} {self.weight} %"
