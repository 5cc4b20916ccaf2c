"""Spark sessions of tests: small, on this machine, one after the other.

What belongs here: starting a session as the platform configures it, with what keeps it small.
What does not: what is done with it. A process has one session at a time; where Java is lacking, a
test is skipped, or fails where tests require their services.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.exports.settings import SparkSettings
from adapters.exports.spark_session import JAVA, java_version, prepare, spark_config
from tests.support.servers import do_without

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.driver.memory": "700m",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


def need_java() -> None:
    """Skip a test where Spark cannot start, or fail it where tests require their services."""
    version = java_version()
    if version is None or version < JAVA:
        do_without(f"Spark needs Java {JAVA}, found {version}")


def need_jdbc_jar() -> Path:
    """The jar of the JDBC driver; without it the test is skipped, or fails where it must not be."""
    settings = SparkSettings()
    if settings.jdbc_jar is None:
        do_without("EMP_SPARK_JDBC_JAR is not set, docker/fetch-jdbc-driver prints it")
    assert settings.jdbc_jar is not None
    return settings.jdbc_jar


@contextmanager
def spark_session(
    master: str = "local[2]", options: dict[str, str] | None = None
) -> Iterator[tuple[SparkSettings, SparkSession]]:
    """A session, and the settings that it follows."""
    need_java()
    settings = SparkSettings(master=master)
    prepare(settings)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in {**SMALL, **spark_config(settings), **(options or {})}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield settings, session
    finally:
        session.stop()
        _end_jvm()


def _end_jvm() -> None:
    """End the JVM as well: another session of this process wants other options."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
        if gateway.proc is not None:
            gateway.proc.stdin.close()
            gateway.proc.wait(timeout=60)
    SparkContext._gateway = None
    SparkContext._jvm = None
