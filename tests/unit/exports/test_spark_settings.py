"""What Spark is told, and what is said where it cannot start."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.exports import spark_reading, spark_session
from adapters.exports.settings import SparkSettings
from adapters.exports.spark_engine import _is_local, all_there
from adapters.exports.spark_reading import _jdbc, jdbc_properties
from adapters.exports.spark_session import java_version, prepare, spark_config
from adapters.timescale.settings import TimescaleSettings
from market_data.errors import ConfigurationError, StorageError
from tests.support.exports import MINUTES, SESSIONS

SERVER = TimescaleSettings(
    url="postgresql://us%40er:p%2Fw@db.example:6543/emp?sslmode=require"  # type: ignore[arg-type]
)


def test_a_master_and_options_are_passed_on(tmp_path: Path):
    jar = tmp_path / "driver.jar"
    jar.touch()
    told = spark_config(
        SparkSettings(
            master="spark://host:7077",
            options="spark.executor.memory=4g spark.ui.enabled=true spark.sql.session.timeZone=X "
            "spark.sql.files.ignoreMissingFiles=true spark.sql.files.ignoreCorruptFiles=true",
            jdbc_jar=jar,
        )
    )
    assert told["spark.master"] == "spark://host:7077"
    assert told["spark.executor.memory"] == "4g"
    assert told["spark.ui.enabled"] == "true"
    assert told["spark.jars"] == str(jar)
    # What exports rely on is not to be changed.
    assert told["spark.sql.session.timeZone"] == "UTC"
    assert told["spark.sql.files.ignoreMissingFiles"] == "false"
    assert told["spark.sql.files.ignoreCorruptFiles"] == "false"
    assert "spark.master" not in spark_config(SparkSettings())


def test_rows_that_lie_elsewhere_are_an_error_that_names_the_folder():
    file = SimpleNamespace(rows=7)
    all_there(14, [file, file], Path("/exports/x"))  # type: ignore[list-item]
    all_there(0, [], Path("/exports/x"))
    for found in ([file], []):
        with pytest.raises(
            StorageError, match=r"14 rows.*/exports/x.*EMP_EXPORT_DIR.*every worker"
        ):
            all_there(14, found, Path("/exports/x"))  # type: ignore[arg-type]


@pytest.mark.parametrize("held", [SESSIONS, None])
def test_a_table_with_rows_has_chunks(monkeypatch: pytest.MonkeyPatch, held: object):
    monkeypatch.setattr(spark_reading, "chunks", lambda *_: [])
    reading = SimpleNamespace(settings=SERVER, held=lambda: held)
    units = MINUTES.units(*SESSIONS)
    if held is None:
        assert spark_reading._predicates(MINUTES, reading, units) == []  # type: ignore[arg-type]
        return
    with pytest.raises(ConfigurationError, match="no chunk of curated/bars_1m"):
        spark_reading._predicates(MINUTES, reading, units)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", ["executor.memory=4g", "spark.executor.memory", "spark.a=1 b"])
def test_an_option_that_is_none_is_refused(options: str):
    with pytest.raises(ValueError, match="is no option like"):
        SparkSettings(options=options)


def test_without_java_the_message_names_it_and_the_other_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert java_version() is None
    with pytest.raises(ConfigurationError, match=r"Java 17.*found none.*EMP_EXPORT_ENGINE=polars"):
        prepare(SparkSettings())
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="found none"):
        prepare(SparkSettings())


@pytest.mark.parametrize(
    ("told", "version"), [('openjdk version "17.0.15" 2025', 17), ('java version "1.8.0_1"', 8)]
)
def test_the_version_of_java_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, version: int
):
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{told}' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_version() == version
    if version < spark_session.JAVA:
        with pytest.raises(ConfigurationError, match=f"found {version}"):
            prepare(SparkSettings())


def test_a_server_becomes_an_address_without_a_login():
    url, properties = jdbc_properties(SERVER, 20_000)
    assert url == "jdbc:postgresql://db.example:6543/emp"
    assert (properties["user"], properties["password"]) == ("us@er", "p/w")
    assert properties["sslmode"] == "require"
    assert properties["fetchsize"] == "20000"
    assert "timezone=UTC" in properties["options"]


def test_a_fetch_size_below_ten_thousand_is_refused():
    with pytest.raises(ValueError, match="10000"):
        SparkSettings(fetch_size=9_999)


def test_without_the_driver_the_setting_is_named():
    session = SimpleNamespace(conf=SimpleNamespace(get=lambda *_: ""))
    with pytest.raises(ConfigurationError, match="EMP_SPARK_JDBC_JAR"):
        _jdbc(session, SparkSettings(jdbc_jar=None), MINUTES, SERVER, ["true"])  # type: ignore[arg-type]


def test_files_are_read_here_where_spark_runs_in_this_process():
    assert [_is_local(m) for m in ("local", "local[2]", "local-cluster[2,1,512]", "yarn")] == [
        True,
        True,
        False,
        False,
    ]
