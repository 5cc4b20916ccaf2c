"""Spark, for the assets that need it.

What belongs here: one session per run, started when a step asks for it and ended with the run.
What does not: its options (adapters/exports/spark_session.py), what is done with it.

Neither pyspark nor a JVM is loaded before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr

from adapters.variables import read
from market_data.backfill.plans import LOCAL, SPARK
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from dagster_pyspark import LazyPySparkResource
    from pyspark.sql import SparkSession

    from adapters.exports.settings import SparkSettings
    from market_data.pipeline.curate import Curate
    from market_data.pipeline.features import Work

ENGINES = (LOCAL, SPARK)


class SparkResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A Spark session that starts when it is asked for; SPARK_MASTER says where."""

    master: str = Field(default="", description="Goes before SPARK_MASTER where it is given.")

    _lazy: Any = PrivateAttr(default=None)
    _session: Any = PrivateAttr(default=None)

    def settings(self) -> SparkSettings:
        """SPARK_MASTER and every EMP_SPARK_* variable."""
        from adapters.exports.settings import SparkSettings

        return read(SparkSettings, **({"master": self.master} if self.master else {}))

    def session(self) -> SparkSession:
        """The session of this run.

        Raises:
            ConfigurationError: Java or pyspark is not there.
        """
        if self._lazy is None:
            self._lazy = self._prepared()
        session: SparkSession = self._lazy.spark_session
        self._session = session  # once it is there: one that could not start is not to be ended
        return session

    def curation(self, engine: str) -> Curate:
        """What curates: here, or in the executors of the session of this run.

        Args:
            engine: local or spark.

        Raises:
            ConfigurationError: it is neither.
        """
        from market_data.curation import curate

        if _is_local(engine):
            return curate
        from adapters.spark_curation import SparkCurator

        return SparkCurator(self.session)

    def features(self, engine: str) -> Work:
        """What makes features: here, or in the executors of the session of this run.

        Args:
            engine: local or spark.

        Raises:
            ConfigurationError: it is neither.
        """
        from market_data.pipeline.features import computed

        if _is_local(engine):
            return computed
        from adapters.spark_features import SparkFeatures

        return SparkFeatures(self.session)

    def _prepared(self) -> LazyPySparkResource:
        from adapters.exports.spark_session import prepare, spark_config

        settings = self.settings()
        prepare(settings)
        from dagster_pyspark import LazyPySparkResource

        return LazyPySparkResource(spark_config=spark_config(settings))

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """End the session with the run that started it."""
        session, self._session, self._lazy = self._session, None, None
        if session is not None:
            session.stop()


def _is_local(engine: str) -> bool:
    if engine not in ENGINES:
        raise ConfigurationError(f"engine is {engine!r}; it takes {' or '.join(ENGINES)}")
    return engine == LOCAL
