"""What one machine keeps for itself, and what `.env.example` promises."""

import os
import re
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from llmops_site.running import local

ROOT = Path(__file__).resolve().parents[2]
# Read by the parts that start Galley, or by Compose alone.
ELSEWHERE = {
    "HOST",
    "PORT",
    "STREAM_PORT",
    "WEB_THREADS",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "GALLEY_TAG",
    "WORKER_PROCESSES",
}


def documented() -> set[str]:
    return set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def read_by_settings() -> set[str]:
    source = (ROOT / "llmops_site/settings.py").read_text()
    return set(re.findall(r'env\.(?:text|flag|number|listing)\("([A-Z_]+)"', source))


def test_every_variable_that_settings_read_is_documented() -> None:
    assert read_by_settings() - documented() == set()


def test_every_documented_variable_is_read() -> None:
    assert documented() - read_by_settings() == ELSEWHERE


def test_secrets_are_made_once_and_for_our_eyes_only(tmp_path: Path) -> None:
    first: dict[str, str] = {}
    second: dict[str, str] = {}
    local.keep_secrets(tmp_path, first)
    local.keep_secrets(tmp_path, second)
    assert first == second
    assert len(first["SECRET_KEY"]) >= 50
    assert Fernet(first["ENCRYPTION_KEYS"])
    assert stat.S_IMODE((tmp_path / "secrets.env").stat().st_mode) == 0o600


def test_a_secret_that_is_given_is_neither_replaced_nor_written_down(tmp_path: Path) -> None:
    environ = {"SECRET_KEY": "mine"}
    local.keep_secrets(tmp_path, environ)
    assert environ["SECRET_KEY"] == "mine"
    assert "SECRET_KEY" not in local.read_secrets(tmp_path / "secrets.env")


def test_other_commands_adopt_what_up_keeps(tmp_path: Path) -> None:
    kept: dict[str, str] = {}
    local.keep_secrets(tmp_path, kept)
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/password").write_text("known\n")
    environ = {"GALLEY_VAR": str(tmp_path), "ENCRYPTION_KEYS_FILE": "/run/secrets/keys"}
    local.adopt(environ)
    assert environ["SECRET_KEY"] == kept["SECRET_KEY"]
    assert "ENCRYPTION_KEYS" not in environ
    assert environ["DATABASE_URL"].startswith("postgresql://galley:known@/galley?host=")


def test_adopting_from_an_empty_folder_changes_nothing(tmp_path: Path) -> None:
    environ = {"GALLEY_VAR": str(tmp_path)}
    local.adopt(environ)
    assert environ == {"GALLEY_VAR": str(tmp_path)}


def test_the_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    with local.take_lock(tmp_path, "http://127.0.0.1:8000"), pytest.raises(local.AlreadyRunning) as refused:
        local.take_lock(tmp_path, "http://127.0.0.1:8001")
    assert re.fullmatch(r"Galley already runs at http://127\.0\.0\.1:8000 \(pid \d+\)\.", str(refused.value))


def test_a_stale_lock_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_text('{"pid": 1, "url": "http://127.0.0.1:8000"}')
    with local.take_lock(tmp_path, "http://127.0.0.1:8001") as held:
        held.seek(0)
        assert "8001" in held.read()


def test_commands_beside_a_running_desk_know_where_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUBLIC_URL", raising=False)
    environ = {"GALLEY_VAR": str(tmp_path)}
    with local.take_lock(tmp_path, "http://127.0.0.1:8123"):
        local.adopt(environ)
    assert environ["PUBLIC_URL"] == "http://127.0.0.1:8123"


def test_commands_take_the_public_address_that_the_desk_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://galley.example")
    with local.take_lock(tmp_path, "http://127.0.0.1:8123"):
        assert local.running_at(tmp_path) == "https://galley.example"


def test_a_public_address_that_is_given_stays(tmp_path: Path) -> None:
    environ = {"GALLEY_VAR": str(tmp_path), "PUBLIC_URL": "https://galley.example"}
    with local.take_lock(tmp_path, "http://127.0.0.1:8123"):
        local.adopt(environ)
    assert environ["PUBLIC_URL"] == "https://galley.example"


@pytest.mark.parametrize(("kept", "allowed"), [("9100\n", "example.com:1,127.0.0.1:9100"), ("x", "example.com:1")])
def test_commands_beside_a_desk_may_call_its_practice_provider(tmp_path: Path, kept: str, allowed: str) -> None:
    (tmp_path / "practice-port").write_text(kept)
    environ = {"GALLEY_VAR": str(tmp_path), "OUTBOUND_ALLOW": "example.com:1"}
    local.adopt(environ)
    assert environ["OUTBOUND_ALLOW"] == allowed


@pytest.mark.parametrize("pid", ["ours", "999999999", '"x"', "null"])
def test_the_address_of_a_desk_that_ended_is_not_used(tmp_path: Path, pid: str) -> None:
    pid = pid.replace("ours", str(os.getpid()))
    (tmp_path / "up.lock").write_text(f'{{"pid": {pid}, "url": "http://127.0.0.1:8123"}}')
    assert local.running_at(tmp_path) is None


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_pin_by_hash_and_name_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    names = re.findall(r"^[a-z0-9][a-z0-9._-]*==", text, re.MULTILINE)
    assert len(names) > 60
    assert text.count("--hash=sha256:") >= len(names)
    assert "://" not in text


def test_the_development_lock_agrees_with_the_other() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9][a-z0-9._-]*==[^ ;\\]+", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") - pins("requirements-dev.lock") == set()
