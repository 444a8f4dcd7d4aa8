"""Start Galley on this machine. `manage.py` hands this command over before Django starts; see `running/up.py`."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from llmops_site.running import up


class Command(BaseCommand):
    help = "Start the database, web server, worker and schedule, and stop them all with Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        up.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(up.run(argparse.Namespace(**options)))
