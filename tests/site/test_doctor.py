"""`manage.py doctor`: one sentence and one remedy for everything that may be wrong, and never a secret."""

import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.core.management import call_command
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from apps.accounts.models import Workspace
from apps.core import secrets
from apps.llm.models import Connection
from llmops_site import doctor
from llmops_site.doctor import Finding, Level
from llmops_site.running import ports


def only(check: doctor.Check) -> Finding:
    findings = list(check())
    assert len(findings) == 1, findings
    return findings[0]


def connect(workspace: Workspace, url: str) -> Connection:
    return Connection.objects.create(
        workspace=workspace,
        name="Practice",
        kind="openai",
        provider="openai",
        base_url=url,
        encrypted_key=secrets.encrypt("sk-very-secret"),
    )


@pytest.mark.django_db
def test_a_healthy_database_has_its_version_named() -> None:
    assert only(doctor.check_database).level == Level.OK


@pytest.mark.django_db
def test_an_old_database_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_POSTGRES", 99)
    found = only(doctor.check_database)
    assert found.level == Level.PROBLEM
    assert found.remedy == "Move to PostgreSQL 99 or newer."


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_a_problem() -> None:
    assert only(doctor.check_migrations).level == Level.OK
    MigrationRecorder.Migration.objects.filter(app="sessions").delete()
    assert only(doctor.check_migrations).sentence == "1 migrations are not applied."


def test_streams_may_be_behind_the_proxy(settings: Settings) -> None:
    settings.STREAM_URL = ""
    assert "/stream/" in only(doctor.check_stream).sentence


def test_a_process_for_streams_that_is_away_is_a_warning_with_what_follows(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.PUBLIC_URL = "http://127.0.0.1:8000"
        settings.STREAM_URL = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert only(doctor.check_stream).level == Level.OK
    found = only(doctor.check_stream)
    assert (found.level, "whole instead of word by word" in found.sentence) == (Level.WARNING, True)


def test_streams_on_another_host_would_not_know_who_is_signed_in(settings: Settings) -> None:
    settings.PUBLIC_URL, settings.STREAM_URL = "https://galley.example", "https://streams.example"
    assert "another host" in only(doctor.check_stream).sentence


@pytest.mark.django_db
def test_a_clock_that_is_off_is_a_warning() -> None:
    assert only(doctor.check_clock).level == Level.OK
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5)):
        assert only(doctor.check_clock).level == Level.WARNING


def test_a_cache_that_forgets_is_a_problem(settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert only(doctor.check_cache).level == Level.PROBLEM
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    assert only(doctor.check_cache).level == Level.OK
    cache.clear()


def test_the_queue_in_a_folder_counts_what_waits(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "1_celery.msg").write_text("{}")
    settings.CELERY_BROKER_URL = "filesystem://localhost"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path)}
    assert only(doctor.check_broker).sentence == f"The queue is kept in {tmp_path}; 1 messages wait."


def test_a_silent_schedule_is_a_warning(settings: Settings, tmp_path: Path) -> None:
    settings.GALLEY_VAR = tmp_path
    path = tmp_path / "beat-schedule"
    path.touch()
    assert only(doctor.check_schedule).level == Level.OK
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    assert only(doctor.check_schedule).level == Level.WARNING


def test_a_short_secret_key_is_a_problem(settings: Settings) -> None:
    settings.SECRET_KEY = "short"
    assert next(doctor.check_secret_key()).level == Level.PROBLEM
    settings.SECRET_KEY = "x" * 40
    assert next(doctor.check_secret_key()).level == Level.OK


def test_keys_that_are_missing_or_malformed_are_a_problem(settings: Settings) -> None:
    for keys in ([], ["not a key"]):
        settings.ENCRYPTION_KEYS = keys
        assert only(doctor.check_encryption_keys).level == Level.PROBLEM


def test_a_stored_key_that_no_longer_opens_is_named(workspace: Workspace, settings: Settings) -> None:
    connect(workspace, "http://127.0.0.1:1/v1")
    assert only(doctor.check_encryption_keys).level == Level.OK
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert only(doctor.check_encryption_keys).sentence == "The stored keys of Practice cannot be decrypted."


def test_a_full_disk_is_a_warning(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.GALLEY_VAR = tmp_path
    assert only(doctor.check_disk).level == Level.OK
    monkeypatch.setattr(doctor, "ROOM_WANTED", 10**18)
    assert only(doctor.check_disk).level == Level.WARNING


@pytest.fixture
def listening_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_provider_that_takes_connections_is_fine(workspace: Workspace, listening_port: int) -> None:
    connect(workspace, f"http://127.0.0.1:{listening_port}/v1")
    assert only(doctor.check_providers).level == Level.OK


def test_a_provider_that_does_not_answer_is_a_warning(workspace: Workspace) -> None:
    connect(workspace, f"http://127.0.0.1:{ports.any_free()}/v1")
    found = only(doctor.check_providers)
    assert (found.level, found.name) == (Level.WARNING, "provider Practice")
    assert "cannot be reached" in found.sentence


def test_a_provider_at_a_private_address_is_not_called(workspace: Workspace, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = []
    connect(workspace, "http://127.0.0.1:9/v1")
    assert "OUTBOUND_ALLOW" in only(doctor.check_providers).sentence


def test_half_collected_static_files_are_a_problem(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    assert only(doctor.check_static).level == Level.PROBLEM
    (tmp_path / "staticfiles.json").write_text("{}")
    assert only(doctor.check_static).level == Level.OK


def test_a_check_that_breaks_is_a_finding_without_secrets(settings: Settings) -> None:
    def breaks() -> Iterator[Finding]:
        raise RuntimeError(f"could not use {settings.ENCRYPTION_KEYS[0]} today\nand more")
        yield

    assert doctor.examine([("odd", breaks, "Look at it.")]) == [
        Finding("odd", Level.PROBLEM, "This check failed: RuntimeError: could not use … today", "Look at it.")
    ]


def test_without_a_database_it_is_named_once() -> None:
    def breaks() -> Iterator[Finding]:
        raise OSError("no server")
        yield

    found = doctor.examine([("database", breaks, "Start it."), ("clock", breaks, ""), ("disk", doctor.check_disk, "")])
    assert [finding.name for finding in found] == ["database", "disk"]


def test_addresses_lose_their_passwords() -> None:
    assert doctor.masked("redis://:secret@redis:6379/0") == "redis://:…@redis:6379/0"
    assert doctor.masked("redis://redis:6379/0") == "redis://redis:6379/0"


def test_the_command_lists_findings_and_fails_on_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", [("email", doctor.check_email, "Check.")])
    out = StringIO()
    call_command("doctor", stdout=out)
    assert out.getvalue()[0] in "✓!"
    monkeypatch.setattr(doctor, "CHECKS", [("e-mail", lambda: iter([doctor.problem("e-mail", "No.", "Yes.")]), "")])
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    assert ended.value.code == 1
    assert "✗ e-mail: No.\n    → Yes.\n" in out.getvalue()


def test_the_command_speaks_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", [("e-mail", doctor.check_email, "Check.")])
    out = StringIO()
    call_command("doctor", "--json", stdout=out)
    assert json.loads(out.getvalue())[0]["name"] == "e-mail"
