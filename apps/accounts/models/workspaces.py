import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.accounts.models.users import User
from apps.accounts.rights import Right, Role, rights_of

MAIL_ATTEMPTS = 8
MAIL_GRACE = timedelta(minutes=1)


def check_time_zone(value: str) -> None:
    # PostgreSQL does not know the name that stands for whatever this machine is set to.
    if value not in available_timezones() or value == "localtime":
        raise ValidationError(f"{value} is not a time zone. Write it like Europe/Lisbon.")


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def of(self, user: User) -> Self:
        return self.filter(memberships__user=user).order_by("name", "id")


class Workspace(models.Model):
    """A company's desk: everything else hangs off one."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=60, default="UTC", validators=[check_time_zone])
    currency = models.CharField(max_length=3, default="USD")
    created_at = models.DateTimeField(default=timezone.now)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="currency_iso")]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class TeamQuerySet(models.QuerySet["Team"]):
    def with_counts(self) -> Self:
        """Count the members and the keys that are not revoked."""
        return self.annotate(
            member_count=models.Count("memberships", distinct=True),
            key_count=models.Count("api_keys", filter=models.Q(api_keys__revoked_at=None), distinct=True),
        )


class Team(models.Model):
    """Who pays: a group of people and keys with one cost centre."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(max_length=80)
    cost_centre = models.CharField(max_length=40, blank=True)

    objects = TeamQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="team_name_once")]

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(models.QuerySet["Membership"]):
    def with_right(self, right: Right) -> Self:
        roles = [role for role in Role.values if right in rights_of([role])]
        return self.filter(roles__overlap=roles)

    def admins(self) -> Self:
        """Return the admins who can still sign in."""
        return self.filter(roles__contains=[Role.ADMIN], user__is_active=True)

    def by_name(self) -> Self:
        return self.select_related("user", "team").order_by("user__name", "user__email", "id")


class Membership(models.Model):
    """A person's place in a workspace: their roles, and where a publisher may publish."""

    ANYWHERE = "*"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    roles = ArrayField(models.CharField(max_length=20, choices=Role.choices), default=list)
    environments = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="memberships")
    created_at = models.DateTimeField(default=timezone.now)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"

    @property
    def rights(self) -> frozenset[Right]:
        return rights_of(self.roles)

    def may(self, *rights: Right) -> bool:
        """Tell whether any one of `rights` is among this member's."""
        return not self.rights.isdisjoint(rights)

    def may_promote(self, environment: str) -> bool:
        """Tell whether this member may change what is live in the environment of that name."""
        if Role.ADMIN in self.roles:
            return True
        return self.may(Right.PROMOTE) and (self.ANYWHERE in self.environments or environment in self.environments)

    @property
    def role_names(self) -> list[str]:
        return [Role(role).label for role in Role.values if role in self.roles]

    def details(self) -> dict[str, Any]:
        return {"roles": self.roles, "environments": self.environments, "team": self.team.name if self.team else None}


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self, now: datetime) -> Self:
        return self.waiting().filter(expires_at__gt=now)

    def waiting(self) -> Self:
        """Return what was neither used nor withdrawn, expired ones included."""
        return self.filter(accepted_at=None, revoked_at=None)

    def waiting_for_mail(self, now: datetime) -> Self:
        """Return the open ones whose link nobody mailed and nobody is mailing right now."""
        free = models.Q(mail_lease_until=None) | models.Q(mail_lease_until__lt=now)
        return self.open(now).filter(free, mailed_at=None, mail_attempts__lt=MAIL_ATTEMPTS)

    def overdue(self, now: datetime) -> Self:
        """Return what its own task should have mailed by now."""
        return self.filter(created_at__lt=now - MAIL_GRACE)

    def newest_first(self) -> Self:
        return self.select_related("team", "invited_by").order_by("-created_at", "-id")


def new_nonce() -> str:
    return secrets.token_urlsafe(32)


class Invitation(models.Model):
    """A link that lets one e-mail address join with the roles written on it."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    roles = ArrayField(models.CharField(max_length=20, choices=Role.choices))
    environments = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    nonce = models.CharField(max_length=43, unique=True, default=new_nonce)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)
    mail_lease_until = models.DateTimeField(null=True, blank=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "workspace",
                Lower("email"),
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="invitation_waiting_once",
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(revoked_at=None), name="invitation_one_end"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(accepted_at=None, revoked_at=None, mailed_at=None),
                name="invitation_waiting_mail",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.workspace}"

    def token(self) -> str:
        """Return what the link carries. It is stored nowhere: without SECRET_KEY the row does not give it away."""
        facts = f"{self.workspace_id}:{self.email}:{self.nonce}"
        digest = salted_hmac("apps.accounts.invitation", facts, algorithm="sha256").digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def role_names(self) -> list[str]:
        return [Role(role).label for role in Role.values if role in self.roles]

    def state(self, now: datetime) -> str:
        """Return "accepted", "withdrawn", "expired" or "open"."""
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "withdrawn"
        return "open" if self.expires_at > now else "expired"

    def details(self) -> dict[str, Any]:
        return {"email": self.email, "roles": self.roles, "environments": self.environments}
