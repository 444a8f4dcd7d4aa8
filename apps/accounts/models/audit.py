from datetime import datetime
from typing import Any, Self

from django.db import models

from apps.accounts.models.keys import ApiKey
from apps.accounts.models.users import User
from apps.accounts.models.workspaces import Workspace
from apps.core import append_only, canonical

RECENT = 500


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def newest_first(self) -> Self:
        return self.order_by("-number")

    def before(self, number: int | None) -> Self:
        """Return the page that follows the event of that number, newest first; all without one."""
        return self if number is None else self.filter(number__lt=number)

    def matching(
        self, *, person: str = "", verb: str = "", target: str = "", since: datetime | None, until: datetime | None
    ) -> Self:
        """Return what that person did, what carries that verb, and what `target` occurs in; `until` is excluded."""
        found = self.filter(at__gte=since) if since else self
        found = found.filter(at__lt=until) if until else found
        for lookup, words in (("actor_name", person), ("verb", verb), ("target_name__icontains", target)):
            found = found.filter(**{lookup: words}) if words else found
        return found

    def about(self, event: "AuditEvent") -> Self:
        """Return what else was done to the same thing."""
        same = self.filter(target_type=event.target_type, target_id=event.target_id)
        return same.exclude(number=event.number)

    def recent_actors_and_verbs(self) -> tuple[set[str], set[str]]:
        """Return who did what in the last events. Looking at all would read the whole chain."""
        rows = list(self.newest_first().values_list("actor_name", "verb")[:RECENT])
        return {actor for actor, _ in rows}, {verb for _, verb in rows}


class AuditEvent(models.Model):
    """One thing somebody did. Each event carries the hash of the one before it; the database refuses changes."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="audit_events")
    number = models.BigIntegerField()
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    actor_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=200)
    verb = models.CharField(max_length=60)
    target_type = models.CharField(max_length=60)
    target_id = models.CharField(max_length=60)
    target_name = models.CharField(max_length=300)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()
    prev_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "number"], name="audit_number_once")]
        indexes = [
            models.Index(fields=["workspace", "target_type", "target_id"], name="audit_by_target"),
            models.Index(fields=["workspace", "at"], name="audit_by_time"),
        ]
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.number} {self.actor_name} {self.verb} {self.target_name}"

    def content(self) -> dict[str, Any]:
        """Return what the hash covers: every field but the hash itself."""
        return {
            "workspace": self.workspace_id,
            "number": self.number,
            "actor": self.actor_id,
            "actor_key": self.actor_key_id,
            "actor_name": self.actor_name,
            "verb": self.verb,
            "target": [self.target_type, self.target_id, self.target_name],
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
            "at": self.at.isoformat(timespec="microseconds"),
            "prev_hash": self.prev_hash,
        }

    def computed_hash(self) -> str:
        return canonical.sha256(self.content())
