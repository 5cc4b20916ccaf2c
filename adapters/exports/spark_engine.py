"""The engine for many machines: Spark.

What belongs here: a Spark frame into folders of units. What does not: the frame
(spark_reading.py), the session (spark_session.py, resources/spark.py).

Files are read back where they were written: by the executors of a cluster, by this process where
Spark runs in it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.exports.engine import Tell
from adapters.exports.files import Facts, all_facts, facts
from adapters.exports.settings import SparkSettings
from adapters.exports.sources import LakeReading, Reading
from adapters.exports.spark_reading import spark_frame
from market_data.errors import StorageError
from market_data.exports.jobs import MONTH, YEAR, ExportJob, Unit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_FORMATS = {YEAR: "yyyy", MONTH: "MM"}


class SparkEngine:
    """Writes with a session that starts when it is asked for.

    Args:
        settings: of Spark.
        session: starts it, or returns the one that runs.
    """

    name = "spark"

    def __init__(self, settings: SparkSettings, session: Callable[[], SparkSession]) -> None:
        self._settings = settings
        self._session = session

    def versions(self) -> Mapping[str, str]:
        """Of Python, Spark and Java."""
        spark = self._session()
        jvm = spark.sparkContext._jvm  # noqa: SLF001 - the way to Java's properties
        java = jvm.java.lang.System.getProperty("java.version") if jvm else ""
        return {
            "python": platform.python_version(),
            "spark": spark.version,
            "java": str(java),
        }

    def write(
        self, job: ExportJob, reading: Reading, units: Sequence[Unit], folder: Path, tell: Tell
    ) -> list[Facts]:
        """Write all units as one Spark job, see the protocol."""
        from pyspark.sql import Observation
        from pyspark.sql import functions as f

        if isinstance(reading, LakeReading) and not reading.paths(units):
            return []
        tell(f"{job.name}: starting Spark")
        spark = self._session()
        with _told(folder):
            frame = spark_frame(spark, self._settings, job, reading, units)
            if frame is None:
                return []
            tell(f"{job.name}: {len(units)} units, {spark.sparkContext.master}")
            for name in job.partitions:
                frame = frame.withColumn(name, f.date_format("session", _FORMATS[name]))
            entered = Observation()
            frame = frame.observe(entered, f.count(f.lit(1)).alias("rows"))
            writer = frame.write.mode("append").partitionBy(*job.partitions)
            writer.parquet(folder.resolve().as_uri())
        for checksum in folder.rglob(".*.crc"):
            checksum.unlink()
        made = _written(folder)
        tell(f"{job.name}: reading {len(made)} files back")
        found = read_back(spark, made)
        all_there(int(entered.get["rows"]), found, folder)
        return found


def _written(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.rglob("*.parquet"))]


def all_there(entered: int, found: Sequence[Facts], folder: Path) -> None:
    """Compare the rows that Spark began to write with those of the files that are there.

    Args:
        entered: rows that executors took.
        found: the files as they are seen here.
        folder: that they lie in.

    Raises:
        StorageError: they are not the same: an executor wrote elsewhere.
    """
    there = sum(file.rows for file in found)
    if there != entered:
        raise StorageError(
            f"executors wrote {entered:,} rows, the files below {folder} hold {there:,}: "
            "EMP_EXPORT_DIR has to be a folder that every worker shares with this machine, under "
            "the same path"
        )


def read_back(spark: SparkSession, paths: Sequence[str]) -> list[Facts]:
    """What files hold, looked at by the executors of a cluster."""
    context = spark.sparkContext
    if _is_local(str(context.master)) or not paths:
        return all_facts(paths)
    return context.parallelize(paths, len(paths)).map(facts).collect()


def _is_local(master: str) -> bool:
    return master == "local" or master.startswith("local[")


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """A disk without room in the platform's words."""
    from py4j.protocol import Py4JJavaError

    try:
        yield
    except Py4JJavaError as error:
        if "No space left on device" in str(error):
            raise StorageError(f"{folder} has no room left: make room on its disk") from None
        raise
