from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from apps.accounts import actions
from apps.accounts.rights import Role
from apps.core.errors import DomainError


class Command(BaseCommand):
    help = "Open a workspace and print the link with which its first admin joins."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="what people call it: “Acme”")
        parser.add_argument("--slug", required=True, help="its address: acme")
        parser.add_argument("--admin-email", required=True, help="who manages it")
        parser.add_argument("--time-zone", default="UTC", help="where its days end: Europe/Lisbon")
        parser.add_argument("--currency", default="USD")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                token = self._create(**options)
        except DomainError as error:
            raise CommandError(error.message) from None
        link = settings.PUBLIC_URL + reverse("join", kwargs={"token": token})
        self.stdout.write(f"{options['name']} is open. {options['admin_email']} joins it here within 7 days:\n{link}")

    def _create(self, *, name: str, slug: str, admin_email: str, time_zone: str, currency: str, **rest: Any) -> str:
        workspace = actions.create_workspace(
            name=name, slug=slug, time_zone=time_zone, currency=currency, acting_user=None
        )
        _, token = actions.invite_member(workspace=workspace, email=admin_email, roles=[Role.ADMIN], acting_user=None)
        return token
