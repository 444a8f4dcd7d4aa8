"""What one machine keeps for itself under `var/`: secrets, the database, the lock of the running desk."""

import base64
import fcntl
import json
import os
import secrets
from collections.abc import MutableMapping
from pathlib import Path
from typing import IO

from llmops_site.postgres import Cluster

REPOSITORY = Path(__file__).resolve().parents[2]
GENERATED = ("SECRET_KEY", "ENCRYPTION_KEYS")


class AlreadyRunning(Exception):
    """Say where the desk that holds the lock answers."""


def var_folder(environ: MutableMapping[str, str] = os.environ) -> Path:
    return Path(environ.get("GALLEY_VAR") or REPOSITORY / "var").absolute()


def own_cluster(var: Path) -> Cluster:
    return Cluster(var / "postgres")


def is_given(name: str, environ: MutableMapping[str, str]) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def adopt(environ: MutableMapping[str, str] = os.environ) -> None:
    """Fill in what `up` keeps in `var/`, so that every other command works beside it; what is given stays."""
    var = var_folder(environ)
    for name, value in read_secrets(var / "secrets.env").items():
        if not is_given(name, environ):
            environ[name] = value
    if not is_given("DATABASE_URL", environ):
        url = own_cluster(var).known_url()
        if url:
            environ["DATABASE_URL"] = url
    if not is_given("PUBLIC_URL", environ):
        public_url = running_at(var)
        if public_url:
            environ["PUBLIC_URL"] = public_url
    practice = practice_address(var)
    if practice:
        environ["OUTBOUND_ALLOW"] = ",".join(filter(None, [environ.get("OUTBOUND_ALLOW", ""), practice]))


def practice_address(var: Path) -> str | None:
    """Return where the practice provider of the desk on this folder stands, as host:port, if it ever stood."""
    try:
        port = (var / "practice-port").read_text().strip()
    except OSError:
        return None
    return f"127.0.0.1:{port}" if port.isascii() and port.isdigit() else None


def keep_secrets(var: Path, environ: MutableMapping[str, str]) -> None:
    """Make the secrets that nobody gave, once, and put them into the environment."""
    path = var / "secrets.env"
    kept = read_secrets(path)
    missing = [name for name in GENERATED if name not in kept and not is_given(name, environ)]
    if missing:
        fresh = {name: _new_secret(name) for name in missing}
        kept |= fresh
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("# Made at the first start. Without ENCRYPTION_KEYS the stored provider keys cannot be read.\n")
            file.writelines(f"{name}={value}\n" for name, value in kept.items())
        part.rename(path)
    for name, value in kept.items():
        if not is_given(name, environ):
            environ[name] = value


def read_secrets(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = [line.strip() for line in path.read_text().splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _new_secret(name: str) -> str:
    # A Fernet key is 32 random bytes in URL-safe base64, padding included.
    return base64.urlsafe_b64encode(os.urandom(32)).decode() if name == "ENCRYPTION_KEYS" else secrets.token_urlsafe(48)


def take_lock(var: Path, url: str) -> IO[str]:
    """Hold `var/up.lock` while the file stays open; the kernel lets go of it however we end.

    Raises AlreadyRunning when another desk holds it.
    """
    file = (var / "up.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise AlreadyRunning(_who(file.read())) from None
    file.truncate(0)
    public_url = os.environ.get("PUBLIC_URL") or url
    file.write(json.dumps({"pid": os.getpid(), "url": url, "public_url": public_url}))
    file.flush()
    return file


def running_at(var: Path) -> str | None:
    """Return the address that people use of the desk that holds the lock; nothing when none runs."""
    path = var / "up.lock"
    try:
        with path.open() as file:
            holder = json.load(file)
            os.kill(holder["pid"], 0)
            # The number of a desk that ended may be another process's by now; the lock is not.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return str(holder.get("public_url") or holder["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def _who(text: str) -> str:
    try:
        holder = json.loads(text)
        return f"Galley already runs at {holder['url']} (pid {holder['pid']})."
    except (ValueError, KeyError):
        return "Galley is already starting or stopping here. Try again in a moment."
