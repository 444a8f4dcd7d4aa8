"""Putting the secrets of webhooks under the newest of ENCRYPTION_KEYS."""

from collections.abc import Iterator

from django.db import transaction

from apps.accounts import audit
from apps.core import secrets
from apps.notices.models import WebhookEndpoint


def reencrypt() -> Iterator[tuple[WebhookEndpoint, bool]]:
    """Encrypt the secrets of all live webhooks anew, one by one; yield each and whether its secret could be opened."""
    for pk in WebhookEndpoint.objects.live().order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            live = WebhookEndpoint.objects.live().select_for_update(no_key=True, of=("self",))
            endpoint = live.select_related("workspace").filter(pk=pk).first()
            opened = _reencrypted(endpoint) if endpoint else False
        if endpoint:
            yield endpoint, opened


def _reencrypted(endpoint: WebhookEndpoint) -> bool:
    try:
        endpoint.encrypted_secret = secrets.encrypt_again(bytes(endpoint.encrypted_secret))
        if endpoint.encrypted_old_secret:
            endpoint.encrypted_old_secret = secrets.encrypt_again(bytes(endpoint.encrypted_old_secret))
    except secrets.NotOpened:
        return False
    endpoint.save(update_fields=["encrypted_secret", "encrypted_old_secret"])
    audit.record(workspace=endpoint.workspace, actor=None, verb="encrypted the secret anew", target=endpoint)
    return True
