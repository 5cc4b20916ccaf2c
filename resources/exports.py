"""Exports: their folder, the source of their rows, the engine that writes them.

What belongs here: which adapter stands for what, by the configuration. What does not: what a run
does (adapters/exports/running.py).

Dagster recognises nested resources by their annotations while the class is made, so these must be
objects, not text: this module does not postpone them.
"""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from adapters.settings import ExportEngine
from resources.platform import PlatformResource
from resources.spark import SparkResource
from resources.storage import TimescaleWarehouseResource

if TYPE_CHECKING:
    from adapters.exports.engine import Engine
    from adapters.exports.running import Exporter
    from adapters.exports.sources import Source
    from adapters.exports.store import ExportStore


class ExportsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Writes exports and reads them back."""

    platform: dg.ResourceDependency[PlatformResource]
    spark: dg.ResourceDependency[SparkResource]
    root: str = Field(description="Folder of exports.")
    engine: ExportEngine = Field(default=ExportEngine.SPARK, description="spark or polars.")
    keep_hours: float = Field(default=48.0, description="For how long replaced files stay.")

    def store(self) -> "ExportStore":
        """The folders of all exports."""
        from adapters.exports.store import ExportStore

        return ExportStore(Path(self.root), timedelta(hours=self.keep_hours))

    def source(self) -> "Source":
        """Where the rows come from."""
        from adapters.exports.sources import LakeSource, TimescaleSource
        from market_data.exports.marks import Verdicts

        warehouse, platform = self.platform.warehouse, self.platform.open()
        verdicts = Verdicts(platform.store, platform.annotations)
        if isinstance(warehouse, TimescaleWarehouseResource):
            settings = warehouse.timescale.settings()
            return TimescaleSource(warehouse.open(), settings, verdicts)
        return LakeSource(warehouse.root, verdicts)

    def exporter(self) -> "Exporter":
        """What a run needs; Spark starts when it is asked to write."""
        from adapters.clock import SystemClock
        from adapters.exports.running import Exporter

        rules = self.platform.open().rule_version
        return Exporter(self.store(), self.source(), self._engine(), SystemClock(), rules)

    def _engine(self) -> "Engine":
        if self.engine is ExportEngine.POLARS:
            from adapters.exports.polars_engine import PolarsEngine

            return PolarsEngine()
        from adapters.exports.spark_engine import SparkEngine

        return SparkEngine(self.spark.settings(), self.spark.session)
