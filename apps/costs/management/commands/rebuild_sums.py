from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import Workspace
from apps.costs import ledger_sums


class Command(BaseCommand):
    """Write a workspace's sums anew from its charges."""

    help = "Write the sums anew from the charges, for instance after the workspace moved to another time zone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, help="The workspace's short name in its address.")

    def handle(self, *args: Any, workspace: str, **options: Any) -> None:
        found = Workspace.objects.filter(slug=workspace).first()
        if found is None:
            raise CommandError(f"There is no workspace {workspace}.")
        ledger_sums.rebuild_sums(workspace_id=found.pk)
        self.stdout.write(f"The sums of {workspace} are written anew.")
