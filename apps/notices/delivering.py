"""Sending one webhook: claimed first, signed anew each time, its answer kept, and tried again after a longer wait."""

import time
from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.core import outgoing, secrets
from apps.core.errors import DomainError
from apps.notices import signing, waits
from apps.notices.models import WebhookDelivery, WebhookEndpoint

SECONDS = 10.0
LEASE = timedelta(seconds=60)
KEPT_BYTES = 2_000
log = structlog.get_logger()


class NotTaken(Exception):
    """The other side did not take it: its status code (None when no answer came) and words for the list."""

    def __init__(self, status_code: int | None, words: str) -> None:
        super().__init__(words)
        self.status_code = status_code
        self.words = words


def deliver(delivery_id: int) -> bool:
    """Send a delivery unless it was sent or is being sent; return whether the other side took it."""
    delivery = _claim(delivery_id)
    if delivery is None:
        return False
    started = time.monotonic()
    try:
        status_code, answer = _send(delivery)
    except NotTaken as failure:
        _failed(delivery, failure, _since(started))
        return False
    _taken(delivery, status_code, answer, _since(started))
    return True


def _claim(delivery_id: int) -> WebhookDelivery | None:
    now = timezone.now()
    sendable = WebhookDelivery.objects.sendable(now).filter(pk=delivery_id)
    if not sendable.update(lease_until=now + LEASE, attempts=F("attempts") + 1, tried_at=now):
        return None
    return WebhookDelivery.objects.select_related("endpoint__workspace").get(pk=delivery_id)


def _send(delivery: WebhookDelivery) -> tuple[int, str]:
    """Return status code and beginning of the answer. Raises NotTaken."""
    # The client takes a while to import: the web server, which only writes rows, does not wait for it.
    import httpx2

    from apps.core import transport

    endpoint, body = delivery.endpoint, delivery.body.encode()
    try:
        outgoing.check_url(endpoint.url)
        client = transport.http_client(may_be_private=outgoing.is_allowed(endpoint.url), keep=0)
        with (
            client,
            client.stream(
                "POST",
                endpoint.url,
                content=body,
                headers=_headers(delivery, body),
                timeout=transport.TimeLimits(SECONDS),
            ) as response,
        ):
            answer = _beginning(response.iter_bytes())
            status_code = int(response.status_code)
    except DomainError as error:
        raise NotTaken(None, error.message) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, transport.AnswerTooLarge, OSError) as error:
        raise NotTaken(None, _words(error)) from None
    if 300 <= status_code < 400:
        raise NotTaken(status_code, f"It answered {status_code}: redirects are not followed. Enter the final address.")
    if not 200 <= status_code < 300:
        raise NotTaken(status_code, answer)
    return status_code, answer


def _headers(delivery: WebhookDelivery, body: bytes) -> dict[str, str]:
    now = timezone.now()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Galley-Webhooks/1",
        "X-Galley-Event": delivery.event,
        "X-Galley-Delivery": str(delivery.event_id),
        signing.HEADER: signing.header(_secrets(delivery.endpoint), body, int(now.timestamp())),
    }


def _secrets(endpoint: WebhookEndpoint) -> list[str]:
    found = [secrets.decrypt(bytes(endpoint.encrypted_secret))]
    if endpoint.encrypted_old_secret and endpoint.old_secret_until and endpoint.old_secret_until > timezone.now():
        found.append(secrets.decrypt(bytes(endpoint.encrypted_old_secret)))
    return found


def _beginning(parts: Iterable[bytes]) -> str:
    """Read as much of an answer as is kept, and leave the rest."""
    kept = b""
    for part in parts:
        kept += part
        if len(kept) >= KEPT_BYTES:
            break
    return kept[:KEPT_BYTES].decode(errors="replace").replace("\x00", "\ufffd")


def _words(error: Exception) -> str:
    """Say what went wrong on the way, without addresses or secrets that an exception may spell."""
    names = {
        "ConnectTimeout": f"No connection within {SECONDS:g} seconds.",
        "ReadTimeout": f"No answer within {SECONDS:g} seconds.",
        "WriteTimeout": f"It did not take the message within {SECONDS:g} seconds.",
        "ConnectError": "No connection: nobody answers there, or its certificate is not valid.",
        "RemoteProtocolError": "The connection broke, or the answer was not HTTP.",
        "ReadError": "The connection broke before the answer was complete.",
    }
    return names.get(type(error).__name__, "The message could not be delivered.")


def _taken(delivery: WebhookDelivery, status_code: int, answer: str, took_ms: int) -> None:
    now = timezone.now()
    WebhookDelivery.objects.filter(pk=delivery.pk, state=WebhookDelivery.State.WAITING).update(
        state=WebhookDelivery.State.DELIVERED,
        status_code=status_code,
        answer=answer,
        took_ms=took_ms,
        ended_at=now,
        lease_until=None,
    )
    failing = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id).exclude(failures=0)
    failing.update(failures=0, failing_since=None, told_failing_at=None, resting_until=None)


def _failed(delivery: WebhookDelivery, failure: NotTaken, took_ms: int) -> None:
    now = timezone.now()
    over = now - delivery.created_at >= waits.GIVE_UP_AFTER
    WebhookDelivery.objects.filter(pk=delivery.pk, state=WebhookDelivery.State.WAITING).update(
        state=WebhookDelivery.State.GIVEN_UP if over else WebhookDelivery.State.WAITING,
        status_code=failure.status_code,
        answer=failure.words,
        took_ms=took_ms,
        ended_at=now if over else None,
        due_at=now + waits.before_retry(delivery.attempts),
        lease_until=None,
    )
    endpoint = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id)
    endpoint.update(
        failures=F("failures") + 1,
        failing_since=Coalesce("failing_since", Value(now)),
        resting_until=now + waits.rest(delivery.endpoint.failures + 1),
    )
    log.info("webhook_not_taken", endpoint=delivery.endpoint_id, delivery=delivery.pk, status=failure.status_code)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
