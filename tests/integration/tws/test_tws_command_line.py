"""Interactive Brokers from the command line: bars to curated rows, outages noted and filled.

docs/runbooks/tws-outage.md is followed step by step.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from adapters.vendors import profile
from emp.cli import run
from tests.support.ib_gateway import MSFT, IbGateway, minutes, recorded_minutes

RUNBOOK = Path(__file__).resolve().parents[3] / "docs/runbooks/tws-outage.md"
DAY = ["--start", "2021-01-05", "--end", "2021-01-05"]
NEXT = ["--start", "2021-01-06", "--end", "2021-01-06"]
ASK = ["ingest", "--vendor", "tws", "--symbols", "MSFT", "--timeframe", "1m"]


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TWS_HOST", "127.0.0.1")
    monkeypatch.setenv("TWS_TIMEOUT", "5")
    return monkeypatch


@pytest.fixture
def gateway(installation: pytest.MonkeyPatch, test_data: Path) -> Iterator[IbGateway]:
    with IbGateway() as found:
        installation.setenv("TWS_PORT", str(found.port))
        opening = datetime(2021, 1, 6, 14, 30, tzinfo=UTC)
        found.add(MSFT, recorded_minutes(test_data) + minutes(opening, 390))
        yield found


def told(capfd: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capfd.readouterr().out)


def test_minutes_become_curated_bars_that_name_their_source(
    gateway: IbGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*ASK, *DAY]) == 0
    assert told(capfd)["rows"]["1m"]["MSFT"] >= 390
    assert [a.date_format for a in gateway.asked] == ["2"]
    assert gateway.connected == [17]
    assert run(["bars", "MSFT", "--timeframe", "1m", *DAY, "--format", "json"]) == 0
    bars = told(capfd)
    assert len(bars) == 390
    assert {bar["source"] for bar in bars} == {"tws"}
    assert bars[0]["ts"].startswith("2021-01-05T14:30:00")
    # What was answered is not asked again.
    assert run([*ASK, *DAY]) == 0
    assert len(gateway.asked) == 1


def test_an_outage_is_noted_and_the_command_that_it_offers_fills_it(
    gateway: IbGateway, installation: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*ASK, *DAY]) == 0
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        installation.setenv("TWS_PORT", str(closed.getsockname()[1]))
        capfd.readouterr()
        assert run([*ASK, *NEXT]) == 1
        capfd.readouterr()
    assert run(["coverage", "MSFT", *NEXT, "--timeframe", "1m", "--vendor", "tws", "--json"]) == 0
    (missing,) = told(capfd)
    assert missing["outcome"] == "failed"
    assert "TWS_HOST, TWS_PORT" in missing["detail"]

    assert run(["outages", "--vendor", "tws", "--json"]) == 0
    (outage,) = told(capfd)
    assert outage["ended"] is None
    assert "cannot be reached" in outage["reason"]
    (lacking,) = outage["lacking"]
    assert lacking["symbols"] == ["MSFT"]
    assert (lacking["first"], lacking["last"]) == ("2021-01-06", "2021-01-06")
    began = datetime.fromisoformat(outage["began"])
    assert timedelta(0) < datetime.now(UTC) - began < timedelta(minutes=5)

    installation.setenv("TWS_PORT", str(gateway.port))
    program, *words = shlex.split(lacking["command"])
    assert program == "emp"
    assert run(words) == 0
    assert told(capfd)["rows"]["1m"]["MSFT"] == 390
    assert run(["outages"]) == 0
    text = capfd.readouterr().out
    assert "until 20" in text
    assert "nothing is lacking" in text
    assert run(["outages", "--lacking"]) == 0
    assert "no outages of which anything is lacking" in capfd.readouterr().out


def test_the_runbook_holds_what_it_promises(
    gateway: IbGateway, installation: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    commands = iter(re.findall(r"^ {7}(\S.*)$", text, flags=re.MULTILINE))

    def follow(status: int = 0) -> str:
        program, *words = shlex.split(next(commands))
        if program == "emp":
            assert run(words) == status
            return capfd.readouterr().out
        assert program == "python"
        done = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done.stderr

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = str(closed.getsockname()[1])
        installation.setenv("TWS_PORT", port)
        assert run([*ASK, *NEXT]) == 1
        capfd.readouterr()
        # Degraded, since every other vendor works.
        told = follow(status=3)
        assert f"127.0.0.1:{port} (TWS_HOST, TWS_PORT)" in told
        assert "docs/runbooks/tws-outage.md" in told
        assert "refused" in follow(status=1)
    installation.setenv("TWS_PORT", str(gateway.port))
    assert run(["budget", "reset", "--vendor", "tws", "--breaker"]) == 0
    capfd.readouterr()
    offered = follow()
    assert "still open" in offered
    rerun = next(line.strip() for line in text.splitlines() if "emp ingest --vendor tws" in line)
    assert rerun in offered
    follow()
    assert "rows" in follow()
    assert "no outages of which anything is lacking" in follow()
    assert next(commands, None) is None


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({}, "ok", "server version 176"),
        ({"taken": {17}}, "ok", "connected as client 17"),
        ({"tells_time": False}, "degraded", "hangs"),
        (
            {"notices": [(2105, "HMDS data farm connection is broken:ushmds")]},
            "degraded",
            "broken:ushmds",
        ),
    ],
)
def test_the_doctor_looks_at_the_gateway(
    gateway: IbGateway,
    installation: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    change: dict[str, Any],
    state: str,
    words: str,
) -> None:
    if not change.get("tells_time", True):
        # Nobody waits for the silent one; the others may be slow on a busy machine.
        installation.setattr("adapters.vendors.tws.conversation.ALIVE_SECONDS", 0.3)
    for name, value in change.items():
        setattr(gateway, name, value)
    assert run(["doctor", "--format", "json"]) == (0 if state == "ok" else 3)
    found = {part["part"]: part for part in told(capfd)["parts"]}["tws"]
    assert found["state"] == state
    assert words in found["detail"]


def test_it_is_off_without_an_address(
    installation: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    installation.delenv("TWS_HOST")
    assert run([*ASK, *DAY]) == 1
    assert "TWS_HOST is not set" in capfd.readouterr().err


def test_it_is_off_without_its_package(
    installation: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real = util.find_spec
    installation.setattr(
        profile, "find_spec", lambda name: None if name == "ib_async" else real(name)
    )
    assert run([*ASK, *DAY]) == 1
    assert "pip install 'emp[tws]'" in capfd.readouterr().err
    assert run(["outages"]) == 0
    assert "no outages" in capfd.readouterr().out
