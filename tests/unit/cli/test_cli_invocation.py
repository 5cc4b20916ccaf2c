"""Options that every command takes, and which of two values of a variable goes first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emp.cli import run
from emp.invocation import with_common_options_first

ASKED = ["coverage", "AAPL", "--start", "2024-01-02", "--end", "2024-01-02"]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a command sets is undone, and no data of the machine is read."""
    for name in ("EMP_DATA_DIR", "EMP_UI_PORT", "EMP_MODE", "EMP_YAHOO_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["bars", "A", "--extra", "X=1"], ["--extra", "X=1", "bars", "A"]),
        (["--extra=X=1", "bars", "A"], ["--extra=X=1", "bars", "A"]),
        (["bars", "--env-file", "f", "A"], ["--env-file", "f", "bars", "A"]),
        (["bars", "--", "--extra", "X=1"], ["bars", "--", "--extra", "X=1"]),
        (["bars", "--extra"], ["--extra", "bars"]),
    ],
)
def test_common_options_stand_anywhere(given: list[str], expected: list[str]) -> None:
    assert with_common_options_first(given) == expected


def test_extra_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "settings.env"
    file.write_text("EMP_UI_PORT=1111\nEMP_MODE=auto\nEMP_YAHOO_URL=http://127.0.0.1:9\n")
    monkeypatch.setenv("EMP_UI_PORT", "2222")
    command = [*ASKED, "--env-file", str(file), "--extra", "EMP_MODE=bootstrap"]
    assert run(command) == 0
    taken = [os.environ[name] for name in ("EMP_UI_PORT", "EMP_MODE", "EMP_YAHOO_URL")]
    assert taken == ["2222", "bootstrap", "http://127.0.0.1:9"]


def test_a_secret_whose_name_was_forgotten_is_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*ASKED, "--extra", "hunter2"]) == 1
    assert run([*ASKED, "--extra", "no name=hunter2"]) == 1
    told = capsys.readouterr().err
    assert "NAME=VALUE" in told
    assert "hunter2" not in told


def test_every_wrong_variable_is_named_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["--extra", "EMP_MODE=hunter2", "--extra", "EMP_UI_PORT=hunter3"]
    assert run([*ASKED, *wrong]) == 1
    told = capsys.readouterr().err
    assert "EMP_MODE" in told
    assert "EMP_UI_PORT" in told
    assert "hunter" not in told
