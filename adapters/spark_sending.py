"""Work in the executors of a Spark cluster: groups of rows go out, and come back, as Arrow.

What belongs here: sending groups out in waves, each as the bytes of its Arrow data, so that no type
is translated on its way in either direction. What does not: how rows are cut into groups, and what
is made of them (spark_curation.py, spark_features.py).

Executors run the same Python environment with this program in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

WAVE = 256 << 20
"""Bytes that are sent out at a time."""
_SCHEMA = "part string, rows binary"

Work = Callable[[bytes], Mapping[str, pl.DataFrame]]
"""Runs in an executor: from a group to frames by name."""


def waves(groups: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Groups, as many at a time as `WAVE` holds; none is made before it is asked for."""
    wave: list[bytes] = []
    size = 0
    for group in groups:
        if wave and size + len(group) > WAVE:
            yield wave
            wave, size = [], 0
        wave.append(group)
        size += len(group)
    if wave:
        yield wave


def sent_out(
    spark: SparkSession, wave: list[bytes], opened: Callable[[], Work]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """What executors make of the groups of a wave: names and frames, in no order.

    Args:
        spark: the session.
        wave: groups.
        opened: what an executor begins with; gives the work on a group.
    """
    import pyarrow as pa

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        made = opened()
        for batch in batches:
            for group in batch.column("rows").to_pylist():
                yield as_batch(made(group))

    sent = spark.createDataFrame(pa.table({"rows": pa.array(wave, pa.binary())}))
    many = min(len(wave), max(spark.sparkContext.defaultParallelism, 1) * 4)
    answered = sent.repartition(many).mapInArrow(work, _SCHEMA).toArrow()
    for part, rows in zip(answered["part"].to_pylist(), answered["rows"].to_pylist(), strict=True):
        yield part, pl.read_ipc(BytesIO(rows))


def as_batch(frames: Mapping[str, pl.DataFrame]) -> pa.RecordBatch:
    """Frames by name as one Arrow batch: columns part, rows."""
    import pyarrow as pa

    return pa.record_batch(
        {
            "part": pa.array(list(frames), pa.string()),
            "rows": pa.array([as_bytes(frame) for frame in frames.values()], pa.binary()),
        }
    )


def as_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as the bytes of its Arrow data."""
    out = BytesIO()
    frame.write_ipc(out, compression="lz4")
    return out.getvalue()
