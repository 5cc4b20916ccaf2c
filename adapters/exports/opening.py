"""An exporter for callers outside Dagster, with a Spark session that ends with its use.

What belongs here: which engine and source an installation has. What does not: Dagster's way to the
same (resources/exports.py).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from adapters.backend import open_platform
from adapters.clock import SystemClock
from adapters.exports.engine import Engine
from adapters.exports.looking import source_of, store_of
from adapters.exports.polars_engine import PolarsEngine
from adapters.exports.running import Exporter
from adapters.exports.settings import SparkSettings
from adapters.exports.spark_session import prepare, spark_config
from adapters.modes import decide
from adapters.settings import ExportEngine, Settings
from adapters.variables import read

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def opened_exporter(settings: Settings) -> Iterator[Exporter]:
    """The exporter of an installation.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    platform = open_platform(settings)
    source = source_of(decide(settings), platform)

    def over(engine: Engine) -> Exporter:
        store = store_of(settings)
        return Exporter(store, source, engine, SystemClock(), platform.rule_version)

    if settings.export_engine is ExportEngine.POLARS:
        yield over(PolarsEngine())
        return
    from adapters.exports.spark_engine import SparkEngine

    spark = read(SparkSettings)
    own: list[SparkSession] = []

    @cache
    def started() -> SparkSession:
        theirs = runs_already()
        session = start(spark)
        if not theirs:
            own.append(session)
        return session

    try:
        yield over(SparkEngine(spark, started))
    finally:
        for session in own:  # one of the caller's notebook goes on
            session.stop()


def runs_already() -> bool:
    """Whether this process has a Spark session, in whichever thread."""
    if "pyspark" not in sys.modules:
        return False
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    # To end a session ends its context, and with that every session of the process.
    started = SparkContext._active_spark_context is not None  # noqa: SLF001
    return started or SparkSession.getActiveSession() is not None


def start(settings: SparkSettings) -> SparkSession:
    """A Spark session.

    Raises:
        ConfigurationError: Java or pyspark is not there.
    """
    prepare(settings)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in spark_config(settings).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
