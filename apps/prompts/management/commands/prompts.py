"""`manage.py prompts plan|apply FOLDER`: what a folder of exported prompts changes, and asking for it to go live."""

import io
import os
import zipfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import User, Workspace
from apps.core.errors import DomainError
from apps.prompts import actions, importing
from apps.prompts.importing.archives import MAX_ENTRIES, MAX_FILE, SUFFIXES
from apps.prompts.links import change_request_url
from apps.prompts.models import Environment


class Command(BaseCommand):
    """Ask for what a folder holds, for people who keep their prompts under version control."""

    help = "Show what a folder of prompts would change (plan), or open a change request for it (apply)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["plan", "apply"])
        parser.add_argument("folder", type=Path, help="a folder of exported YAML files")
        parser.add_argument("--workspace", required=True, help="the workspace's name in its address")
        parser.add_argument("--environment", default="production", help="where it should go live (production)")
        parser.add_argument("--as", dest="person", required=True, help="the e-mail address of who asks")
        parser.add_argument("--title", default="", help="what gets better; the folder's name when absent")
        parser.add_argument("--why", default="", help="the reason, for those who review")

    def handle(self, *args: Any, verb: str, folder: Path, person: str, title: str, why: str, **options: Any) -> None:
        """Print a line for each prompt. Raises CommandError, with nothing changed, for what cannot be applied whole."""
        try:
            plan = actions.apply_folder(
                batch=importing.read(f"{folder.name}.zip", packed(folder)),
                environment=_environment(options["workspace"], options["environment"]),
                title=title or f"What {folder.resolve().name} says",
                why=why,
                acting_user=_person(person),
                dry_run=verb == "plan",
            )
        except DomainError as error:
            raise CommandError(f"{error.message}\nNothing was changed.") from None
        for sentence in plan.sentences:
            self.stdout.write(sentence)
        if plan.request:
            url = settings.PUBLIC_URL + change_request_url(plan.request)
            self.stdout.write(f"Request #{plan.request.number} asks for {len(plan.changes)} of them: {url}")
        elif plan.changes:
            self.stdout.write(f"{len(plan.changes)} would change. `apply` opens a change request for them.")
        else:
            self.stdout.write("Nothing to change.")


def packed(folder: Path) -> bytes:
    """Return the folder's files as one archive, which has the limits of an import. Links and hidden files stay out.

    Raises CommandError when there is no such folder, or too much in it.
    """
    if not folder.is_dir():
        raise CommandError(f"There is no folder {folder}.")
    target = io.BytesIO()
    count = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for root, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(root) / name
                if name.startswith(".") or path.is_symlink() or path.suffix.lower() not in SUFFIXES:
                    continue
                count += 1
                if count > MAX_ENTRIES or path.stat().st_size > MAX_FILE:
                    raise CommandError(f"{path} is too much: up to {MAX_ENTRIES:,} files of 2 MB can be read.")
                archive.write(path, str(path.relative_to(folder)))
    if not count:
        raise CommandError(f"There is no prompt file in {folder}.")
    return target.getvalue()


def _environment(workspace: str, name: str) -> Environment:
    place = Environment.objects.filter(workspace__slug=workspace, name=name).select_related("workspace").first()
    if place is None:
        known = Workspace.objects.filter(slug=workspace).exists()
        raise CommandError(
            f"{workspace} has no environment {name}." if known else f"There is no workspace {workspace}."
        )
    return place


def _person(email: str) -> User:
    person = User.objects.filter(email__iexact=email).first()
    if person is None:
        raise CommandError(f"Nobody here has the address {email}.")
    return person
