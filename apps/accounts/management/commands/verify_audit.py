from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts import audit
from apps.accounts.models import AuditEvent, Workspace


class Command(BaseCommand):
    help = "Walk the audit chains and tell whether every event is as it was written. Exits 1 when one is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", help="the address (slug) of one workspace; all without it")
        parser.add_argument(
            "--contains", metavar="HASH", help="a head hash noted earlier: proves that the chain's end was not cut off"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        broken = [slug for slug in self._slugs(options["workspace"]) if not self._verify(slug, options["contains"])]
        if broken:
            raise CommandError(f"The audit chain does not hold in: {', '.join(broken)}.")

    def _slugs(self, slug: str | None) -> list[str]:
        slugs = list(Workspace.objects.order_by("slug").values_list("slug", flat=True))
        if slug is None:
            return slugs
        if slug not in slugs:
            raise CommandError(f"There is no workspace “{slug}”.")
        return [slug]

    def _verify(self, slug: str, known_hash: str | None) -> bool:
        workspace = Workspace.objects.get(slug=slug)
        proof = audit.verify(workspace)
        if proof.first_break:
            self.stderr.write(f"{slug}: broken at event {proof.first_break.number}: {proof.first_break.problem}")
            return False
        if known_hash and not AuditEvent.objects.filter(workspace=workspace, hash=known_hash).exists():
            self.stderr.write(f"{slug}: no event has the hash {known_hash}: events were cut off the end")
            return False
        self.stdout.write(f"{slug}: {proof.events} events hold, head {proof.head or 'none'}")
        return True
