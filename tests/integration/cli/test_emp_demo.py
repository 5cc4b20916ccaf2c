"""'emp demo': everything lands, the planted errors are found, and a second run changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest

from adapters.settings import Settings
from emp.cli import run
from emp.demonstration import Demonstration, demonstrate
from emp.narration import Narrator
from emp.output import to_json
from emp.planted import Standing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_demo_finds_what_was_planted_and_can_be_repeated(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["demo", "--data-dir", str(tmp_path), "--json"]) == 0
    first = json.loads(capfd.readouterr().out)
    # The second one speaks to a person; what it would tell a program is kept beside it.
    shown: list[Demonstration] = []

    def watched(settings: Settings, narrator: Narrator) -> Demonstration:
        shown.append(demonstrate(settings, narrator))
        return shown[-1]

    with mock.patch("emp.demonstration.demonstrate", watched):
        assert run(["demo", "--data-dir", str(tmp_path)]) == 0
    text = capfd.readouterr().out
    second = json.loads(to_json(shown[0].told()))
    assert {run["status"] for run in first["runs"]} == {"success"}
    standings = {(p["kind"], p["standing"]) for p in first["planted"]}
    assert str(Standing.MISSED) not in {standing for _, standing in standings}
    assert {kind for kind, standing in standings if standing == str(Standing.SOUND)} == {"split"}
    assert len(first["symbols"]) == 4
    assert first["rows"]["1m"] > 20_000
    assert all(first["rows"].values())
    for key in ("rows", "sessions", "coverage", "quarantined_rows", "scores", "planted"):
        assert first[key] == second[key], key
    assert (tmp_path / "dagster" / "dagster.yaml").exists()
    assert (tmp_path / "warehouse" / "reference" / "instruments").exists()

    assert "make dev" in text
    assert str(tmp_path) in text
    assert "NOT FOUND" not in text
