"""The columns of a try: what stands in each (a draft, what is live, a version) and which model answers it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import QueryDict

from apps.accounts.models import User
from apps.core import text
from apps.core.errors import DomainError
from apps.llm.models import Model
from apps.llm.models.catalogue import ModelQuerySet
from apps.prompts import boards, contents, inputs
from apps.prompts.models import Draft, Prompt, Version
from apps.prompts.variables import Variable

MOST = 4
DRAFT = "draft"
LIVE = "live:"
VERSION = "v"
LISTED_VERSIONS = 200


class NotThere(DomainError):
    """A column names a draft, version, environment or model that is not there."""


@dataclass(frozen=True)
class Source:
    """Something that can stand in a column: `key` is what the page sends, `content` the draft or version behind it."""

    key: str
    label: str
    content: Draft | Version

    @property
    def version(self) -> Version | None:
        return self.content if isinstance(self.content, Version) else None

    @property
    def own_model(self) -> str:
        """Return the name of the model that the content itself asks for, if it does."""
        return str((self.content.model_config or {}).get("model") or "")

    @property
    def contract(self) -> list[Variable]:
        """Return what the content must be given, by whatever it takes in now. Raises DomainError for an unfinished draft."""
        return contents.contract_of(self.content)


@dataclass(frozen=True)
class Column:
    """A column as it is asked for: its place, what stands in it, and the model chosen instead of its own."""

    place: int
    key: str
    model_id: int | None = None


def asked_for(query: QueryDict) -> list[Column]:
    """Return the columns that a form or an address names, at most four."""
    keys, models = query.getlist("source")[:MOST], query.getlist("model")
    chosen = [text.whole_number(model) for model in models] + [None] * MOST
    return [Column(place, key[:60], model) for place, (key, model) in enumerate(zip(keys, chosen, strict=False))]


def sources_of(prompt: Prompt, user: User) -> list[Source]:
    """Return everything that can stand in a column: the person's draft, what is live where, every version."""
    draft = prompt.drafts.filter(author=user).first()
    found = [Source(DRAFT, "Your draft", draft)] if draft else []
    found += [
        Source(
            f"{LIVE}{live.environment.name}", f"Live in {live.environment.name} (v{live.version.number})", live.version
        )
        for live in reversed(boards.live_of(prompt))
    ]
    # To be named in a list; what a column holds is read when it is tried.
    versions = prompt.versions.defer("messages", "examples", "output_schema", "tools").newest_first()[:LISTED_VERSIONS]
    found += [Source(f"{VERSION}{version.number}", f"Version {version.number}", version) for version in versions]
    return _of_prompt(prompt, found)


def find(prompt: Prompt, user: User, key: str) -> Source:
    """Return what one column holds, without loading the others. Raises NotThere."""
    content: Draft | Version | None = None
    label = key
    if key == DRAFT:
        content, label = prompt.drafts.filter(author=user).first(), "Your draft"
    elif key.startswith(LIVE):
        place = key.removeprefix(LIVE)
        live = next((one for one in boards.live_of(prompt) if one.environment.name == place), None)
        content, label = (live.version, f"Live in {place} (v{live.version.number})") if live else (None, key)
    elif (number := text.whole_number(key.removeprefix(VERSION))) is not None:
        content, label = prompt.versions.filter(number=number).first(), f"Version {number}"
    if content is None:
        raise NotThere("What this column should try is not there any more. Choose another version.")
    return _of_prompt(prompt, [Source(key, label, content)])[0]


def _of_prompt(prompt: Prompt, sources: list[Source]) -> list[Source]:
    for source in sources:
        source.content.prompt = prompt  # known already: nobody need ask for it again
    return sources


def first_choice(sources: list[Source]) -> list[Column]:
    """Return what a fresh page opens with: the draft, else the newest version, beside what is live highest up."""
    keys = [source.key for source in sources]
    newest = next((key for key in keys if key.startswith(VERSION)), None)
    live = next((key for key in keys if key.startswith(LIVE)), None)
    first = DRAFT if DRAFT in keys else newest
    wanted: Iterable[str | None] = dict.fromkeys([first, live if not _same(sources, first, live) else None])
    return [Column(place, key) for place, key in enumerate(key for key in wanted if key)]


def _same(sources: list[Source], one: str | None, other: str | None) -> bool:
    contents = {source.key: source.content for source in sources}
    return bool(one and other) and contents[str(one)] is not None and contents[str(one)] == contents[str(other)]


def models_of(prompt: Prompt) -> ModelQuerySet:
    """Return the models that can answer a prompt, with what a call needs."""
    return Model.objects.usable().chatting().filter(workspace=prompt.workspace_id).with_connection()


def model_for(source: Source, chosen: int | None) -> Model:
    """Return the model chosen for a column, else its own. Raises NotThere."""
    offered = models_of(source.content.prompt)
    if chosen is not None:
        model = offered.filter(pk=chosen).first()
        if model is None:
            raise NotThere("The chosen model is not there any more. Choose another one.")
        return model
    if not source.own_model:
        raise NotThere(f"{source.label} does not say which model answers it. Choose one for this column.")
    model = offered.named(source.own_model).first()
    if model is None:
        raise NotThere(
            f"{source.label} wants {source.own_model}, which no connection offers. Choose another model here."
        )
    return model


def contract_of(sources: list[Source], chosen: list[Column]) -> tuple[list[Variable], str]:
    """Return the variables of all chosen columns, and why one of them cannot be read."""
    keys, problem, found = {column.key for column in chosen}, "", []
    for source in sources:
        if source.key in keys:
            try:
                found.append(source.contract)
            except DomainError as error:
                problem = f"{source.label}: {error.message}"
    return inputs.merged(found), problem


def spare(chosen: list[Column], sources: list[Source]) -> str:
    """Return what a further column would open with: the first that no column holds yet."""
    taken = {column.key for column in chosen}
    keys = [source.key for source in sources]
    return next((key for key in keys if key not in taken), keys[0] if keys else "")


def with_another(chosen: list[Column], sources: list[Source]) -> list[Column]:
    return [*chosen, Column(len(chosen), spare(chosen, sources))][:MOST]
