"""A desk seen from outside: who visits it, which processes it is made of, the Redis beside it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import redis

from llmops_site.running import local, ports, processes
from tests.journeys.desk import ROOT, Desk

CASES = 40
CSRF_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Visitor:
    """A person with a browser that keeps cookies."""

    def __init__(self, desk: Desk) -> None:
        self.web = httpx2.Client(base_url=desk.url, timeout=20, trust_env=False)

    def get(self, path: str) -> httpx2.Response:
        return self.web.get(path)

    def post(self, path: str, *, form_at: str, **values: object) -> httpx2.Response:
        """Send a form as the page that holds it would."""
        found = CSRF_FIELD.search(self.web.get(form_at).text)
        assert found, f"no form at {form_at}"
        return self.web.post(path, data={"csrfmiddlewaretoken": found[1], **values})

    def sign_in(self, email: str, password: str) -> httpx2.Response:
        return self.post("/accounts/login/", form_at="/accounts/login/", login=email, password=password)


@dataclass
class Floor:
    """A desk with a staged workspace: what its people do, and what a look behind it shows."""

    desk: Desk
    staged: dict[str, Any]
    paula: Visitor = field(init=False)

    def __post_init__(self) -> None:
        self.paula = Visitor(self.desk)
        answer = self.paula.sign_in(self.staged["people"]["paula"], self.staged["password"])
        assert answer.status_code == 302, f"{answer.status_code}\n{self.said('web')}"
        lines = [json.dumps({"customer": "Ines", "message": f"Where is parcel {n}?"}) for n in range(CASES - 6)]
        place = self.path(f"experiments/datasets/{self.value('SELECT id FROM experiments_dataset')}/import/")
        assert self.paula.post(place, form_at=place, content="\n".join(lines)).status_code == 302

    def path(self, rest: str) -> str:
        return f"/w/{self.staged['slug']}/{rest}"

    def value(self, question: str, *values: object) -> Any:
        """Ask the desk's database for one value."""
        with psycopg.connect(local.own_cluster(self.desk.var).url, connect_timeout=10) as connection:
            row = connection.execute(question, values).fetchone()
            return row[0] if row else None

    def start_run(self) -> int:
        """Start a run as Paula does, and return its number."""
        suite = self.value("SELECT id FROM experiments_suite")
        version = self.value("SELECT min(id) FROM prompts_version")
        page = self.path(f"experiments/suites/{suite}/")
        answer = self.paula.post(f"{page}runs/", form_at=page, candidate=version)
        assert answer.status_code == 302, self.said("web")
        return int(answer.headers["location"].strip("/").rpartition("/")[2])

    def answered(self, run: int) -> int:
        return int(self.value("SELECT count(*) FROM experiments_output WHERE run_id = %s AND state = 'done'", run))

    def state_of(self, run: int) -> str:
        return str(self.value("SELECT state FROM experiments_run WHERE id = %s", run))

    def finishes(self, run: int, seconds: float = 40) -> bool:
        return wait_for(lambda: self.state_of(run) not in {"queued", "running"}, seconds)

    def ask_api(self) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.staged['key']}"}
        address = f"{self.desk.url}/api/v1/prompts/support/reply?environment=production"
        return httpx2.get(address, headers=headers, timeout=20, trust_env=False)

    def practice(self, path: str, **knobs: object) -> dict[str, Any]:
        """Talk to the practice models: `/__stats`, or `/__config` with what to change."""
        port = (self.desk.var / "practice-port").read_text().strip()
        data = json.dumps(knobs).encode() if knobs else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return dict(json.load(answer))

    def doctor(self, *, code: int = 0) -> dict[str, dict[str, str]]:
        """Return what `manage.py doctor` finds, by name; it must end with the code."""
        command = [sys.executable, "manage.py", "doctor", "--json"]
        done = subprocess.run(command, cwd=ROOT, env=self.desk.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return {finding["name"]: finding for finding in json.loads(done.stdout)}

    def part(self, word: str) -> processes.Identity:
        """Return the part of the desk whose command line holds the word."""
        entries = json.loads((self.desk.var / "processes.json").read_text())
        found = [processes.Identity(**entry) for entry in entries if word in entry["command"]]
        assert len(found) == 1, f"{word}: {entries}"
        return found[0]

    def said(self, part: str) -> str:
        return (self.desk.var / "log" / f"{part}.log").read_text()


def family_of(pid: int) -> set[int]:
    """Return the process and everything that it started."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return family


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Return whether the condition came true in time; a connection that is refused meanwhile counts as not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except (OSError, psycopg.OperationalError, redis.ConnectionError, httpx2.TransportError):
            pass
        time.sleep(0.1)
    return False


class RedisServer:
    """A Redis on loopback that keeps nothing: when it dies, all that it held is lost."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = ports.any_free()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--dir", str(self.folder), "--daemonize", "no", "--loglevel", "warning"]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=processes.leash(signal.SIGKILL), start_new_session=True
            )
        assert wait_for(lambda: bool(self.database(0).ping())), (self.folder / "redis.log").read_text()

    def database(self, number: int) -> redis.Redis:
        return redis.Redis(host="127.0.0.1", port=self.port, db=number)

    def pushes(self) -> int:
        """Return how many messages were put into queues."""
        stats: Any = self.database(0).info("commandstats")
        return int(stats.get("cmdstat_lpush", {"calls": 0})["calls"])

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def has_redis() -> bool:
    return shutil.which("redis-server") is not None
