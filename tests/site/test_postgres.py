"""The PostgreSQL of our own: made once, started fast, kept apart, and plain about what is wrong."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from llmops_site import postgres
from llmops_site.postgres import Cluster, PostgresError
from llmops_site.running import processes


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgres.throwaway() as running:
        yield running


@pytest.fixture
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that was made, below a folder that another user may enter."""
    with postgres.throwaway() as made:
        made.stop()
        yield made
        made.stop()


def ask(cluster: Cluster, question: str) -> object:
    with psycopg.connect(cluster.url, connect_timeout=5) as connection:
        row = connection.execute(question).fetchone()
        return row[0] if row else None


def test_a_throwaway_server_answers_and_is_gone_with_its_folder_afterwards() -> None:
    with postgres.throwaway() as running:
        assert ask(running, "SELECT 1") == 1
        process, home = running.process, running.home
    assert process is not None
    assert processes.identify(process.pid) is None
    assert not home.exists()


def test_text_is_utf8_sorted_by_code_point_and_folded_beyond_ascii(cluster: Cluster) -> None:
    assert ask(cluster, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
    assert ask(cluster, "SELECT lower('ÉCOLE')") == "école"
    assert ask(cluster, "SELECT to_tsvector('simple', 'ÉCOLE') @@ to_tsquery('simple', 'école')") is True


def test_the_locale_of_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.nonsense")
    with postgres.throwaway() as running:
        assert ask(running, "SHOW server_encoding") == "UTF8"


def test_vectors_are_there_for_later(cluster: Cluster) -> None:
    assert ask(cluster, "SELECT '[1,2]'::vector::text") == "[1,2]"


def test_nothing_listens_on_the_network(cluster: Cluster) -> None:
    assert ask(cluster, "SHOW listen_addresses") == ""


def test_only_the_owner_enters_the_folders_of_data_and_socket(cluster: Cluster) -> None:
    for folder in (cluster.data, cluster.socket_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((cluster.home / "password").stat().st_mode) == 0o600


def test_a_wrong_password_is_refused(cluster: Cluster) -> None:
    password = (cluster.home / "password").read_text().strip()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(cluster.url.replace(password, "guess"), connect_timeout=5)


def test_the_superuser_cannot_sign_in(cluster: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(cluster.url.replace("//galley:", "//postgres:"), connect_timeout=5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_as_root_the_server_runs_as_somebody_else(cluster: Cluster) -> None:
    assert cluster.process is not None
    assert Path(f"/proc/{cluster.process.pid}").stat().st_uid != 0


def test_data_outlives_a_restart(stopped: Cluster) -> None:
    stopped.start()
    with psycopg.connect(stopped.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    stopped.stop()
    stopped.start()
    assert ask(stopped, "SELECT answer FROM kept") == 42


def test_a_killed_server_is_no_obstacle_to_the_next_start(stopped: Cluster) -> None:
    stopped.start()
    assert stopped.process is not None
    stopped.process.kill()
    stopped.process.wait()
    assert (stopped.data / "postmaster.pid").exists()
    stopped.start()
    assert ask(stopped, "SELECT 1") == 1


def test_a_server_that_runs_already_is_recognised(cluster: Cluster) -> None:
    assert cluster.process is not None
    with pytest.raises(PostgresError, match=f"already runs on .* \\(pid {cluster.process.pid}\\)"):
        Cluster(cluster.directory).prepare()


def test_data_of_another_version_names_the_remedy(stopped: Cluster) -> None:
    (stopped.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(
        PostgresError, match=r"written by PostgreSQL 15; this is PostgreSQL 18\. Export it with pg_dump"
    ):
        stopped.prepare()


def test_a_lost_password_is_told_before_anything_starts(stopped: Cluster) -> None:
    (stopped.home / "password").unlink()
    with pytest.raises(PostgresError, match="from your backup"):
        stopped.prepare()


def test_an_interrupted_first_start_leaves_no_half_made_data(stopped: Cluster) -> None:
    stopped.data.rename(stopped.home / "data.new")
    (stopped.home / "data.new" / "PG_VERSION").unlink()
    stopped.start()
    assert ask(stopped, "SELECT 1") == 1


def test_a_path_too_long_for_a_socket_gets_a_short_one(cluster: Cluster) -> None:
    far = Cluster(Path("/var/lib") / ("deep" * 40))
    assert len(os.fsencode(far.socket_folder)) <= postgres.SOCKET_FOLDER_LIMIT


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_a_checkout_that_the_servers_user_cannot_enter_keeps_its_modes(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    cluster = Cluster(private / "postgres", throwaway=True)
    try:
        cluster.start()
        assert ask(cluster, "SELECT 1") == 1
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert str(cluster.home) in cluster.notes[0]
        assert Cluster(private / "postgres").known_url() == cluster.url
    finally:
        cluster.stop()
        subprocess.run(["rm", "-rf", str(cluster.home)], check=True)


def test_a_full_disk_is_told_in_words() -> None:
    said = postgres._in_words("initdb: error: could not write: No space left on device", Path("/data"))
    assert said.startswith("The disk that holds /data is full.")


def test_another_failure_is_quoted_shortly() -> None:
    said = postgres._in_words("creating directory\ninitdb: error: could not create it: Permission denied\n", Path("/d"))
    assert said == "PostgreSQL could not make its data in /d: initdb: error: could not create it: Permission denied"
