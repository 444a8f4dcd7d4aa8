from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import Workspace
from apps.costs import seed


class Command(BaseCommand):
    """Give a workspace its first price list."""

    help = "Add known public prices and the practice provider's to a workspace. Prices that are there stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, help="The workspace's short name in its address.")

    def handle(self, *args: Any, workspace: str, **options: Any) -> None:
        found = Workspace.objects.filter(slug=workspace).first()
        if found is None:
            raise CommandError(f"There is no workspace {workspace}.")
        self.stdout.write(f"{seed.seed_prices(workspace=found)} prices added.")
