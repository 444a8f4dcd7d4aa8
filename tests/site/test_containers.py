"""The image and the Compose file, read as text: what a reviewer would look for."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops_site.celery import app
from llmops_site.running import up

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(None, 1)
    for line in re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
    if line.strip()
]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
APP_SERVICES = ["web", "stream", "worker", "clock", "beat", "migrate", "practice"]
VARIABLES = re.findall(r"\$\{([A-Z_]+)(:?[?-])?", (ROOT / "docker-compose.yml").read_text())


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def pinned(image: str) -> bool:
    tag = image.rpartition(":")[2]
    return ":" in image and tag != "latest" and any(character.isdigit() for character in tag)


def test_every_base_image_is_pinned_to_a_version() -> None:
    assert [base for base in arguments("FROM") if not pinned(base.split()[0])] == []


def test_the_last_stage_runs_as_an_unprivileged_number() -> None:
    last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    user = re.search(r"^USER (\d+):(\d+)$", last_stage, re.MULTILINE)
    assert user is not None
    assert int(user[1]) >= 1000


def test_the_image_has_a_health_check_and_a_stop_signal() -> None:
    assert "/healthz" in arguments("HEALTHCHECK")[0]
    assert arguments("STOPSIGNAL") == ["SIGTERM"]


def test_commands_are_lists_so_that_signals_arrive() -> None:
    assert all(command.startswith("[") for command in arguments("CMD") + arguments("ENTRYPOINT"))


def test_nothing_is_fetched_unpacked_or_left_over() -> None:
    assert arguments("ADD") == []
    for command in arguments("RUN"):
        assert "apt-get install" not in command or "rm -rf /var/lib/apt/lists" in command
        assert not re.search(r"curl|wget|sudo", command)


def test_the_image_holds_no_development_packages() -> None:
    assert "requirements-dev" not in DOCKERFILE
    assert any("--require-hashes -r requirements.lock" in command for command in arguments("RUN"))


def test_every_copied_file_exists_and_is_let_into_the_build() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    for sources in (rest.split()[:-1] for rest in arguments("COPY") if not rest.startswith("--from")):
        for source in sources:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignore


def test_no_secret_stays_in_the_image() -> None:
    assert not any(re.search("SECRET|PASSWORD|ENCRYPTION", rest) for rest in arguments("ENV") + arguments("ARG"))


def test_compose_names_what_one_server_needs() -> None:
    assert set(SERVICES) == {"web", "stream", "worker", "clock", "beat", "migrate", "postgres", "redis", "practice"}


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_images_of_others_are_pinned(name: str) -> None:
    assert pinned(SERVICES[name]["image"])


def test_every_variable_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    assert [name for name, _ in VARIABLES if not re.search(rf"^#?{name}=", example, re.MULTILINE)] == []


def test_every_variable_is_demanded_or_has_a_default() -> None:
    assert [name for name, kind in VARIABLES if kind not in {":?", ":-"}] == []


def test_no_secret_has_a_default() -> None:
    lenient = {name for name, kind in VARIABLES if kind == ":-"}
    assert not {name for name in lenient if re.search("PASSWORD|SECRET|KEY", name)}


def test_only_what_browsers_speak_to_is_published_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"web", "stream"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_every_service_that_stays_has_a_health_check() -> None:
    lasting = {name for name, service in SERVICES.items() if service.get("restart") != "no"}
    assert {name for name in lasting if not SERVICES[name].get("healthcheck", {}).get("test")} == set()


def test_our_containers_can_gain_no_rights() -> None:
    for name in APP_SERVICES:
        service = SERVICES[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert "no-new-privileges:true" in service["security_opt"]
    assert not any(service.get("privileged") or service.get("network_mode") for service in SERVICES.values())


@pytest.mark.parametrize("name", ["web", "stream", "worker", "clock", "beat"])
def test_nothing_works_before_the_tables_are_there(name: str) -> None:
    needs = {other: need["condition"] for other, need in SERVICES[name]["depends_on"].items()}
    assert needs["migrate"] == "service_completed_successfully"
    assert needs["postgres"] == needs["redis"] == "service_healthy"


def test_the_practice_models_need_asking_for() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"practice"}
    assert SERVICES["practice"]["profiles"] == ["demo"]


def test_every_queue_that_is_sent_to_has_a_worker() -> None:
    """In the containers and at the desk of `manage.py up`."""
    sent = {"celery", *(route["queue"] for route in app.conf.task_routes.values())}
    for commands in (
        [SERVICES[name]["command"] for name in ("worker", "clock")],
        [part.command for part in (up.worker_part(), up.clock_part())],
    ):
        assert {command[command.index("--queues") + 1] for command in commands} == sent


def test_volumes_are_declared_and_used() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def has_compose() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="the Compose plugin is not installed")
def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    needed = {name for name, kind in VARIABLES if kind == ":?"}
    (tmp_path / "env").write_text("".join(f"{name}=x\n" for name in needed))
    command = ["docker", "compose", "--env-file", str(tmp_path / "env"), "--profile", "demo", "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
