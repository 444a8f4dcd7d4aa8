"""`manage.py doctor`: look at everything that Galley stands on, and say in plain words what is missing."""

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from apps.core import outgoing
from apps.core.errors import DomainError
from apps.llm.models import Connection

OLDEST_POSTGRES = 16
CLOCK_TOLERANCE = 2.0
BEAT_SILENCE = 600.0
ROOM_WANTED = 500 * 1024 * 1024
CONNECT_SECONDS = 3.0
PING_SECONDS = 2.0


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"

    @property
    def sign(self) -> str:
        return {"ok": "✓", "warning": "!", "problem": "✗"}[self.value]


@dataclass(frozen=True)
class Finding:
    """What one check saw, and what to do about it."""

    name: str
    level: Level
    sentence: str
    remedy: str = ""


Check = Callable[[], Iterator[Finding]]


def ok(name: str, sentence: str) -> Finding:
    return Finding(name, Level.OK, sentence)


def warning(name: str, sentence: str, remedy: str) -> Finding:
    return Finding(name, Level.WARNING, sentence, remedy)


def problem(name: str, sentence: str, remedy: str) -> Finding:
    return Finding(name, Level.PROBLEM, sentence, remedy)


def masked(url: str) -> str:
    """Return the address without its password."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}:…@{place}").geturl()


def check_database() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')")
        version, encoding = cursor.fetchone()
    if version < OLDEST_POSTGRES:
        yield problem(
            "database", f"The database is PostgreSQL {version}.", f"Move to PostgreSQL {OLDEST_POSTGRES} or newer."
        )
    elif encoding != "UTF8":
        yield problem(
            "database",
            f"The database stores text as {encoding}.",
            "Create it again with ENCODING 'UTF8' and reload it.",
        )
    else:
        yield ok("database", f"PostgreSQL {version} answers.")


def check_migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if waiting:
        yield problem("migrations", f"{waiting} migrations are not applied.", "Run manage.py migrate.")
    else:
        yield ok("migrations", "The tables are as the code expects them.")


def check_clock() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        apart = abs(float(cursor.fetchone()[0]) - (before + time.time()) / 2)
    if apart > CLOCK_TOLERANCE:
        yield warning(
            "clock",
            f"The database's clock is {apart:.0f} seconds away from ours.",
            "Turn on time synchronisation (NTP) on both machines.",
        )
    else:
        yield ok("clock", "The database's clock and ours agree.")


def check_cache() -> Iterator[Finding]:
    cache.set("galley-doctor", "well", 30)
    if cache.get("galley-doctor") == "well":
        yield ok("cache", "The cache keeps what it is given.")
    else:
        yield problem("cache", "The cache forgets what it is given.", "Check CACHE_URL and the memory of that server.")


def check_broker() -> Iterator[Finding]:
    url = settings.CELERY_BROKER_URL
    if url.startswith("filesystem"):
        folder = Path(str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"]))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            waiting = sum(1 for _ in folder.glob("*.msg"))
        yield ok("broker", f"The queue is kept in {folder}; {waiting} messages wait.")
        return
    _reach_broker()
    yield ok("broker", f"The broker at {masked(url)} answers.")


def check_workers() -> Iterator[Finding]:
    from llmops_site.celery import CLOCK, app

    _reach_broker()
    replies = app.control.inspect(timeout=PING_SECONDS).active_queues()
    served = {queue["name"] for queues in (replies or {}).values() for queue in queues}
    if replies and CLOCK not in served:
        yield problem(
            "workers",
            "No worker serves the queue of the clock, so no promotion that is due goes live.",
            f"Start one: celery -A llmops_site worker --queues {CLOCK} --hostname clock@%h (manage.py up does).",
        )
    elif replies:
        yield ok("workers", f"{len(replies)} workers answer." if len(replies) > 1 else "1 worker answers.")
    else:
        yield problem(
            "workers",
            "No worker answers, so nothing slow gets done.",
            "Start one: celery -A llmops_site worker (manage.py up does).",
        )


def _reach_broker() -> None:
    from llmops_site.celery import app

    with app.connection_for_write() as link:
        link.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)


def check_schedule() -> Iterator[Finding]:
    times = [path.stat().st_mtime for path in Path(settings.GALLEY_VAR).glob("beat-schedule*")]
    if not times:
        yield ok("schedule", "No schedule runs from this folder; one machine of the installation must run it.")
    elif time.time() - max(times) > BEAT_SILENCE:
        yield warning(
            "schedule",
            f"The schedule was last written down {(time.time() - max(times)) / 60:.0f} minutes ago.",
            "Start it: celery -A llmops_site beat (manage.py up does).",
        )
    else:
        yield ok("schedule", "The schedule runs.")


def check_stream() -> Iterator[Finding]:
    url = settings.STREAM_URL
    if not url:
        yield ok("streams", "Streams are expected where the pages are: a proxy sends on what begins with /stream/.")
        return
    parts = urlsplit(url)
    if parts.hostname != urlsplit(settings.PUBLIC_URL).hostname:
        yield warning(
            "streams",
            f"STREAM_URL is on another host than {settings.PUBLIC_URL}, so browsers do not send it who is signed in.",
            "Give it the host of PUBLIC_URL with another port, or leave it empty behind a proxy.",
        )
        return
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with closing(socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS)):
            yield ok("streams", f"{url} takes connections.")
    except OSError as error:
        yield warning(
            "streams",
            f"{url} cannot be reached ({error.strerror or error}), so answers come whole instead of word by word.",
            "Start it: granian --interface asginl llmops_site.asgi:application (manage.py up does).",
        )


def check_secret_key() -> Iterator[Finding]:
    if settings.SECRET_KEY.startswith("insecure-") or len(settings.SECRET_KEY) < 32:
        yield problem(
            "secret key",
            "SECRET_KEY is the one for development, or short: sessions could be forged.",
            "Set SECRET_KEY to the output of: openssl rand -hex 32",
        )
    else:
        yield ok("secret key", "SECRET_KEY is set.")
    if settings.DEBUG:
        yield warning("debug", "DEBUG is on: error pages show internals.", "Unset DEBUG where others reach Galley.")


def check_encryption_keys() -> Iterator[Finding]:
    remedy = "Set ENCRYPTION_KEYS to the keys that were in use, newest first (var/secrets.env or your backup)."
    if not settings.ENCRYPTION_KEYS:
        yield problem("encryption", "ENCRYPTION_KEYS is not set, so provider keys cannot be stored.", remedy)
        return
    try:
        for key in settings.ENCRYPTION_KEYS:
            Fernet(key)
    except ValueError:
        yield problem("encryption", "ENCRYPTION_KEYS holds something that is not a Fernet key.", remedy)
        return
    closed = [entry.name for entry in Connection.objects.live().order_by("name") if not _opens(entry)]
    if closed:
        yield problem("encryption", f"The stored keys of {', '.join(closed)} cannot be decrypted.", remedy)
    else:
        yield ok("encryption", "ENCRYPTION_KEYS opens every stored provider key.")


def _opens(entry: Connection) -> bool:
    try:
        entry.key()
    except DomainError:
        return False
    return True


def check_disk() -> Iterator[Finding]:
    folder = Path(settings.GALLEY_VAR)
    free = shutil.disk_usage(folder if folder.exists() else folder.parent).free
    if free < ROOM_WANTED:
        yield warning("disk", f"Only {free // 2**20} MB are free for {folder}.", "Free some space, or move GALLEY_VAR.")
    else:
        yield ok("disk", f"{free / 2**30:.1f} GB are free for {folder}.")


def check_providers() -> Iterator[Finding]:
    entries = list(Connection.objects.live().order_by("name", "pk"))
    if not entries:
        yield warning(
            "providers", "No provider is connected, so no prompt can be tried.", "Add one under Settings, Connections."
        )
    for entry in entries:
        name = f"provider {entry.name}"
        parts = urlsplit(entry.base_url)
        try:
            outgoing.check_url(entry.base_url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            with closing(socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS)):
                yield ok(name, f"{parts.hostname}:{port} takes connections.")
        except DomainError as refusal:
            yield warning(name, str(refusal), "Correct the address under Settings, Connections.")
        except OSError as error:
            yield warning(
                name,
                f"{parts.hostname} cannot be reached ({error.strerror or error}).",
                "Check the address under Settings, Connections, and this machine's way out.",
            )


def check_static() -> Iterator[Finding]:
    if settings.STATIC_ROOT.exists() and not (settings.STATIC_ROOT / "staticfiles.json").exists():
        yield problem(
            "static files",
            f"{settings.STATIC_ROOT} is there but incomplete, so pages cannot find their styles.",
            "Run manage.py collectstatic, or remove that folder.",
        )
    else:
        yield ok("static files", "Styles and scripts are in place.")


def check_email() -> Iterator[Finding]:
    if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        yield warning(
            "e-mail", "E-mail is only printed into the log.", "Set EMAIL_URL=smtp://… to send invitations and notices."
        )
        return
    host, port = settings.EMAIL_HOST, settings.EMAIL_PORT
    try:
        with closing(socket.create_connection((host, port), timeout=CONNECT_SECONDS)):
            yield ok("e-mail", f"The mail server {host}:{port} takes connections.")
    except OSError as error:
        yield warning("e-mail", f"The mail server {host}:{port} cannot be reached ({error}).", "Check EMAIL_URL.")


CHECKS: list[tuple[str, Check, str]] = [
    ("database", check_database, "Start it, or correct DATABASE_URL."),
    ("migrations", check_migrations, "Run manage.py migrate."),
    ("clock", check_clock, "Start the database, or correct DATABASE_URL."),
    ("cache", check_cache, "Run manage.py createcachetable, or correct CACHE_URL."),
    ("broker", check_broker, "Start it, or correct CELERY_BROKER_URL."),
    ("workers", check_workers, "Start the broker, or correct CELERY_BROKER_URL."),
    ("schedule", check_schedule, "Check the rights of GALLEY_VAR."),
    ("streams", check_stream, "Correct STREAM_URL."),
    ("secret key", check_secret_key, "Set SECRET_KEY."),
    ("encryption", check_encryption_keys, "Check ENCRYPTION_KEYS, and that migrations are applied."),
    ("disk", check_disk, "Check GALLEY_VAR."),
    ("providers", check_providers, "Check that migrations are applied."),
    ("static files", check_static, "Run manage.py collectstatic."),
    ("e-mail", check_email, "Check EMAIL_URL."),
]


# Without the database these would all say the same again.
NEEDS_DATABASE = {"migrations", "clock", "encryption", "providers"}


def examine(checks: list[tuple[str, Check, str]] | None = None) -> list[Finding]:
    """Run every check; one that breaks is a finding like the others."""
    findings: list[Finding] = []
    for name, check, remedy in CHECKS if checks is None else checks:
        if name in NEEDS_DATABASE and any(seen.name == "database" and seen.level == Level.PROBLEM for seen in findings):
            continue
        try:
            findings += check()
        except Exception as error:  # noqa: BLE001  (whatever it is, the other checks still help)
            findings.append(problem(name, f"This check failed: {_short(error)}", remedy))
    return findings


def _short(error: Exception) -> str:
    """Return the first line of an error without the secrets that drivers like to quote."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    secrets = [settings.SECRET_KEY, *settings.ENCRYPTION_KEYS, str(settings.DATABASES["default"].get("PASSWORD") or "")]
    secrets += [urlsplit(settings.CELERY_BROKER_URL).password or ""]
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    kind = "" if isinstance(error, DatabaseError | OSError) else f"{type(error).__name__}: "
    return f"{kind}{text}"[:300]
