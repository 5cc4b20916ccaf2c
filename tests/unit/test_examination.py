"""`emp config check`: everything that is wrong, in one go, before anything starts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from adapters.cache.settings import RedisSettings
from adapters.examination import examine
from adapters.settings import Mode
from adapters.variables import read_all
from emp.cli import run
from tests.support.warm_python import run_python

WHOLE = {
    "EMP_OPERATIONS_URL": "postgresql://emp:hunter2@127.0.0.1:1/operations",
    "TIMESCALEDB_URL": "postgresql://emp:hunter2@127.0.0.1:1/emp",
    "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "DAGSTER_POSTGRES_HOST": "127.0.0.1",
    "DAGSTER_POSTGRES_PORT": "1",
    "DAGSTER_POSTGRES_USER": "emp",
    "DAGSTER_POSTGRES_PASSWORD": "hunter2",
    "DAGSTER_POSTGRES_DB": "dagster",
}
PREFIXES = ("EMP_", "TIMESCALE", "DATABASE_URL", "REDIS_", "KAFKA_", "DAGSTER_POSTGRES_")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    return monkeypatch


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def variables(mode: Mode | None = None) -> set[str]:
    return {problem.variable for problem in examine(mode).problems}


def test_a_whole_installation_has_no_problem(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(bare, **WHOLE, EMP_MODE="institutional")
    found = examine()
    assert (found.mode, found.problems, found.notes) == (Mode.INSTITUTIONAL, [], [])
    assert list(tmp_path.iterdir()) == []


def test_faults_of_every_kind_come_at_once(bare: pytest.MonkeyPatch) -> None:
    wrong = {
        "EMP_MODE": "institutional",
        "EMP_UI_PORT": "0",
        "EMP_YAHOO_URL": "notaurl",
        "EMP_DATA_DIR": "/proc/nope",
        "EMP_OPERATIONS_URL": "postgresqlnonsense",
        # A field, and a rule of the whole class that the field would hide.
        "TIMESCALEDB_POOL_SIZE": "many",
        "TIMESCALEDB_URL": "mysql://hunter2@host/db",
        "TIMESCALEDB_STATEMENT_TIMEOUT_MS": "99999999999999",
        # The rule on files stands behind the one on the URL, and this behind the field.
        "REDIS_PORT": "x",
        "REDIS_URL": "http://hunter2",
        "REDIS_SSL_CAFILE": "/no/such/file",
        "REDIS_CACHE_TTL_SECONDS": "-1",
        # A field and a rule; and nothing names the brokers.
        "KAFKA_TIMEOUT_SECONDS": "soon",
        "KAFKA_SSL_KEYFILE": "/no/such/file",
        "DAGSTER_POSTGRES_PORT": "x",
    }
    given(bare, **wrong)
    told = variables()
    asked = {"KAFKA_BOOTSTRAP_SERVERS", "DAGSTER_POSTGRES_HOST", "DAGSTER_POSTGRES_PASSWORD"}
    assert set(wrong) - {"EMP_MODE"} | asked <= told
    assert "hunter2" not in "".join(map(str, examine().problems))


def test_a_missing_server_is_named_beside_its_wrong_settings(bare: pytest.MonkeyPatch) -> None:
    given(bare, REDIS_SSL_CAFILE="/no/such/file", TIMESCALEDB_POOL_SIZE="0")
    told = variables(Mode.INSTITUTIONAL)
    assert {"REDIS_SSL_CAFILE", "REDIS_URL", "TIMESCALEDB_POOL_SIZE", "TIMESCALEDB_URL"} <= told


def test_a_wrong_server_is_not_called_missing(bare: pytest.MonkeyPatch) -> None:
    given(bare, **WHOLE | {"DATABASE_URL": "mysql://host/db", "KAFKA_BOOTSTRAP_SERVERS": "host"})
    bare.delenv("TIMESCALEDB_URL")
    told = examine(Mode.INSTITUTIONAL).problems
    assert sorted(p.variable for p in told) == ["KAFKA_BOOTSTRAP_SERVERS", "TIMESCALEDB_URL"]
    assert not any("set it" in problem.cure for problem in told)


def test_what_was_left_out_as_wrong_is_not_called_missing(bare: pytest.MonkeyPatch) -> None:
    login = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_PASSWORD": "hunter2"}
    given(bare, **WHOLE, **login, KAFKA_SASL_MECHANISM="GSSAPI")
    told = [str(problem) for problem in examine(Mode.INSTITUTIONAL).problems]
    assert len(told) == 2
    assert "KAFKA_SASL_MECHANISM: Input should be" in told[0]
    assert "KAFKA_SASL_USERNAME is missing" in told[1]


def test_streaming_that_is_off_needs_no_brokers(bare: pytest.MonkeyPatch) -> None:
    given(bare, **WHOLE, KAFKA_INGEST_ENABLE_STREAMING="off", KAFKA_TIMEOUT_SECONDS="soon")
    bare.delenv("KAFKA_BOOTSTRAP_SERVERS")
    assert variables(Mode.INSTITUTIONAL) == {"KAFKA_TIMEOUT_SECONDS"}


def test_what_is_right_is_read_once(bare: pytest.MonkeyPatch) -> None:
    given(bare, REDIS_URL="redis://127.0.0.1", REDIS_DB="3")
    reading = read_all(RedisSettings)
    assert reading.settings == RedisSettings()
    assert (reading.problems, reading.wrong) == ((), frozenset())


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nope", "/dev/null"])
def test_a_data_folder_that_cannot_be(bare: pytest.MonkeyPatch, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    given(bare, EMP_DATA_DIR=str(tmp_path / place))
    assert variables() == {"EMP_DATA_DIR"}


@pytest.mark.parametrize("url", ["notaurl", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_is_none(bare: pytest.MonkeyPatch, url: str) -> None:
    given(bare, EMP_YAHOO_URL=url)
    assert variables() == {"EMP_YAHOO_URL"}


def test_auto_does_without_servers_and_not_without_a_folder(bare: pytest.MonkeyPatch) -> None:
    given(bare, EMP_MODE="auto")
    found = examine()
    assert found.problems == []
    assert {"REDIS_URL", "EMP_OPERATIONS_URL"} <= {p.variable for p in found.lacks}
    given(bare, EMP_DATA_DIR="/proc/nope")
    assert variables() == {"EMP_DATA_DIR"}


def test_a_wrong_mode_hides_nothing(bare: pytest.MonkeyPatch) -> None:
    given(bare, **WHOLE | {"EMP_MODE": "instutional", "REDIS_DB": "x"})
    found = examine()
    assert found.mode is None
    assert {p.variable for p in found.problems} == {"EMP_MODE", "REDIS_DB"}
    assert variables(Mode.BOOTSTRAP) == {"EMP_MODE"}


def test_misspelt_names_are_noted(bare: pytest.MonkeyPatch) -> None:
    odd = ("EMP_DATADIR", "TIMESCALEDB_POOLSIZE", "REDIS_CACHE_TTL", "DAGSTER_POSTGRES_DATABASE")
    known = ("EMP_IMAGE", "EMP_TEST_DATA", "KAFKA_PUBLISHED_PORT", "REDIS_URI", "TIMESCALE_URL")
    given(bare, **dict.fromkeys((*odd, *known), "hunter2"), EMP_QQQQQQQQQQQ="x")
    notes = {note.variable: note.cure for note in examine().notes}
    assert set(notes) == {*odd, "EMP_QQQQQQQQQQQ"}
    assert notes["EMP_DATADIR"].endswith("is EMP_DATA_DIR meant?")
    assert notes["TIMESCALEDB_POOLSIZE"].endswith("is TIMESCALEDB_POOL_SIZE meant?")
    assert notes["EMP_QQQQQQQQQQQ"] == "nothing reads it"
    assert "hunter2" not in str(notes)


def test_records_of_dagster_in_files_are_noted(bare: pytest.MonkeyPatch) -> None:
    given(bare, **{k: v for k, v in WHOLE.items() if not k.startswith("DAGSTER_")})
    (note,) = examine(Mode.INSTITUTIONAL).notes
    assert "SQLite" in str(note)
    assert examine(Mode.BOOTSTRAP).notes == []
    (note,) = examine(Mode.AUTO).notes
    assert "SQLite" in str(note)


def test_the_command_tells_problems_and_notes(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(bare, EMP_UI_PROT="1")
    assert run(["config", "check"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "note: EMP_UI_PROT: nothing reads it; is EMP_UI_PORT meant?",
        "bootstrap: every setting is there and right",
    ]
    given(bare, EMP_UI_PORT="0", EMP_MODE="institutional")
    assert run(["config", "check"]) == 1
    told = capsys.readouterr().out
    for name in ("EMP_UI_PORT", "EMP_OPERATIONS_URL", "REDIS_URL", "note: EMP_UI_PROT"):
        assert name in told
    assert run(["config", "check", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["mode"], told["ok"]) == ("institutional", False)
    assert {"EMP_UI_PORT", "REDIS_URL"} <= {p["variable"] for p in told["problems"]}
    assert {"EMP_UI_PROT"} <= {p["variable"] for p in told["notes"]}
    bare.delenv("EMP_UI_PORT")
    assert run(["config", "check", "--mode", "auto"]) == 0
    assert "auto: bootstrap mode, for these reasons" in capsys.readouterr().out
    assert run(["config", "check", "--mode", "hunter2"]) == 1


def test_auto_in_bootstrap_mode_is_noted_once_by_every_command(tmp_path: Path) -> None:
    script = (
        "from emp.cli import run\n"
        "assert run(['files', 'specs']) == 0\n"
        "assert run(['coverage', 'AAPL', '--start', '2024-01-02', '--end', '2024-01-02']) == 0\n"
    )
    for mode, notes in {"auto": 1, "bootstrap": 0, "": 0}.items():
        environment = {"EMP_DATA_DIR": str(tmp_path), "EMP_MODE": mode, "PATH": ""}
        done = run_python(["-c", script], env=environment)
        assert done.returncode == 0, done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == notes, done.stderr
        for line in lines:
            assert line.startswith("emp: note: bootstrap mode, since institutional mode lacks: ")
            assert "REDIS_URL" in line
