"""Load the demo workspace, once, and say who can sign in."""

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.rights import Role
from apps.core.errors import DomainError
from llmops_site.demo import loading
from llmops_site.demo.people import PASSWORD, PEOPLE

DEFAULT_PORT = 9100


class Command(BaseCommand):
    help = "Load the demo workspace where it is absent, and write var/demo.json. A second time changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="", help="where the desk answers, for demo.json (PUBLIC_URL)")
        parser.add_argument("--provider-url", default="", help="where the practice provider answers (PRACTICE_URL)")
        parser.add_argument("--json", action="store_true", help="print the people as one line of JSON")
        parser.add_argument("--force", action="store_true", help="load it beside the workspaces of other people too")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            loaded = loading.load(
                url=options["url"],
                provider_url=options["provider_url"] or provider_url(),
                force=options["force"],
                say=self.stderr.write,
            )
        except DomainError as refusal:
            raise CommandError(refusal.message) from None
        for part, seconds in loaded.seconds.items():
            self.stderr.write(f"{part}: {seconds} s")
        if options["json"]:
            self.stdout.write(json.dumps(people()))
            return
        state = "is loaded" if loaded.is_new else "is there"
        self.stdout.write(f"The workspace {loaded.cast.workspace.slug} {state}. Everybody's password: {PASSWORD}")
        for person in people():
            self.stdout.write(f"  {person['email']:<28} {person['roles']}")


def people() -> list[dict[str, str]]:
    """Return a line for each person: what they are called, how they sign in, and as what."""
    return [
        {
            "name": person.name,
            "email": person.email,
            "password": PASSWORD,
            "roles": ", ".join(Role(role).label for role in person.roles),
        }
        for person in PEOPLE.values()
    ]


def provider_url() -> str:
    """Return where `up` started the practice provider, or where it listens when it is started by hand."""
    if given := os.environ.get("PRACTICE_URL"):
        return given
    kept = Path(settings.GALLEY_VAR) / "practice-port"
    port = kept.read_text().strip() if kept.exists() else DEFAULT_PORT
    return f"http://127.0.0.1:{port}"
