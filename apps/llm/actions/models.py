"""What people change about the models that connections offer."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User
from apps.core.errors import Conflict, DomainError
from apps.core.text import clean
from apps.llm import known_facts
from apps.llm.actions.connections import locked
from apps.llm.models import Connection, Model

MOST_WORDS = 20
LONGEST_WORD = 40
LONGEST_NOTE = 500


class ModelKnown(Conflict):
    """The connection already offers a model of that name."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is said of a model. None is unknown, which is not the same as no; an empty list says that there is none."""

    kind: str = Model.Kind.CHAT
    context_window: int | None = None
    max_output_tokens: int | None = None
    modalities: list[str] | None = None
    supports_tools: bool | None = None
    supports_json: bool | None = None
    regions: list[str] | None = None
    assurances: list[str] | None = None
    data_note: str = ""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@transaction.atomic
def add_model(
    *,
    connection: Connection,
    name: str,
    kind: str = Model.Kind.CHAT,
    context_window: int | None = None,
    max_output_tokens: int | None = None,
    acting_user: User,
) -> Model:
    """Offer a model of the connection; one that was archived comes back. Raises ModelKnown when it is there.

    A context window that nobody entered is looked up in the public list.
    """
    connection = locked(connection)
    wanted = clean(name, field="Model").strip()
    model = connection.models.filter(name=wanted).first()
    if model and model.archived_at is None:
        raise ModelKnown(f"{connection.name} already offers {wanted}.")
    model = model or Model(workspace=connection.workspace, connection=connection, name=wanted)
    known = context_window or model.context_window or known_facts.context_window(connection.provider, wanted)
    model.kind, model.context_window, model.archived_at = kind, known, None
    model.max_output_tokens = max_output_tokens or model.max_output_tokens
    model.save()
    audit.record(
        workspace=connection.workspace,
        actor=acting_user,
        verb="added a model",
        target=model,
        after={"connection": connection.pk, "name": wanted},
    )
    return model


@transaction.atomic
def describe_model(*, model: Model, facts: Facts, acting_user: User) -> Model:
    """Write down what is known of a model, in place of what was. Raises Conflict when it has been archived."""
    found = Model.objects.live().select_for_update(no_key=True).filter(pk=model.pk).first()
    if found is None:
        raise Conflict(f"{model.name} is archived.")
    before = _shown(found)
    for name, value in vars(facts).items():
        setattr(found, name, value)
    found.regions, found.assurances = _words(facts.regions, "Regions"), _words(facts.assurances, "Assurances")
    found.data_note = clean(facts.data_note, field="Note").strip()
    if len(found.data_note) > LONGEST_NOTE:
        raise DomainError(f"The note is {len(found.data_note)} characters long; at most {LONGEST_NOTE} fit.")
    found.save()
    audit.record(
        workspace=found.workspace,
        actor=acting_user,
        verb="described a model",
        target=found,
        before=before,
        after=_shown(found),
    )
    return found


@transaction.atomic
def archive_model(*, model: Model, acting_user: User) -> None:
    """Stop offering a model. Versions that name it keep doing so, and are refused when they are run."""
    Model.objects.filter(pk=model.pk, archived_at=None).update(archived_at=timezone.now())
    audit.record(workspace=model.workspace, actor=acting_user, verb="archived a model", target=model)


def _words(words: list[str] | None, field: str) -> list[str] | None:
    """Return the words as they are compared: lower case, with hyphens, each once. Raises DomainError for too many."""
    if words is None:
        return None
    tidy = ["-".join(clean(word, field=field).lower().split()) for word in words]
    kept = [word for word in dict.fromkeys(tidy) if word]
    if len(kept) > MOST_WORDS or any(len(word) > LONGEST_WORD for word in kept):
        raise DomainError(f"{field}: at most {MOST_WORDS}, each no longer than {LONGEST_WORD} characters.")
    return kept


def _shown(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in vars(Facts())}
