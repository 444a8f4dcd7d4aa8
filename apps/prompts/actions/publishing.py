"""Writing by key: programs save drafts and versions, and ask for them to go live, under the rules of people."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import ApiKey, User, Workspace
from apps.core import text
from apps.core.errors import DomainError, NotAllowed
from apps.prompts import contents
from apps.prompts.actions import steps
from apps.prompts.actions.deployments import deploy
from apps.prompts.actions.gate import NeedsChangeRequest, require_promotion
from apps.prompts.actions.labels import clean_label, move_label
from apps.prompts.actions.prompts import NothingChanged, new_prompt, number_version, require_active
from apps.prompts.links import proposal_url
from apps.prompts.models import Deployment, Draft, Environment, Prompt, Version


def person_behind(key: ApiKey) -> User:
    """Return the person who made the key and answers for what it asks. Raises NotAllowed when they are gone."""
    person = key.created_by
    if person is None or not person.is_active or not key.workspace.memberships.filter(user=person).exists():
        raise NotAllowed("The person who made this key is not here any more. Make a new key to propose with.")
    return person


@transaction.atomic
def save_key_draft(*, prompt: Prompt, content: dict[str, Any], acting_key: ApiKey) -> Draft:
    """Keep a key's own draft of a prompt, finished or not, in place of its last one."""
    require_active(prompt)
    fields = {
        **content,
        "messages": contents.clean_messages(content["messages"], kind=prompt.kind),
        "examples": contents.clean_examples(content.get("examples", [])),
        "tools": contents.clean_tools(content.get("tools", [])),
        "variables": text.clean_tree(content.get("variables", []), field="A variable"),
        "model_config": contents.clean_model_config(content.get("model_config")),
        "updated_at": timezone.now(),
    }
    contents.check_format(fields.get("format", Draft.Format.MUSTACHE))
    contents.check_schema(fields.get("output_schema"))
    draft, made = Draft.objects.get_or_create(prompt=prompt, author_key=acting_key, defaults=fields)
    if not made:
        Draft.objects.filter(pk=draft.pk).update(**fields, revision=draft.revision + 1)
        draft.refresh_from_db()
    return draft


@transaction.atomic
def publish_version(*, prompt: Prompt, content: dict[str, Any], message: str, acting_key: ApiKey) -> Version:
    """Save what a program sends as the prompt's next version.

    Raises NothingChanged when it equals the newest, and what `save_version` raises for a content that is not finished.
    """
    require_active(prompt)
    version = number_version(prompt=prompt, content=content, message=message, key=acting_key)
    _record_version(version, acting_key)
    return version


@transaction.atomic
def publish(  # noqa: PLR0913  one call of a program that says all at once
    *,
    workspace: Workspace,
    name: str,
    kind: str,
    content: dict[str, Any],
    message: str,
    labels: list[str],
    tags: list[str] | None,
    acting_key: ApiKey,
) -> Version:
    """Save a version, of a new prompt where there is none, and point labels and environments at it: all or nothing.

    What equals the newest version is that version. Raises NotAllowed and NeedsChangeRequest, with where to ask
    instead, for an environment that the key may not change, and DomainError for another kind of prompt.
    """
    prompt = workspace.prompts.select_related("workspace").filter(name=name).first()
    places = environments_among(workspace, labels, prompt=prompt, acting_key=acting_key)
    names = [clean_label(one, workspace=workspace) for one in labels if one != "latest" and one not in places]
    created = prompt is None
    if prompt is None:
        prompt = new_prompt(workspace=workspace, name=name, kind=kind, tags=tags, owner=acting_key.created_by)
    require_active(prompt)
    if prompt.kind != kind:
        raise DomainError(f"{name} is a {prompt.kind} prompt, and stays one. Send it as type {prompt.kind}.")
    version, fresh = _version(prompt, content, message, acting_key)
    if tags is not None and not created:
        Prompt.objects.filter(pk=prompt.pk).update(tags=contents.clean_tags(tags))
    _deploy_to(list(places.values()), version, message, acting_key)
    for one in names:
        move_label(version=version, name=one, actor=acting_key)
    if created:
        audit.record(workspace=workspace, actor=acting_key, verb="created", target=prompt)
    if fresh:
        _record_version(version, acting_key)
    return version


@transaction.atomic
def point_at(*, version: Version, labels: list[str], acting_key: ApiKey) -> None:
    """Point labels and environments at a version that is there, all or nothing. Raises as `publish` does."""
    workspace = version.prompt.workspace
    require_active(version.prompt)
    places = environments_among(workspace, labels, prompt=version.prompt, acting_key=acting_key, version=version)
    names = [clean_label(one, workspace=workspace) for one in labels if one not in places]
    _deploy_to(list(places.values()), version, "", acting_key)
    for one in names:
        move_label(version=version, name=one, actor=acting_key)


def environments_among(
    workspace: Workspace,
    labels: list[str],
    *,
    prompt: Prompt | None,
    acting_key: ApiKey,
    version: Version | None = None,
) -> dict[str, Environment]:
    """Return the environments among labels, by name and locked.

    Raises NotAllowed or NeedsChangeRequest for what may not move.
    """
    found = workspace.environments.filter(name__in=labels).order_by("pk")
    places = {place.name: steps.take(place, [prompt.pk] if prompt else []) for place in found}
    for name, place in places.items():
        where = proposal_url(workspace, prompt, version)
        if place.is_guarded:
            said = f"{name} needs a change request: nothing was created or moved. Ask for it at {where}"
            raise NeedsChangeRequest(said, change_request=where)
        try:
            require_promotion(place, acting_key)
        except NotAllowed:
            said = f"This key may not change what is live in {name}: nothing was created or moved. Ask at {where}"
            raise NotAllowed(said, change_request=where) from None
    return places


def _version(prompt: Prompt, content: dict[str, Any], message: str, key: ApiKey) -> tuple[Version, bool]:
    try:
        return number_version(prompt=prompt, content=content, message=message, key=key), True
    except NothingChanged:
        return prompt.versions.select_related("prompt__workspace").latest("number"), False


def _deploy_to(places: list[Environment], version: Version, reason: str, key: ApiKey) -> None:
    for place in places:
        live = Deployment.objects.by_prompt(place.pk, [version.prompt_id]).get(version.prompt_id)
        if live is None or live.version.pk != version.pk:
            deploy(version=version, environment=place, actor=key, reason=reason, replaces=live)


def _record_version(version: Version, key: ApiKey) -> None:
    after = {"number": version.number, "content_hash": version.content_hash}
    audit.record(workspace=version.prompt.workspace, actor=key, verb="saved version", target=version, after=after)
