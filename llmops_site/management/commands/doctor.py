"""Say what Galley lacks on this machine."""

import dataclasses
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from llmops_site import doctor


class Command(BaseCommand):
    help = "Check the database, the queue, the secrets and the rest; exit with 1 when something is broken."
    # What the system checks would refuse is what we are here to explain.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = doctor.examine()
        if options["json"]:
            self.stdout.write(json.dumps([dataclasses.asdict(finding) for finding in findings], ensure_ascii=False))
        else:
            for finding in findings:
                self.stdout.write(f"{finding.level.sign} {finding.name}: {finding.sentence}")
                if finding.remedy:
                    self.stdout.write(f"    → {finding.remedy}")
        if any(finding.level == doctor.Level.PROBLEM for finding in findings):
            sys.exit(1)
