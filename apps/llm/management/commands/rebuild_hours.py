from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.llm import hours

MOST_DAYS = 3_660
STRETCH = timedelta(days=1)


class Command(BaseCommand):
    """Sum up calls by the hour anew, a day at a time."""

    help = "Sum up calls by the hour anew, for instance after calls were loaded from elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", help="The workspace's short name in its address; all when absent.")
        parser.add_argument("--days", type=int, default=30, help="How many days back (30).")

    def handle(self, *args: Any, workspace: str | None, days: int, **options: Any) -> None:
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"Days must lie between 1 and {MOST_DAYS}.")
        found = Workspace.objects.filter(slug=workspace).first() if workspace else None
        if workspace and found is None:
            raise CommandError(f"There is no workspace {workspace}.")
        now = timezone.now()
        rows = 0
        moment = hours.hour_of(now - timedelta(days=days))
        while moment <= now:
            rows += hours.rebuild(moment, moment + STRETCH, found.pk if found else None)
            moment += STRETCH
        self.stdout.write(f"{rows} hours are summed up anew.")
