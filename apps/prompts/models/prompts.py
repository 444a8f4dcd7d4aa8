from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from apps.accounts.models import ApiKey, User, Workspace
from apps.core import append_only
from apps.prompts.models.epochs import moves_delivery
from apps.prompts.models.search import keeps_names, keeps_texts, prompts_saying


class PromptQuerySet(models.QuerySet["Prompt"]):
    def active(self) -> Self:
        return self.filter(archived_at=None)

    def in_folder(self, folder: str) -> Self:
        return self.filter(name__startswith=f"{folder}/") if folder else self

    def in_hand(self, *, archived: bool) -> Self:
        """Keep what people work with, or what they put away."""
        return self.exclude(archived_at=None) if archived else self.active()

    def tagged(self, tag: str) -> Self:
        return self.filter(tags__contains=[tag]) if tag else self

    def owned_by(self, owner_id: int | None) -> Self:
        return self.filter(owner=owner_id) if owner_id else self

    def matching(self, query: str) -> Self:
        """Keep prompts whose name holds `query`, or that hold all its words in name, description, tags or any version."""
        if not query:
            return self
        named = models.Q(name__icontains=query)
        saying = prompts_saying(query)
        return self.filter(named if saying is None else named | models.Q(pk__in=saying))


class Prompt(models.Model):
    """A named text that a product sends to a model. Slashes in the name are folders."""

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        CHAT = "chat", "Chat"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="prompts")
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=4, choices=Kind.choices, default=Kind.CHAT)
    description = models.CharField(max_length=300, blank=True)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = PromptQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="prompt_name_once")]
        indexes = [
            models.Index(fields=["workspace", "owner"], name="prompt_by_owner"),
            GinIndex(fields=["tags"], name="prompt_by_tag"),
        ]
        triggers = [moves_delivery("changed.workspace_id"), keeps_names()]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]


class Content(models.Model):
    """What a draft and a version have in common: everything that decides what a model is sent.

    `messages` is a list of {"role", "content"}; a text prompt has exactly one. In a chat prompt an item may also be
    {"type": "placeholder", "name"}, where the caller passes messages of its own, and once {"type": "examples"}, where
    `examples`, a list of {"input", "output"}, stand as messages of the user and the assistant. `variables` is the
    contract: a list of {"name", "type", "required", "default", "example", "description"}. `model_config` is
    {"model", "parameters"}, `tools` is what OpenAI calls tools.
    """

    class Format(models.TextChoices):
        MUSTACHE = "mustache", "Mustache"
        JINJA = "jinja", "Jinja"
        FSTRING = "fstring", "f-string"

    messages = models.JSONField(default=list)
    examples = models.JSONField(default=list, blank=True)
    format = models.CharField(max_length=10, choices=Format.choices, default=Format.MUSTACHE)
    variables = models.JSONField(default=list, blank=True)
    model_config = models.JSONField(default=dict, blank=True)
    output_schema = models.JSONField(null=True, blank=True)
    tools = models.JSONField(default=list, blank=True)

    class Meta:
        abstract = True

    def content(self) -> dict[str, Any]:
        """Return all that decides what a model is sent: what the content hash covers."""
        return {
            "messages": self.messages,
            "examples": self.examples,
            "format": self.format,
            "variables": self.variables,
            "model_config": self.model_config,
            "output_schema": self.output_schema,
            "tools": self.tools,
        }


class Draft(Content):
    """One author's unsaved work on a prompt, a person's or a key's. Autosaved; becomes a version only on purpose."""

    UNTOUCHED = 1  # the revision of one that nobody wrote to yet

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="drafts")
    author = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    author_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, null=True, related_name="+")
    based_on = models.ForeignKey("prompts.Version", on_delete=models.PROTECT, null=True, related_name="+")
    revision = models.PositiveIntegerField(default=UNTOUCHED)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "author"], name="draft_once"),
            models.UniqueConstraint(fields=["prompt", "author_key"], name="draft_once_by_key"),
            models.CheckConstraint(
                condition=models.Q(author=None) ^ models.Q(author_key=None), name="draft_has_one_author"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.by}'s draft of {self.prompt}"

    @property
    def by(self) -> str:
        """Say who writes: a person, or a program by the name of its key."""
        return str(self.author or f"API key {self.author_key}")


class VersionQuerySet(models.QuerySet["Version"]):
    def for_rows(self) -> Self:
        """Leave the texts out: a row says a number, a message and who saved it."""
        return self.defer("messages", "examples", "variables", "model_config", "output_schema", "tools")

    def newest_first(self) -> Self:
        return self.order_by("-number")


class Version(Content):
    """A prompt's text as it was saved. It never changes: the database refuses."""

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    message = models.CharField(max_length=500)
    author = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    author_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = VersionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "number"], name="version_number_once")]
        triggers = [
            *append_only.TRIGGERS,
            moves_delivery("SELECT workspace_id FROM prompts_prompt WHERE id = changed.prompt_id"),
            keeps_texts(),
        ]

    def __str__(self) -> str:
        return f"{self.prompt.name} v{self.number}"

    @property
    def short_hash(self) -> str:
        return self.content_hash[:10]

    @property
    def by(self) -> str:
        """Say who saved it: a person, or a program by the name of its key, whoever made that key."""
        return f"API key {self.author_key}" if self.author_key else str(self.author or "Somebody")
