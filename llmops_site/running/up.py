"""`manage.py up`: start the whole desk on this machine with one command, and end it with Ctrl-C.

It needs neither settings nor a database of its own, so it starts before Django does.
"""

import argparse
import contextlib
import dataclasses
import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops_site.postgres import PostgresError
from llmops_site.running import local, ports
from llmops_site.running.parts import Part
from llmops_site.running.supervisor import GaveUp, Stopped, Supervisor, sweep

ROOM_WANTED = 500 * 1024 * 1024
FIRST_START_SECONDS = 120.0
PRACTICE = "apps.llm.practice_provider"


class CannotStart(Exception):
    """Say why, and what to do."""


@dataclass(frozen=True)
class Choices:
    """What the command line and the environment ask for."""

    host: str
    port: int
    demo: bool
    practice: bool
    var: Path

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in {"", "0.0.0.0", "::"} else self.host  # noqa: S104  (compared, not bound)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=None, help="where to listen (PORT; default 8000)")
    parser.add_argument("--host", default=None, help="which address to listen on (HOST; default 127.0.0.1)")
    parser.add_argument("--demo", action="store_true", help="load the demo workspace and name the people in it")
    parser.add_argument("--no-practice-provider", action="store_true", help="do not start the practice models")


def choose(options: argparse.Namespace) -> Choices:
    """Combine the command line with the environment. Raises CannotStart."""
    port = options.port if options.port is not None else os.environ.get("PORT") or "8000"
    try:
        number = int(port)
    except ValueError:
        raise CannotStart(f"PORT={port} is not a number. Choose one from 1024 to 65535.") from None
    host = options.host or os.environ.get("HOST") or "127.0.0.1"
    return Choices(host, number, options.demo, not options.no_practice_provider, local.var_folder())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until somebody stops it; return the exit code."""
    parser = argparse.ArgumentParser(prog="manage.py up", description="Start Galley on this machine.")
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    try:
        choices = choose(options)
        check_room(choices.var)
        with local.take_lock(choices.var, choices.url):
            return _run_locked(choices)
    except (CannotStart, local.AlreadyRunning, ports.PortError, PostgresError, GaveUp) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1


def check_room(var: Path, wanted: int = ROOM_WANTED) -> None:
    """Make the folder and see that there is room in it. Raises CannotStart."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(var).free
    except OSError as error:
        raise CannotStart(
            f"Galley cannot write to {var} ({error.strerror}). Point GALLEY_VAR at a folder of yours."
        ) from None
    if free < wanted:
        raise CannotStart(
            f"Only {free // 2**20} MB are free on the disk that holds {var}; Galley wants {wanted // 2**20} MB. "
            "Free some space, or point GALLEY_VAR at another disk."
        )


def _run_locked(choices: Choices) -> int:
    supervisor = Supervisor(choices.var)
    left = sweep(choices.var)
    if left:
        supervisor.say(f"Ended {len(left)} processes that an earlier start had left behind.")
    ports.check(choices.host, choices.port, again="make demo" if choices.demo else "make up")
    local.keep_secrets(choices.var, os.environ)
    with supervisor.signals():
        try:
            start(supervisor, choices)
            supervisor.run()
        except Stopped:
            supervisor.say("Stopping…")
        finally:
            supervisor.stop()
    supervisor.say("Galley has stopped.")
    return 0


def start(supervisor: Supervisor, choices: Choices) -> None:
    """Start every part in order and say where the desk is. Raises Stopped, GaveUp and PostgresError."""
    supervisor.say("Galley is starting…")
    _describe_ourselves(choices)
    if choices.practice and _is_there(f"{PRACTICE}.__main__"):
        supervisor.add(practice_part(choices))
    if not local.is_given("DATABASE_URL", os.environ):
        _start_database(supervisor, choices)
    stream = stream_part(choices)
    # The web server loads its code meanwhile; nobody knows its address yet.
    supervisor.add(web_part(choices))
    supervisor.run_once(Part("prepare", _python("-m", "llmops_site.running.prepare")))
    supervisor.add(stream)
    supervisor.add(worker_part())
    supervisor.add(clock_part())
    supervisor.add(schedule_part(choices))
    people = load_demo(supervisor, choices) if choices.demo else []
    if not supervisor.until(lambda: answers(choices), FIRST_START_SECONDS):
        raise GaveUp(f"The web server does not answer. {supervisor.logs / 'web.log'} tells why.")
    supervisor.say("\n".join([f"Galley runs at {choices.url} (Ctrl-C stops it)", *people]))


def _describe_ourselves(choices: Choices) -> None:
    """Put into the environment of the parts what follows from where we listen."""
    os.environ["GALLEY_VAR"] = str(choices.var)
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.environ.setdefault("PUBLIC_URL", choices.url)
    # With a host that it never uses, the transport has nothing to warn about.
    os.environ.setdefault("CELERY_BROKER_URL", "filesystem://localhost")
    names = ["127.0.0.1", "localhost", "[::1]", socket.gethostname()]
    os.environ.setdefault("ALLOWED_HOSTS", ",".join(dict.fromkeys([*names, choices.host])))


def _start_database(supervisor: Supervisor, choices: Choices) -> None:
    cluster = local.own_cluster(choices.var)
    cluster.prepare()
    for note in cluster.notes:
        supervisor.say(note)
    part = Part(
        "database",
        cluster.command(),
        options=cluster.popen_options(),
        stop_signal=signal.SIGINT,
        stop_seconds=30.0,
        stops_last=True,
    )
    watch = supervisor.add(part)
    if not supervisor.until(lambda: watch.child is not None and cluster.is_ready(watch.child.process.pid), 60):
        raise GaveUp(f"The database did not start. {supervisor.logs / 'database.log'} tells why.")
    os.environ["DATABASE_URL"] = cluster.url


def practice_part(choices: Choices) -> Part:
    """The practice models, always on the same port, because the demo's connection names it."""
    kept = choices.var / "practice-port"
    port = int(kept.read_text()) if kept.exists() else 0
    if not port or not ports.is_free("127.0.0.1", port):
        port = ports.next_free("127.0.0.1", choices.port + 1)
        kept.write_text(str(port))
    os.environ["PRACTICE_URL"] = f"http://127.0.0.1:{port}"
    allowed = [os.environ.get("OUTBOUND_ALLOW", ""), f"127.0.0.1:{port}"]
    os.environ["OUTBOUND_ALLOW"] = ",".join(filter(None, allowed))
    return Part("models", _python("-m", PRACTICE, "--host", "127.0.0.1", "--port", str(port)))


def web_part(choices: Choices) -> Part:
    threads = os.environ.get("WEB_THREADS") or "8"
    command = _python("-m", "granian", "--interface", "wsgi", "--host", choices.host, "--port", str(choices.port))
    command += ["--blocking-threads", threads, "--no-ws", "--log-level", "warning", "llmops_site.wsgi:application"]
    # A thread that works holds one connection.
    return Part("web", command, {"DATABASE_POOL": os.environ.get("DATABASE_POOL") or threads})


def stream_part(choices: Choices) -> Part:
    """The process for what streams. Browsers reach it at its own port, unless a proxy stands before the desk."""
    port = _stream_port(choices)
    if not local.is_given("STREAM_URL", os.environ) and os.environ["PUBLIC_URL"] == choices.url:
        os.environ["STREAM_URL"] = dataclasses.replace(choices, port=port).url
    command = _python("-m", "granian", "--interface", "asginl", "--host", choices.host, "--port", str(port))
    command += ["--no-ws", "--log-level", "warning", "llmops_site.asgi:application"]
    # What is written while answers come is written by eight threads; a page that asks takes one more for a moment.
    return Part("stream", command, {"DATABASE_POOL": os.environ.get("DATABASE_POOL") or "12"})


def _stream_port(choices: Choices) -> int:
    if os.environ.get("STREAM_PORT"):
        return int(os.environ["STREAM_PORT"])
    port = ports.next_free(choices.host, choices.port + 1)
    # The practice models may be about to take theirs.
    practice = os.environ.get("PRACTICE_URL", "").rpartition(":")[2]
    return ports.next_free(choices.host, port + 1) if practice == str(port) else port


def worker_part() -> Part:
    command = _python("-m", "celery", "-A", "llmops_site", "worker", "--concurrency", "2", "--loglevel", "WARNING")
    command += ["--queues", "celery"]
    # Cut off, it ends its pool at once (SIGQUIT) instead of finishing: what was claimed is claimed again later.
    return Part("worker", [*command, "--without-gossip", "--without-mingle"], orphan_signal=signal.SIGQUIT)


def clock_part() -> Part:
    """The worker for what must happen at its moment: promotions that are due do not wait behind long runs."""
    command = _python("-m", "celery", "-A", "llmops_site", "worker", "--pool", "solo", "--loglevel", "WARNING")
    command += ["--queues", "clock", "--hostname", "clock@%h", "--without-gossip", "--without-mingle"]
    return Part("clock", command, orphan_signal=signal.SIGQUIT)


def schedule_part(choices: Choices) -> Part:
    command = _python("-m", "celery", "-A", "llmops_site", "beat", "--loglevel", "WARNING", "--pidfile=")
    return Part("schedule", [*command, "--schedule", str(choices.var / "beat-schedule")])


def load_demo(supervisor: Supervisor, choices: Choices) -> list[str]:
    """Load the demo workspace where it is absent; return one line per person who can sign in."""
    if not _is_there("llmops_site.management.commands.demo"):
        return ["This copy of Galley has no demo workspace."]
    manage = str(local.REPOSITORY / "manage.py")
    printed = supervisor.run_once(Part("demo", _python(manage, "demo", "--url", choices.url, "--json")))
    return people_lines(printed)


def people_lines(printed: str) -> list[str]:
    """Turn the JSON list of people into lines with columns; anything else around it is left out."""
    for line in reversed(printed.splitlines()):
        with contextlib.suppress(ValueError):
            people = json.loads(line)
            rows = [[str(value) for value in person.values()] for person in people]
            widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
            return ["  " + "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return []


def answers(choices: Choices) -> bool:
    """Return whether the web server serves."""
    address = choices.url.removeprefix("http://").rpartition(":")[0].strip("[]")
    connection = http.client.HTTPConnection(address, choices.port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
