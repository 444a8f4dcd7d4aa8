"""`manage.py practice_provider`: serve a model provider to practise on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.llm.practice_provider import cli


class Command(BaseCommand):
    """Serve the practice provider until interrupted."""

    help = "Serve a local model provider that speaks the OpenAI and Anthropic wire formats."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the provider's own flags."""
        cli.add_flags(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve; raise CommandError for an unfit flag or address."""
        try:
            cli.run(options)
        except ValueError as error:
            raise CommandError(str(error)) from error
