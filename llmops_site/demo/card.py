"""`var/demo.json`: who can sign in, and the secrets of the keys, which are kept nowhere else."""

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.accounts import actions
from apps.accounts.models import ApiKey
from apps.accounts.models.keys import hash_of
from llmops_site.demo import people
from llmops_site.demo.content.prompts import REPLY
from llmops_site.demo.people import HANDED_OUT, PEOPLE, PROGRAMS, Cast

MODE = 0o600


def path() -> Path:
    return Path(settings.GALLEY_VAR) / "demo.json"


def renew(cast: Cast, url: str) -> bool:
    """Bring the card up to date: what it says of keys stays if it works, else new ones are made. Tell if it changed."""
    before = _read()
    for short in HANDED_OUT:
        if short not in cast.secrets:
            _find_or_make(cast, short, _secret_in(before, short))
    card = _card(cast, url or str(before.get("url") or settings.PUBLIC_URL))
    if card == before and path().stat().st_mode & 0o777 == MODE:
        return False
    _write(card)
    return True


def _find_or_make(cast: Cast, short: str, secret: str) -> None:
    """Take the key that the card names, or withdraw what nobody has the secret of and make another."""
    mine = ApiKey.objects.usable(timezone.now()).filter(workspace=cast.workspace, name=PROGRAMS[short].name)
    key = mine.filter(secret_hash=hash_of(secret)).first() if secret else None
    if key is not None:
        cast.keys[short], cast.secrets[short] = key, secret
        return
    for lost in mine:
        actions.revoke_api_key(api_key=lost, acting_user=cast.users["olga"])
    people.make_key(cast, short)


def _card(cast: Cast, url: str) -> dict[str, Any]:
    return {
        "url": url,
        "workspace": cast.workspace.slug,
        "prompt": REPLY.name,
        "people": {
            short: {"email": person.email, "password": people.PASSWORD, "roles": list(map(str, person.roles))}
            for short, person in PEOPLE.items()
        },
        "api_keys": {short: cast.secrets[short] for short in HANDED_OUT if short != "langfuse"},
        "langfuse": {"public_key": cast.keys["langfuse"].public_id, "secret_key": cast.secrets["langfuse"]},
    }


def _secret_in(card: dict[str, Any], short: str) -> str:
    section, name = ("langfuse", "secret_key") if short == "langfuse" else ("api_keys", short)
    found = card.get(section)
    return str(found.get(name) or "") if isinstance(found, dict) else ""


def _read() -> dict[str, Any]:
    try:
        card = json.loads(path().read_text())
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _write(card: dict[str, Any]) -> None:
    """Write the card so that nobody else can read it, not even for a moment, and nobody ever sees half of it."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w") as file:
        json.dump(card, file, indent=2)
        file.write("\n")
    part.replace(target)
