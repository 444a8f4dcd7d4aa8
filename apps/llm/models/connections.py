"""Provider accounts."""

from typing import Self

from django.db import models
from django.db.models import TextChoices
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core import secrets


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def live(self) -> Self:
        return self.filter(archived_at=None)


class Connection(models.Model):
    """A provider account: where it is and the key to it, which is encrypted and never shown again.

    The limits hold for each of its models by itself, as providers count them, and not for their sum; a model may have
    its own.
    """

    class Kind(TextChoices):
        OPENAI = "openai", "OpenAI"
        ANTHROPIC = "anthropic", "Anthropic"
        COMPATIBLE = "openai-compatible", "OpenAI-compatible"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="connections")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    provider = models.CharField(max_length=40, help_text="The name that prices are kept under.")
    base_url = models.CharField(max_length=300)
    encrypted_key = models.BinaryField()
    key_end = models.CharField(max_length=4, blank=True)
    max_concurrency = models.PositiveIntegerField(default=32)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=models.Q(archived_at=None), name="connection_name_once"
            ),
            models.CheckConstraint(condition=models.Q(max_concurrency__gte=1), name="connection_can_call"),
        ]

    def __str__(self) -> str:
        return self.name

    def key(self) -> str:
        """Return the plain key, for the provider's client alone."""
        return secrets.decrypt(bytes(self.encrypted_key))
