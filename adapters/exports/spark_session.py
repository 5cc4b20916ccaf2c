"""The configuration of a Spark session, and what has to be there before it starts.

What belongs here: options that exports and distributed curation rely on, the look for Java.
What does not: starting and ending it (resources/spark.py, or whoever holds a session).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from adapters.exports.settings import SparkSettings
from market_data.errors import ConfigurationError

JAVA = 17
"""Spark 4 needs this version or a newer one."""
_FIXED = {
    # Times mean UTC, days are days, files are those that every reader of Parquet understands.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # A file that an executor cannot read is an error, and never a table with fewer rows.
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
}
_DEFAULTS = {
    "spark.app.name": "emp",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}


def spark_config(settings: SparkSettings) -> dict[str, str]:
    """The options of a session; those of the settings go before our defaults."""
    found = {**_DEFAULTS, **settings.pairs(), **_FIXED}
    if settings.master:
        found["spark.master"] = settings.master
    if settings.jdbc_jar is not None:
        found["spark.jars"] = ",".join(
            [*filter(None, [settings.pairs().get("spark.jars", "")]), str(settings.jdbc_jar)]
        )
    return found


WITHOUT = "or set EMP_EXPORT_ENGINE=polars, which writes the same files without Java"
"""What does without Java where it is lacking: exports."""


def prepare(settings: SparkSettings, cure: str = WITHOUT) -> None:
    """Look whether Spark can start, and let its workers use this very Python.

    Args:
        settings: of Spark.
        cure: what does without it, for a message.

    Raises:
        ConfigurationError: Java or pyspark is not there; the message names the cure.
    """
    if find_spec("pyspark") is None:
        raise ConfigurationError(f"Spark is not installed: pip install 'emp[spark]', {cure}")
    version = java_version()
    if version is None or version < JAVA:
        found = "found none" if version is None else f"found {version}"
        raise ConfigurationError(
            f"Spark needs Java {JAVA} or newer and {found}: install a Java runtime "
            f"(openjdk-{JAVA}-jre-headless) and set JAVA_HOME if it is not on the path, {cure}"
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    if settings.master.startswith("local"):
        # Nobody else is spoken to, whatever the name of this machine resolves to.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


def java_version() -> int | None:
    """The major version of the Java that Spark will use; None where there is none."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if program is None:
        return None
    try:
        told = subprocess.run(  # noqa: S603 - what Spark itself will start
            [program, "-version"], capture_output=True, text=True, timeout=60, check=False
        ).stderr
    except OSError:
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found[1]) if found else None
