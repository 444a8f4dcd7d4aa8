"""One way to make each thing in a test, with explicit defaults."""

from typing import Any

from apps.accounts.models import ApiKey, Membership, Team, User, Workspace, new_secret
from apps.accounts.models.keys import hash_of
from apps.accounts.rights import Role
from apps.core import secrets
from apps.llm.models import Connection, Model
from apps.prompts.models import Environment, Prompt, Version

PASSWORD = "correct horse battery"


def make_workspace(slug: str = "acme", **fields: Any) -> Workspace:
    fields = {"name": slug.title(), "time_zone": "Europe/Lisbon", **fields}
    return Workspace.objects.create(slug=slug, **fields)


def make_user(name: str, **fields: Any) -> User:
    return User.objects.create_user(f"{name.lower()}@example.com", PASSWORD, name=name, **fields)


def make_member(workspace: Workspace, name: str, *roles: Role, **fields: Any) -> User:
    user = make_user(name)
    Membership.objects.create(workspace=workspace, user=user, roles=list(roles), **fields)
    return user


def make_team(workspace: Workspace, name: str = "Support", **fields: Any) -> Team:
    return Team.objects.create(workspace=workspace, name=name, **{"cost_centre": "CC-100", **fields})


def make_api_key(workspace: Workspace, *scopes: str, **fields: Any) -> tuple[ApiKey, str]:
    """Return the key and its secret."""
    secret = new_secret()
    fields = {"name": "app", **fields}
    key = ApiKey.objects.create(
        workspace=workspace, secret_hash=hash_of(secret), secret_end=secret[-4:], scopes=list(scopes), **fields
    )
    return key, secret


def make_connection(workspace: Workspace, base_url: str = "http://127.0.0.1:9/v1", **fields: Any) -> Connection:
    fields = {"name": "Practice", "kind": Connection.Kind.COMPATIBLE, "provider": "practice", **fields}
    key = fields.pop("key", "sk-practice-0001")
    return Connection.objects.create(
        workspace=workspace, base_url=base_url, encrypted_key=secrets.encrypt(key), key_end=key[-4:], **fields
    )


def make_model(connection: Connection, name: str = "practice-small", **fields: Any) -> Model:
    return Model.objects.create(workspace=connection.workspace, connection=connection, name=name, **fields)


def make_environments(workspace: Workspace) -> dict[str, Environment]:
    """Make dev, staging (open) and production (one approval of somebody else; no checks)."""
    strict = {"approvals": 1, "self_approval": False, "checks": []}
    loose = {"approvals": 0, "self_approval": True, "checks": []}
    rows = [("dev", loose), ("staging", loose), ("production", strict)]
    return {
        name: Environment.objects.create(workspace=workspace, name=name, rank=rank, policy=policy)
        for rank, (name, policy) in enumerate(rows)
    }


MESSAGES = [
    {"role": "system", "content": "You answer customers of a shop. Be brief."},
    {"role": "user", "content": "Reply to {{customer}}: {{message}}"},
]
VARIABLES = [
    {"name": "customer", "type": "string", "required": True, "default": None, "example": "Ines", "description": ""},
    {
        "name": "message",
        "type": "string",
        "required": True,
        "default": None,
        "example": "Where is it?",
        "description": "",
    },
]


def make_prompt(workspace: Workspace, name: str = "support/reply", **fields: Any) -> Prompt:
    return Prompt.objects.create(workspace=workspace, name=name, **fields)


def make_version(prompt: Prompt, author: User | None = None, **fields: Any) -> Version:
    """Make the prompt's next version as `save_version` would, without its audit event."""
    from apps.prompts import contents

    fields = {
        "messages": MESSAGES,
        "variables": VARIABLES,
        "model_config": {"model": "practice-small", "parameters": {}},
        "message": "as it was",
        **fields,
    }
    version = Version(prompt=prompt, number=prompt.versions.count() + 1, author=author, **fields)
    version.content_hash = contents.content_hash(version.content())
    version.save(force_insert=True)
    return version
