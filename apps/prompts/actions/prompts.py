"""Writing: prompts, drafts and versions."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import ApiKey, User, Workspace
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.prompts import composition, contents, starters
from apps.prompts.models import Draft, Prompt, Version


class NothingChanged(DomainError):
    """The draft says exactly what the newest version says."""

    code = "nothing-changed"


@transaction.atomic
def create_prompt(  # noqa: PLR0913  a prompt's own fields
    *,
    workspace: Workspace,
    name: str,
    kind: str = Prompt.Kind.CHAT,
    description: str = "",
    tags: list[str] | None = None,
    starter: str = "",
    acting_user: User | None,
    acting_key: ApiKey | None = None,
) -> Prompt:
    """Create a prompt owned by its author, or by who made the key: empty, or with the draft of a starter.

    A starter says the prompt's kind. Raises DomainError for a name that is bad or taken, and for a starter that there
    is not.
    """
    pattern = starters.find(starter)
    if starter and pattern is None:
        raise DomainError(f"There is no starter called {starter[:40]}.")
    kind = pattern.kind if pattern else kind
    prompt = new_prompt(
        workspace=workspace, name=name, kind=kind, description=description, tags=tags, owner=acting_user
    )
    if pattern:
        Draft.objects.create(prompt=prompt, author=acting_user, **pattern.content())
    audit.record(workspace=workspace, actor=acting_key or acting_user, verb="created", target=prompt)
    return prompt


def new_prompt(
    *,
    workspace: Workspace,
    name: str,
    kind: str,
    description: str = "",
    tags: list[str] | None,
    owner: User | None,
) -> Prompt:
    """Insert a prompt, without its audit event. Raises DomainError for a name that is bad or taken."""
    prompt = Prompt(
        workspace=workspace,
        name=contents.clean_name(name),
        kind=kind,
        description=contents.clean_description(description),
        owner=owner,
        tags=contents.clean_tags(tags or []),
    )
    try:
        with transaction.atomic():
            prompt.save(force_insert=True)
    except IntegrityError:
        raise DomainError(f"There is already a prompt called {prompt.name}.") from None
    return prompt


@transaction.atomic
def open_draft(*, prompt: Prompt, acting_user: User, start_from: Version | None = None) -> Draft:
    """Return the author's draft, begun from `start_from`, else the newest version, else a first text.

    A draft that nobody wrote to yet begins anew where something newer is there. Raises DomainError for an archived prompt.
    """
    require_active(prompt)
    base = start_from or prompt.versions.order_by("-number").first()
    fields: dict[str, Any] = base.content() if base else {"messages": _first_messages(prompt)}
    fields["based_on"] = base
    # What somebody asked for by hand is a wish of its own, whatever is saved later.
    begun = {**fields, "revision": Draft.UNTOUCHED + 1} if start_from else fields
    draft, _ = Draft.objects.get_or_create(prompt=prompt, author=acting_user, defaults=begun)
    if base and draft.based_on != base and draft.revision == Draft.UNTOUCHED and _says_its_base(draft):
        Draft.objects.filter(pk=draft.pk, revision=Draft.UNTOUCHED).update(**fields)
        draft.refresh_from_db()
    if start_from and draft.based_on != start_from:
        raise Conflict(
            "You already have a draft of this prompt. Save or discard it before you restore another version."
        )
    return draft


def _says_its_base(draft: Draft) -> bool:
    return draft.based_on is not None and draft.content() == draft.based_on.content()


def require_active(prompt: Prompt) -> None:
    if prompt.archived_at:
        raise DomainError(f"{prompt.name} is archived. Bring it back before you write to it.")


def _first_messages(prompt: Prompt) -> list[dict[str, str]]:
    pattern = starters.BLANK if prompt.kind == Prompt.Kind.CHAT else starters.TEXT
    return pattern.messages


@transaction.atomic
def save_draft(*, draft: Draft, revision: int, content: dict[str, Any], acting_user: User) -> Draft:
    """Keep what the author typed, finished or not, and return the draft with its new revision.

    `content` has messages, format, variables and model_config, and may have examples, tools and output_schema (None
    takes it away). What it has not stays as it is.
    Raises Conflict when another tab saved in between, and DomainError for what cannot be stored at all.
    """
    contents.check_format(content["format"])
    messages = contents.clean_messages(content["messages"], kind=draft.prompt.kind)
    schema = content.get("output_schema", draft.output_schema)
    contents.check_schema(schema)
    saved = Draft.objects.filter(pk=draft.pk, author=acting_user, revision=revision).update(
        messages=messages,
        format=content["format"],
        variables=text.clean_tree(content["variables"], field="A variable"),
        # What a program keeps beside the model comes through an edit on a page, which does not know of it.
        model_config=contents.clean_model_config(
            {"config": draft.model_config.get("config"), **content["model_config"]}
        ),
        examples=contents.clean_examples(content.get("examples", draft.examples)),
        tools=contents.clean_tools(content.get("tools", draft.tools)),
        output_schema=schema,
        revision=revision + 1,
        updated_at=timezone.now(),
    )
    if not saved:
        raise Conflict("This draft was saved in another tab. Reload to see that text; yours is still in this window.")
    draft.refresh_from_db()
    return draft


@transaction.atomic
def discard_draft(*, draft: Draft, acting_user: User) -> None:
    """Throw the author's own draft away."""
    Draft.objects.filter(pk=draft.pk, author=acting_user).delete()


@transaction.atomic
def save_version(*, draft: Draft, message: str, acting_user: User) -> Version:
    """Turn the draft into the next version and remove the draft.

    Raises NothingChanged when it equals the newest version; TemplateError, ContractError or DomainError when it
    could not be filled.
    """
    if not message.strip():
        raise DomainError("Say in a few words what changed.")
    require_active(draft.prompt)
    version = _numbered(draft, message, author=acting_user, key=None)
    Draft.objects.filter(pk=draft.pk, author=acting_user).delete()
    after = {"number": version.number, "content_hash": version.content_hash}
    workspace = version.prompt.workspace
    audit.record(workspace=workspace, actor=acting_user, verb="saved version", target=version, after=after)
    return version


def number_version(*, prompt: Prompt, content: dict[str, Any], message: str, key: ApiKey) -> Version:
    """Insert what a key sends as the next version, without its audit event. Raises as `save_version` does."""
    draft = Draft(prompt=prompt, author_key=key, **content)
    contents.check_format(draft.format)
    draft.variables = text.clean_tree(draft.variables, field="A variable")
    return _numbered(draft, message, author=key.created_by, key=key)


def _numbered(draft: Draft, message: str, *, author: User | None, key: ApiKey | None) -> Version:
    message = text.clean(message, field="The message", max_bytes=2_000).strip()[:500]
    # The prompt's row is the counter's lock: two versions saved at once get different numbers.
    locked = Prompt.objects.select_for_update(no_key=True, of=("self",)).select_related("workspace")
    prompt = locked.get(pk=draft.prompt_id)
    if composition.has_references(draft):
        composition.lock(prompt.workspace_id)
    content = contents.finished(draft)
    newest = prompt.versions.order_by("-number").first()
    identity = contents.content_hash(content)
    if newest and newest.content_hash == identity:
        raise NothingChanged(f"Nothing changed since version {newest.number}.")
    version = Version(
        prompt=prompt,
        number=newest.number + 1 if newest else 1,
        content_hash=identity,
        message=message,
        author=author,
        author_key=key,
        **content,
    )
    version.save(force_insert=True)
    composition.record(version)
    return version
