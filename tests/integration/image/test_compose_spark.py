"""The compose file of a Spark cluster fits the platform's, and its image has what it starts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.modes import settings_classes
from adapters.variables import variables_of

ROOT = Path(__file__).resolve().parents[3]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.spark.yaml"
WORKERS = ("spark-worker-1", "spark-worker-2")
CLIENTS = ("code", "daemon", "webserver")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_it_keeps_the_compose_specification() -> None:
    command = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema"]
    done = subprocess.run(
        [*command, "vendor.compose-spec", str(COMPOSE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_there_are_a_master_and_two_workers_that_wait_for_it(services: dict[str, Any]) -> None:
    assert set(services) == {"spark-master", *WORKERS, *CLIENTS}
    for name in WORKERS:
        assert services[name]["depends_on"] == {"spark-master": {"condition": "service_healthy"}}
        assert services[name]["command"][-1] == "spark://spark-master:7077"
    for name in ("spark-master", *WORKERS):
        assert services[name]["healthcheck"]["test"]
        assert services[name]["restart"] == "unless-stopped"
        assert services[name]["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in services["spark-master"]["ports"])


def test_workers_see_the_exports_where_the_platform_does(services: dict[str, Any]) -> None:
    platform = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    for name in CLIENTS:
        given = services[name]["environment"]
        mounts = platform["services"][name]["volumes"]
        shared = [mount for mount in mounts if mount in services[WORKERS[0]]["volumes"]]
        folders = [mount.split(":")[1] for mount in shared]
        assert any(given["EMP_EXPORT_DIR"].startswith(folder) for folder in folders)
        assert given["SPARK_MASTER"] == services[WORKERS[0]]["command"][-1]
    assert set(services["spark-master"]["networks"]) <= set(platform["networks"])


def test_what_it_sets_is_read_and_what_it_takes_has_a_default(services: dict[str, Any]) -> None:
    read_here = {n for kind in settings_classes() for v in variables_of(kind) for n in v.names}
    assert set(services["code"]["environment"]) <= read_here
    text = COMPOSE.read_text()
    assert re.findall(r"(?<!\$)\$\{\w+", text) == re.findall(r"(?<!\$)\$\{\w+(?=:-)", text)


def test_one_image_has_spark_and_the_platform_stays_what_is_built_by_default() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", text, re.MULTILINE)
    assert stages[-1] == ("platform", "")
    assert ("platform", "spark") in stages
    spark = text[text.index("FROM platform AS spark") :]
    assert "openjdk-17-jre-headless" in spark
    read_here = {n for kind in settings_classes() for v in variables_of(kind) for n in v.names}
    assert "EMP_SPARK_JDBC_JAR=" in spark
    assert "EMP_SPARK_JDBC_JAR" in read_here
    assert "!docker/spark/pom.xml" in (ROOT / ".dockerignore").read_text().splitlines()
