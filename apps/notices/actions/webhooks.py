"""Telling other systems: endpoints, and what is sent to them."""

import contextlib
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Membership, User, Workspace
from apps.accounts.rights import Right
from apps.core import outgoing, secrets, text
from apps.core.errors import Conflict, DomainError
from apps.notices import signing, tasks
from apps.notices.actions.inbox import notify
from apps.notices.models import WebhookDelivery, WebhookEndpoint
from apps.notices.models.webhooks import Event

MOST_ENDPOINTS = 20
MOST_BODY_BYTES = 64 * text.KILOBYTE
OLD_SECRET_HOURS = 24


def create_webhook(
    *, workspace: Workspace, name: str, url: str, events: list[str], environments: list[str], acting_user: User
) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint and return it with its secret, which nobody sees again.

    Raises DomainError for an address that may not be called, a name that is taken and the 21st endpoint.
    """
    wanted, secret = _checked(name, url, events, environments), signing.new_secret()
    endpoint = WebhookEndpoint(
        workspace=workspace, encrypted_secret=secrets.encrypt(secret), created_by=acting_user, **wanted
    )
    with transaction.atomic():
        Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
        if workspace.webhooks.live().count() >= MOST_ENDPOINTS:
            raise DomainError(f"A workspace has up to {MOST_ENDPOINTS} webhooks. Remove one that nobody listens to.")
        _save(endpoint)
        audit.record(workspace=workspace, actor=acting_user, verb="created", target=endpoint, after=_told(endpoint))
    return endpoint, secret


def update_webhook(
    *, endpoint: WebhookEndpoint, name: str, url: str, events: list[str], environments: list[str], acting_user: User
) -> WebhookEndpoint:
    """Change where and when an endpoint is told. Raises DomainError as `create_webhook` does."""
    wanted = _checked(name, url, events, environments)
    with transaction.atomic():
        endpoint = _locked(endpoint)
        before = _told(endpoint)
        for field, value in wanted.items():
            setattr(endpoint, field, value)
        if endpoint.url != before["url"]:
            _forgive(endpoint)
        _save(endpoint)
        workspace, after = endpoint.workspace, _told(endpoint)
        audit.record(
            workspace=workspace, actor=acting_user, verb="updated", target=endpoint, before=before, after=after
        )
    return endpoint


@transaction.atomic
def switch_webhook(*, endpoint: WebhookEndpoint, on: bool, acting_user: User) -> None:
    """Turn an endpoint on or off. What happens while it is off is not sent later; what waited before goes on then."""
    endpoint = _locked(endpoint)
    if endpoint.is_on != on:
        endpoint.is_on = on
        _forgive(endpoint)
        endpoint.save()
        verb = "switched on" if on else "switched off"
        audit.record(workspace=endpoint.workspace, actor=acting_user, verb=verb, target=endpoint)


@transaction.atomic
def rotate_webhook_secret(*, endpoint: WebhookEndpoint, acting_user: User) -> str:
    """Give an endpoint a new secret and return it. For a day both sign, so that the other side can follow."""
    endpoint = _locked(endpoint)
    secret = signing.new_secret()
    endpoint.encrypted_old_secret = bytes(endpoint.encrypted_secret)
    endpoint.old_secret_until = timezone.now() + timedelta(hours=OLD_SECRET_HOURS)
    endpoint.encrypted_secret = secrets.encrypt(secret)
    endpoint.save(update_fields=["encrypted_secret", "encrypted_old_secret", "old_secret_until"])
    audit.record(workspace=endpoint.workspace, actor=acting_user, verb="changed the secret", target=endpoint)
    return secret


@transaction.atomic
def remove_webhook(*, endpoint: WebhookEndpoint, acting_user: User) -> None:
    """Tell an endpoint nothing more; its deliveries stay listed until they are old."""
    now = timezone.now()
    removed = WebhookEndpoint.objects.live().filter(pk=endpoint.pk)
    if not removed.update(removed_at=now, is_on=False, encrypted_secret=b"", encrypted_old_secret=None):
        raise Conflict("That webhook is already removed.")
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint).waiting()
    waiting.update(
        state=WebhookDelivery.State.GIVEN_UP, ended_at=now, lease_until=None, answer="The webhook was removed."
    )
    audit.record(
        workspace=endpoint.workspace, actor=acting_user, verb="removed", target=endpoint, before=_told(endpoint)
    )


@transaction.atomic
def announce(*, workspace: Workspace, event: str, data: dict[str, Any], environment: str = "") -> list[WebhookDelivery]:
    """Tell every endpoint that listens: a row each with this transaction, sent after it.

    `data` is JSON of ids, names and numbers: no prompt text leaves by this way.
    """
    return _enqueue(workspace.webhooks.wanting(event, environment), workspace, event, data)


@transaction.atomic
def ping_webhook(*, endpoint: WebhookEndpoint, acting_user: User) -> WebhookDelivery:
    """Send a test message now, to an endpoint that is on or off, rested or not."""
    data = {"message": "Galley reaches you.", "sent_by": str(acting_user)}
    [made] = _enqueue([endpoint], endpoint.workspace, Event.PING, data)
    return made


@transaction.atomic
def replay_delivery(*, delivery: WebhookDelivery, acting_user: User) -> WebhookDelivery:
    """Send the same event once more, at once. Raises Conflict for a webhook that is removed."""
    if delivery.endpoint.removed_at:
        raise Conflict("The webhook is removed, so nothing is sent to it any more.")
    made = WebhookDelivery.objects.create(
        endpoint=delivery.endpoint,
        event=delivery.event,
        event_id=delivery.event_id,
        body=delivery.body,
        replay_of=delivery,
    )
    tasks.send_webhook.delay_on_commit(delivery_id=made.pk)
    audit.record(workspace=delivery.endpoint.workspace, actor=acting_user, verb="sent again", target=made)
    return made


def _enqueue(
    endpoints: Iterable[WebhookEndpoint], workspace: Workspace, event: str, data: dict[str, Any]
) -> list[WebhookDelivery]:
    event_id, now = uuid4(), timezone.now()
    body = json.dumps(
        {
            "id": str(event_id),
            "type": event,
            "created_at": now.isoformat(),
            "workspace": workspace.slug,
            "data": data,
        },
        ensure_ascii=False,
    )
    if len(body.encode()) > MOST_BODY_BYTES:
        raise ValueError(f"A webhook's body is over {MOST_BODY_BYTES} bytes.")
    made = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(endpoint=endpoint, event=event, event_id=event_id, body=body, created_at=now, due_at=now)
        for endpoint in endpoints
    )
    for delivery in made:
        tasks.send_webhook.delay_on_commit(delivery_id=delivery.pk)
    return made


def _checked(name: str, url: str, events: list[str], environments: list[str]) -> dict[str, Any]:
    """Return the fields as they will be stored. It asks a name server: never while a transaction is open."""
    name = " ".join(text.clean(name, field="The name", max_bytes=320).split())
    if not name or len(name) > 80:
        raise DomainError("Give the webhook a name of up to 80 characters, so that people know who listens.")
    url = text.clean(url, field="The address", max_bytes=500).strip()
    # Whether it may be called is asked again before every delivery; a name may not be there yet.
    with contextlib.suppress(outgoing.NotFound):
        outgoing.check_url(url)
    if url.startswith("http://") and not outgoing.is_allowed(url):
        raise DomainError("Use https, so that nobody on the way can read or change what is sent.")
    wanted = [str(event) for event in Event if event in events and event != Event.PING]
    if not wanted:
        raise DomainError("Choose at least one thing that the other system should hear of.")
    return {"name": name, "url": url, "events": wanted, "environments": sorted(set(environments))}


@transaction.atomic
def tell_failing_webhooks() -> int:
    """Tell the admins of addresses that have taken nothing for an hour, once each time; return how many."""
    now = timezone.now()
    failing = WebhookEndpoint.objects.failing_untold(now).select_for_update(skip_locked=True, of=("self",))
    found = list(failing.select_related("workspace"))
    for endpoint in found:
        admins = Membership.objects.filter(workspace=endpoint.workspace).with_right(Right.ADMIN).select_related("user")
        notify(
            users=[member.user for member in admins],
            workspace=endpoint.workspace,
            kind="webhook",
            title=f"The webhook {endpoint.name} takes nothing",
            body="What happens is kept and sent later, for two days. Its page shows the last answer.",
            url=reverse("webhook_detail", kwargs={"workspace": endpoint.workspace.slug, "pk": endpoint.pk}),
        )
    WebhookEndpoint.objects.filter(pk__in=[endpoint.pk for endpoint in found]).update(told_failing_at=now)
    return len(found)


def forget_old_deliveries(*, older_than: timedelta) -> int:
    """Remove what was delivered or given up so long ago; return how many."""
    return WebhookDelivery.objects.old(timezone.now(), older_than).delete()[0]


def _forgive(endpoint: WebhookEndpoint) -> None:
    endpoint.failures = 0
    endpoint.failing_since = endpoint.told_failing_at = endpoint.resting_until = None


def _save(endpoint: WebhookEndpoint) -> None:
    try:
        with transaction.atomic():
            endpoint.save()
    except IntegrityError:
        raise DomainError(f"There is already a webhook called {endpoint.name}.") from None


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.live().select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if found is None:
        raise Conflict("That webhook is removed.")
    return found


def _told(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "events": list(endpoint.events),
        "environments": list(endpoint.environments),
    }
