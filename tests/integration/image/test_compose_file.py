"""The compose file says what compose understands, and names nothing that is not there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from adapters.modes import settings_classes
from adapters.other_variables import OTHERS
from adapters.variables import variables_of
from emp.cli import app

ROOT = Path(__file__).resolve().parents[3]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
OURS = ("migrate", "code", "webserver", "daemon")
SERVERS = ("timescaledb", "postgres", "redis", "kafka")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_it_keeps_the_compose_specification() -> None:
    command = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema"]
    done = subprocess.run(
        [*command, "vendor.compose-spec", str(COMPOSE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_service_is_there_and_healthy_before_it_is_used(services: dict[str, Any]) -> None:
    assert set(services) == {*SERVERS, *OURS}
    for name, service in services.items():
        assert name == "migrate" or service["healthcheck"]["test"], name
        assert service["restart"] == ("on-failure:5" if name == "migrate" else "unless-stopped")
    for name in OURS:
        needs = services[name]["depends_on"]
        assert all(needs[server] == {"condition": "service_healthy"} for server in SERVERS)
        if name != "migrate":
            assert needs["migrate"] == {"condition": "service_completed_successfully"}


def test_ports_are_those_of_this_machine_alone(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned(services: dict[str, Any]) -> None:
    for name in SERVERS:
        assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z0-9]+)?$", services[name]["image"]), name
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    assert re.search(r":\d+\.\d+\.\d+-", base[1])


def test_every_variable_of_the_platform_is_one_that_it_reads(services: dict[str, Any]) -> None:
    read_here = {
        name for kind in settings_classes() for v in variables_of(kind) for name in v.names
    }
    instance = set(re.findall(r"env: (\w+)", (DOCKER / "dagster.yaml").read_text()))
    workspace = set(re.findall(r"env: (\w+)", (DOCKER / "workspace.yaml").read_text()))
    dagsters_own = {"DAGSTER_EVENT_BATCH_SIZE"}
    given = set(services["code"]["environment"])
    assert given <= read_here | instance | workspace | dagsters_own
    assert instance | workspace <= given


def test_the_example_names_exactly_the_variables_that_the_file_takes() -> None:
    taken = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE.read_text()))
    example = (DOCKER / ".env.example").read_text()
    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == taken
    for secret in (name for name in taken if "PASSWORD" in name):
        assert re.search(rf"^{secret}=$", example, re.MULTILINE)
        assert f"${{{secret}:?set {secret}" in COMPOSE.read_text()
        assert f"${{{secret}:-" not in COMPOSE.read_text()


def test_the_example_names_what_each_vendor_needs_and_nothing_that_nobody_reads() -> None:
    hinted = set(re.findall(r"^# (\w+)=", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    read_here = {n for kind in settings_classes() for v in variables_of(kind) for n in v.names}
    assert hinted <= read_here | set(OTHERS)
    needed = {"ALPHA_VANTAGE_API_KEY", "FRED_API_KEY", "OANDA_API_TOKEN", "TWS_HOST"}
    assert needed <= hinted


def test_what_else_the_env_file_says_reaches_the_platform(services: dict[str, Any]) -> None:
    for name, service in services.items():
        given = service.get("env_file")
        assert given == ([{"path": ".env", "required": False}] if name in OURS else None), name


def test_the_image_holds_every_page_that_a_message_names() -> None:
    rooms = ("adapters", "emp", "market_data", "resources", "sensors", "jobs", "emp_assets")
    named = {
        page
        for room in rooms
        for file in (ROOT / room).rglob("*.py")
        for page in re.findall(r"docs/runbooks/[\w-]+\.md", file.read_text())
    }
    assert named
    assert all((ROOT / page).is_file() for page in named)
    assert "!docs/runbooks" in (ROOT / ".dockerignore").read_text().splitlines()


def test_files_and_commands_exist(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).is_file(), source
    build = services["migrate"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).is_file()
    known = get_command(app)
    for name in OURS:
        words = services[name]["command"]
        if words[0] == "emp":
            command: Any = known
            for word in (w for w in words[1:] if not w.startswith("-")):
                command = command.commands[word]
        for word in words:
            assert not word.endswith(".yaml") or (ROOT / word).is_file(), word


def test_ours_may_do_no_more_than_they_must(services: dict[str, Any]) -> None:
    for name in OURS:
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in services[name]
