"""`manage.py up` as a person meets it: one address, parts that come back, words instead of tracebacks, nothing left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops_site.running import local, parts, ports, processes, supervisor, up
from llmops_site.running.parts import Part
from llmops_site.running.supervisor import GaveUp, Stopped, Supervisor, Watch

ROOT = Path(__file__).resolve().parents[2]
OURS = {
    "DATABASE_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "PUBLIC_URL",
    "STREAM_URL",
    "ALLOWED_HOSTS",
}


class Desk:
    """A Galley of its own in a temporary folder."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.port = ports.any_free()
        self.output = var.with_suffix(".out")
        self.process = self.launch()

    def launch(
        self, *arguments: str, port: int | None = None, start_new_session: bool = False
    ) -> subprocess.Popen[bytes]:
        environ = {name: value for name, value in os.environ.items() if name not in OURS}
        environ |= {"GALLEY_VAR": str(self.var), "PORT": str(port or self.port), "HOST": "127.0.0.1"}
        environ["DJANGO_SETTINGS_MODULE"] = "llmops_site.settings"
        with self.output.open("ab") as out:
            command = [sys.executable, "manage.py", "up", *arguments]
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=environ,
                stdout=out,
                stderr=out,
                start_new_session=start_new_session,
                # A shell starts what runs in its background deaf to Ctrl-C, the tests among it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str, seconds: float = 60) -> bool:
        return processes.wait_until(lambda: text in self.said() or self.process.poll() is not None, seconds, step=0.1)

    def part(self, word: str) -> processes.Identity:
        entries = json.loads((self.var / "processes.json").read_text())
        found = [processes.Identity(**entry) for entry in entries if word in entry["command"]]
        assert len(found) == 1, f"{word}: {entries}"
        return found[0]

    def everybody(self) -> list[processes.Identity]:
        """Everything that descends from the process that we started."""
        parents = {int(stat.parent.name): parent_of(stat) for stat in Path("/proc").glob("[0-9]*/stat")}
        family = {self.process.pid}
        while grown := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= grown
        return [who for who in map(processes.identify, family - {self.process.pid}) if who]

    def workers(self) -> list[processes.Identity]:
        """The worker and, once it is up, the processes of its pool."""
        return [who for who in self.everybody() if "celery -A llmops_site worker --concurrency" in who.command]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


def parent_of(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def gone(everybody: list[processes.Identity], seconds: float = 20) -> bool:
    return processes.wait_until(lambda: not any(who.is_alive() for who in everybody), seconds)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="galley-desk-") as folder:
        Path(folder).chmod(0o711)  # as root, the database's user must pass through
        running = Desk(Path(folder) / "var")
        try:
            assert running.wait_for("Galley runs at"), running.said()
            yield running
        finally:
            running.end()


@pytest.mark.slow
def test_it_says_one_address_and_answers_there(desk: Desk) -> None:
    assert desk.said().count("http://") == 1, desk.said()
    with urllib.request.urlopen(f"http://127.0.0.1:{desk.port}/healthz", timeout=5) as answer:
        assert answer.status == 200


@pytest.mark.slow
def test_the_process_for_streams_is_up_beside_it_and_pages_may_speak_to_it_alone(desk: Desk) -> None:
    command = desk.part("llmops_site.asgi").command
    port = re.search(r"--port (\d+)", command)
    assert port is not None
    # The desk says that it runs when pages are there; streams may follow a moment later.
    assert processes.wait_until(lambda: answers(f"http://127.0.0.1:{port[1]}/healthz"), 30)
    with urllib.request.urlopen(f"http://127.0.0.1:{desk.port}/accounts/login/", timeout=10) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert re.search(r"connect-src ([^;]*)", policy)[1] == f"'self' http://127.0.0.1:{port[1]}"  # type: ignore[index]


def test_behind_a_proxy_streams_have_the_address_of_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STREAM_URL", "STREAM_PORT", "PRACTICE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PUBLIC_URL", "https://galley.example")
    up.stream_part(up.Choices("127.0.0.1", ports.any_free(), demo=False, practice=False, var=tmp_path))
    assert "STREAM_URL" not in os.environ


def test_streams_leave_the_practice_models_their_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAM_URL", raising=False)
    port = ports.any_free()
    choices = up.Choices("127.0.0.1", port, demo=False, practice=True, var=tmp_path)
    monkeypatch.setenv("PUBLIC_URL", choices.url)
    monkeypatch.setenv("PRACTICE_URL", f"http://127.0.0.1:{ports.next_free('127.0.0.1', port + 1)}")
    up.stream_part(choices)
    assert os.environ.pop("STREAM_URL") not in {os.environ["PRACTICE_URL"], choices.url}


@pytest.mark.slow
def test_it_listens_on_loopback_alone(desk: Desk) -> None:
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    places = {line[1].rpartition(":")[0] for line in lines if line[1].endswith(f":{desk.port:04X}") and line[3] == "0A"}
    assert places == {"0100007F"}


@pytest.mark.slow
def test_a_second_desk_is_refused_in_words(desk: Desk) -> None:
    second = desk.launch(port=ports.any_free())
    assert second.wait(30) == 1
    assert f"Galley already runs at http://127.0.0.1:{desk.port} (pid {desk.process.pid})." in desk.said()


@pytest.mark.slow
def test_a_killed_worker_is_started_again_and_that_is_said(desk: Desk) -> None:
    before = desk.part("celery -A llmops_site worker --concurrency")
    os.kill(before.pid, signal.SIGKILL)
    assert desk.wait_for("worker stopped (killed by signal 9); starting it again.", 10)
    assert processes.wait_until(lambda: desk.part("celery -A llmops_site worker --concurrency") != before, 10)


@pytest.mark.slow
def test_a_killed_database_comes_back_with_its_data(desk: Desk) -> None:
    before = desk.part("bin/postgres")
    os.kill(before.pid, signal.SIGKILL)
    assert desk.wait_for("database stopped (killed by signal 9); starting it again.", 10)
    assert processes.wait_until(lambda: local.own_cluster(desk.var).is_ready(desk.part("bin/postgres").pid), 20)


@pytest.mark.slow
def test_killing_it_hard_leaves_nothing_behind_and_the_next_start_works(desk: Desk) -> None:
    assert processes.wait_until(lambda: len(desk.workers()) > 2, 20)
    everybody = desk.everybody()
    desk.process.kill()
    desk.process.wait()
    assert gone(everybody), [who for who in everybody if who.is_alive()]
    desk.output.write_text("")
    desk.process = desk.launch()
    assert desk.wait_for("Galley runs at"), desk.said()
    assert desk.process.poll() is None, desk.said()


@pytest.mark.slow
def test_ctrl_c_ends_every_process(desk: Desk) -> None:
    assert processes.wait_until(lambda: len(desk.workers()) > 2, 20)
    everybody = desk.everybody()
    desk.process.send_signal(signal.SIGINT)
    assert desk.process.wait(40) == 0
    assert desk.said().rstrip().endswith("Galley has stopped.")
    assert gone(everybody, 0), [who for who in everybody if who.is_alive()]


def unstarted(folder: Path, port: int) -> Desk:
    """A desk that the test launches itself."""
    running = Desk.__new__(Desk)
    running.var, running.port, running.output = folder / "var", port, folder / "out"
    return running


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.03, 0.06, 0.1, 0.15])
def test_ctrl_c_in_the_first_moments_ends_it_without_a_traceback(tmp_path: Path, seconds: float) -> None:
    running = unstarted(tmp_path, ports.any_free())
    process = running.launch(start_new_session=True)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    code, said = process.wait(20), running.said()
    # Ended by the signal, or in order when it had already begun to start things. On a busy machine the interpreter may
    # not have reached the line of ours that asks for silence; then it answers in its own way.
    is_ours = ("manage.py" in said or "llmops_site" in said) and "import signal" not in said
    assert code in {-signal.SIGINT, 0} or not is_ours
    assert "Traceback" not in said or not is_ours


@pytest.mark.slow
def test_ctrl_c_while_the_database_is_made_is_no_error() -> None:
    with tempfile.TemporaryDirectory(prefix="galley-desk-") as folder:
        Path(folder).chmod(0o711)
        running = unstarted(Path(folder), ports.any_free())
        process = running.launch(start_new_session=True)
        assert processes.wait_until((running.var / "postgres/data.new").exists, 20)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
        assert running.said() == "Galley is starting…\nStopping…\nGalley has stopped.\n"


@pytest.mark.slow
def test_a_port_in_use_is_told_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = unstarted(tmp_path, port)
        assert running.launch("--demo").wait(30) == 1
    said = running.said()
    assert re.search(rf"^Port {port} is taken by .*\(pid {os.getpid()}\)\. .*PORT=\d+ make demo$", said, re.MULTILINE)
    assert "Traceback" not in said


def test_a_port_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PORT", "http")
    assert up.main([]) == 1
    assert capsys.readouterr().err == "PORT=http is not a number. Choose one from 1024 to 65535.\n"


def test_a_port_out_of_range_is_told() -> None:
    with pytest.raises(ports.PortError, match="70000 is not a port"):
        ports.check("127.0.0.1", 70000)


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(up.CannotStart, match=r"^Only \d+ MB are free on the disk that holds .*; Galley wants"):
        up.check_room(tmp_path, wanted=10**18)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(up.CannotStart, match="Point GALLEY_VAR at a folder of yours"):
        up.check_room(tmp_path / "file" / "var")


def test_listening_everywhere_still_names_an_address_that_opens(tmp_path: Path) -> None:
    assert up.Choices("0.0.0.0", 8000, demo=False, practice=True, var=tmp_path).url == "http://127.0.0.1:8000"


def test_the_people_of_the_demo_stand_in_columns() -> None:
    printed = 'loading\n[{"name": "Paula", "email": "p@x.org"}, {"name": "Al", "email": "a@x.org"}]\n'
    assert up.people_lines(printed) == ["  Paula  p@x.org", "  Al     a@x.org"]


def shell(script: str, **options: object) -> Part:
    return Part("helper", ["/bin/sh", "-c", script], **options)  # type: ignore[arg-type]


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.01)
    watching = Supervisor(tmp_path, (tmp_path / "console").open("w+"))
    yield watching
    watching.stop()


def said_by(watching: Supervisor) -> str:
    watching.console.seek(0)
    return watching.console.read()


def test_a_part_that_keeps_crashing_ends_the_desk_and_names_its_log(quick: Supervisor) -> None:
    quick.add(shell("exit 3"))
    with pytest.raises(
        GaveUp, match=r"^helper stopped 5 times within a minute \(exit code 3\)\. .*helper\.log tells why"
    ):
        quick.run()
    assert said_by(quick).count("helper stopped (exit code 3); starting it again.") == 4


def test_pauses_grow_and_old_crashes_are_forgotten() -> None:
    watch = Watch(shell("true"))
    assert [watch.note_crash(now) for now in (0, 1, 2, 3)] == [0.5, 1.0, 2.0, 4.0]
    assert watch.note_crash(100) == 0.5


def test_what_a_part_says_is_in_its_log_and_only_alarms_reach_the_console(quick: Supervisor) -> None:
    quick.add(shell("echo all is well; echo FATAL: no memory; sleep 30"))
    assert quick.until(lambda: "FATAL" in said_by(quick), 5)
    assert said_by(quick) == "  helper | FATAL: no memory\n"
    assert (quick.logs / "helper.log").read_text() == "all is well\nFATAL: no memory\n"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"event": "claimed", "level": "info"}', None),
        ('{"event": "provider is down", "level": "error"}', "provider is down"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("{half a line of JSON", None),
    ],
)
def test_the_console_shows_alarms_as_sentences(line: str, shown: str | None) -> None:
    assert parts.loud(line) == shown


def test_a_part_that_ignores_the_request_is_killed(quick: Supervisor) -> None:
    watch = quick.add(shell("trap '' TERM; echo ready; while :; do sleep 1; done", stop_seconds=0.2))
    assert quick.until(lambda: (quick.logs / "helper.log").read_text() == "ready\n", 5)
    assert watch.child is not None
    process = watch.child.process
    quick.stop()
    assert process.returncode == -signal.SIGKILL


def test_what_a_crashed_part_left_of_its_group_is_ended(quick: Supervisor) -> None:
    quick.add(shell("sleep 300 & echo $!; kill -9 $$"))
    assert quick.until(lambda: "killed by signal 9" in said_by(quick), 5)
    orphan = int((quick.logs / "helper.log").read_text().split()[0])
    assert processes.wait_until(lambda: processes.identify(orphan) is None, 5)


def test_a_request_to_stop_interrupts_a_step_that_runs(quick: Supervisor) -> None:
    quick.stopping = True
    with pytest.raises(Stopped):
        quick.run_once(shell("sleep 300"))


def test_a_step_that_fails_shows_its_last_words(quick: Supervisor) -> None:
    with pytest.raises(GaveUp, match=r"(?s)helper failed \(exit code 2\)\. .*no such table"):
        quick.run_once(shell("echo no such table; exit 2"))


def test_the_sweep_ends_only_a_process_that_is_still_the_one_recorded(tmp_path: Path) -> None:
    ours = subprocess.Popen(["sleep", "300"], start_new_session=True)
    other = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        time.sleep(0.1)  # until both have become `sleep`
        known, stranger = processes.identify(ours.pid), processes.identify(other.pid)
        assert known is not None
        assert stranger is not None
        entries = [vars(known), {**vars(stranger), "started": "1"}]
        (tmp_path / "processes.json").write_text(json.dumps(entries))
        # A corpse counts as gone, so the sweep does not wait for us to collect it.
        assert supervisor.sweep(tmp_path) == [known]
        assert ours.wait(5) == -signal.SIGTERM
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
