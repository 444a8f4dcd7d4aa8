"""The catalogue: which models there are, and what is known of each."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.accounts.models import Workspace
from apps.llm.models.connections import Connection


class ModelQuerySet(models.QuerySet["Model"]):
    def live(self) -> Self:
        return self.filter(archived_at=None)

    def usable(self) -> Self:
        return self.filter(archived_at=None, connection__archived_at=None)

    def chatting(self) -> Self:
        return self.filter(kind=Model.Kind.CHAT)

    def named(self, name: str) -> Self:
        """Keep the models of that name, the one added first at the head: several connections may offer it."""
        return self.filter(name=name).order_by("id")

    def with_connection(self) -> Self:
        """Load what a call needs along with the model."""
        return self.select_related("connection")


class Model(models.Model):
    """A model that a connection offers. What nobody has said of it is null, which is not the same as no.

    `regions` are where the provider processes data (`eu`, `us`, `on-premises`, …), `assurances` what it promises about
    it (`zero-retention`, `no-training`, `hipaa`, …); `data_note` says the rest in words.
    """

    class Kind(models.TextChoices):
        CHAT = "chat", "Chat"
        EMBEDDING = "embedding", "Embeddings"

    class Modality(models.TextChoices):
        TEXT = "text", "Text"
        IMAGE = "image", "Images"
        AUDIO = "audio", "Audio"
        FILE = "file", "Files"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="models")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="models")
    name = models.CharField(max_length=120, help_text="The provider's name for it.")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.CHAT)
    context_window = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    modalities = ArrayField(models.CharField(max_length=10, choices=Modality.choices), null=True, blank=True)
    supports_tools = models.BooleanField(null=True, blank=True)
    supports_json = models.BooleanField(null=True, blank=True)
    regions = ArrayField(models.CharField(max_length=40), null=True, blank=True)
    assurances = ArrayField(models.CharField(max_length=40), null=True, blank=True)
    data_note = models.CharField(max_length=500, blank=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ModelQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="model_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_usable(self) -> bool:
        return self.archived_at is None and self.connection.archived_at is None
