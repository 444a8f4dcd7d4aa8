"""`manage.py reencrypt_keys`: put every stored secret under the newest encryption key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import DomainError
from apps.llm import rekeying


class Command(BaseCommand):
    """Encrypt the stored keys again; afterwards the older ENCRYPTION_KEYS can go."""

    help = "Encrypt the keys of all connections and webhooks with the first of ENCRYPTION_KEYS. Ends with 1 when a key cannot be opened."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each connection; raise CommandError for keys that none of ENCRYPTION_KEYS opens."""
        try:
            found = [self._told(rekeyed) for rekeyed in rekeying.reencrypt()]
        except DomainError as error:
            raise CommandError(error.message) from error
        if lost := sum(not rekeyed.opened for rekeyed in found):
            raise CommandError(
                f"{lost} of {len(found)} keys cannot be opened. Add the key that they were stored under to "
                "ENCRYPTION_KEYS, after the newest, and run this again; or enter them again in the settings.",
                returncode=1,
            )
        self.stdout.write(f"{len(found)} keys are under the newest encryption key. The older ones can go.")

    def _told(self, rekeyed: rekeying.Rekeyed) -> rekeying.Rekeyed:
        verdict = "encrypted anew" if rekeyed.opened else "cannot be opened"
        self.stdout.write(f"{rekeyed.workspace.slug} {rekeyed.name}: {verdict}")
        return rekeyed
