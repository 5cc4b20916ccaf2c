"""Curation inside the executors of a Spark cluster: the same function, many processes.

What belongs here: cutting what a slice is curated from into groups, one symbol and one stretch of
sessions each, sending them out as Arrow and putting the results together. What does not: the rules
(market_data/curation), reading and storing (market_data/pipeline/curate.py).

Curation is local to a session and a symbol, so that the groups together give what the whole gives.
A group travels as the bytes of its Arrow data, in both directions: no type is translated on its
way. Executors run the same Python environment with this program in it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl

from market_data.calendar_versions import calendar_name, rules_of, versioned
from market_data.curation import CurationInput, CurationResult, curate

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

WAVE = 256 << 20
"""Bytes that are sent out at a time. Beside the rows of the slice and the results so far the driver
holds no more than these and the rows of one symbol."""
GROUP_ROWS = 50_000
"""Rows of a symbol from which on its months are groups of their own."""
NATIVE, MINUTES = "native", "minutes"
_KIND, _PERIOD = "_kind", "_period"
_PARTS = ("bars", "quarantined", "drift", "counts")
_SCHEMA = "part string, rows binary"


class SparkCurator:
    """Curates slices with a session that starts when it is asked for.

    Args:
        session: starts it, or returns the one that runs.
    """

    def __init__(self, session: Callable[[], SparkSession]) -> None:
        self._session = session

    def __call__(self, given: CurationInput) -> CurationResult:
        """What `curate` gives; see there for errors."""
        if all(frame.is_empty() for frame in (*given.native, *given.minutes)):
            return curate(given)
        spark = self._session()
        rules = spark.sparkContext.broadcast(_without_rows(given))
        try:
            found: dict[str, list[pl.DataFrame]] = {part: [] for part in _PARTS}
            for wave in _waves(_groups(given)):
                for part, rows in _run(spark, wave, rules):
                    found[part].append(pl.read_ipc(BytesIO(rows)))
        finally:
            rules.destroy()  # a backfill makes thousands of them
        return _together(given, found)


def _groups(given: CurationInput) -> Iterator[bytes]:
    """The raw rows of each symbol and stretch, as bytes, one after the other."""
    frames = [
        (kind, number, frame)
        for kind, listed in ((NATIVE, given.native), (MINUTES, given.minutes))
        for number, frame in enumerate(listed)
        if not frame.is_empty()
    ]
    counted = [frame.group_by("symbol").len() for _, _, frame in frames]
    if not counted:
        return
    heights = pl.concat(counted).group_by("symbol").agg(pl.col("len").sum())
    # The largest first: the last to end are small.
    for symbol, height in heights.sort("len", "symbol", descending=[True, False]).iter_rows():
        rows = pl.concat(
            [
                frame.filter(pl.col("symbol") == symbol).with_columns(
                    pl.lit(kind).alias(_KIND), pl.lit(number).alias("_frame")
                )
                for kind, number, frame in frames
            ],
            how="diagonal",
        )
        stretch = "%Y-%m" if height > GROUP_ROWS else "%Y"
        parts = rows.with_columns(pl.col("session").dt.strftime(stretch).alias(_PERIOD))
        for part in parts.partition_by(_PERIOD, maintain_order=True):
            yield _bytes(part.drop(_PERIOD))


def _waves(groups: Iterable[bytes]) -> Iterator[list[bytes]]:
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


def _run(spark: SparkSession, wave: list[bytes], rules: Any) -> list[tuple[str, bytes]]:
    """Curate groups, each as a row of an Arrow batch."""
    import pyarrow as pa

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        given = _opened(rules.value)
        for batch in batches:
            for group in batch.column("rows").to_pylist():
                yield _curated(given, group)

    sent = spark.createDataFrame(pa.table({"rows": pa.array(wave, pa.binary())}))
    many = min(len(wave), max(spark.sparkContext.defaultParallelism, 1) * 4)
    answered = sent.repartition(many).mapInArrow(work, _SCHEMA).toArrow()
    return list(
        zip(answered.column("part").to_pylist(), answered.column("rows").to_pylist(), strict=True)
    )


def _curated(given: CurationInput, group: bytes) -> pa.RecordBatch:
    """One group, in an executor."""
    import pyarrow as pa

    rows = pl.read_ipc(BytesIO(group))
    symbols = set(rows["symbol"].unique())
    result = curate(
        replace(
            given,
            native=_frames(rows, NATIVE),
            minutes=_frames(rows, MINUTES),
            instruments=[i for i in given.instruments if i.symbol in symbols],
        )
    )
    parts = {name: getattr(result, name) for name in _PARTS}
    return pa.record_batch(
        {
            "part": pa.array(list(parts), pa.string()),
            "rows": pa.array([_bytes(frame) for frame in parts.values()], pa.binary()),
        }
    )


def _frames(rows: pl.DataFrame, kind: str) -> list[pl.DataFrame]:
    """The frames of a kind as they were, in their order; minutes alone have `asked_at`."""
    mine = rows.filter(pl.col(_KIND) == kind)
    left = [_KIND, "_frame", *(["asked_at"] if kind == NATIVE else [])]
    parts = mine.sort("_frame", maintain_order=True).partition_by("_frame", maintain_order=True)
    return [part.drop(left, strict=False) for part in parts]


def _together(given: CurationInput, found: dict[str, list[pl.DataFrame]]) -> CurationResult:
    """The results of all groups in the order in which `curate` gives them."""
    empty = curate(replace(given, native=(), minutes=()))
    frames = {part: pl.concat([getattr(empty, part), *found[part]]) for part in _PARTS}
    return CurationResult(
        frames["bars"].sort("symbol", "ts"),
        frames["quarantined"].sort("symbol", "ts", "row_id"),
        frames["drift"].sort("symbol", "session"),
        frames["counts"].sort("vendor", "timeframe", "symbol", "session"),
    )


def _without_rows(given: CurationInput) -> bytes:
    """All but the rows, and what the configuration of this process says of the calendars."""
    calendars = {i.calendar: rules_of(i.calendar) for i in given.instruments}
    return pickle.dumps((replace(given, native=(), minutes=()), calendars))


def _opened(sent: bytes) -> CurationInput:
    """The same in a process that has loaded no configuration."""
    given: CurationInput
    given, calendars = pickle.loads(sent)  # noqa: S301 - sent by this program
    for code, rules in calendars.items():
        if calendar_name(code) != code:
            versioned(code, {calendar_name(code): rules})
    return given


def _bytes(frame: pl.DataFrame) -> bytes:
    out = BytesIO()
    frame.write_ipc(out, compression="lz4")
    return out.getvalue()
