from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import Workspace
from apps.costs import actions, proposals


class Command(BaseCommand):
    """Compare the public price list with a workspace's own and propose what differs."""

    help = "Propose what the installed public price list says differently of the models in use. Nothing is changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", help="The workspace's short name in its address; all of them without it.")

    def handle(self, *args: Any, workspace: str | None, **options: Any) -> None:
        found = Workspace.objects.filter(slug=workspace) if workspace else Workspace.objects.order_by("slug")
        if workspace and not found:
            raise CommandError(f"There is no workspace {workspace}.")
        for one in found:
            try:
                made = actions.propose_public_prices(workspace=one, acting_user=None)
            except actions.NothingNew as news:
                self.stdout.write(f"{one.slug}: {news.message}")
            else:
                self.stdout.write(
                    f"{one.slug}: {proposals.lines_of(made).count()} prices differ, proposal {made.pk} waits."
                )
