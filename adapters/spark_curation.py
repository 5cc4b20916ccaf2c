"""Curation inside the executors of a Spark cluster: the same function, many processes.

What belongs here: cutting what a slice is curated from into groups, one symbol and one stretch of
sessions each, and putting the results together. What does not: the rules (market_data/curation),
reading and storing (market_data/pipeline/curate.py), how groups travel (spark_sending.py).

Curation is local to a session and a symbol, so that the groups together give what the whole gives.
Beside the rows of the slice and the results so far the driver holds no more than a wave of groups
and the rows of one symbol.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from adapters.spark_sending import Work, as_bytes, sent_out, waves
from market_data.calendar_versions import calendar_name, rules_of, versioned
from market_data.curation import CurationInput, CurationResult, curate

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GROUP_ROWS = 50_000
"""Rows of a symbol from which on its months are groups of their own."""
NATIVE, MINUTES = "native", "minutes"
_KIND, _PERIOD = "_kind", "_period"
_PARTS = ("bars", "quarantined", "drift", "counts")


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
            for wave in waves(_groups(given)):
                for part, rows in sent_out(spark, wave, lambda: _work(rules.value)):
                    found[part].append(rows)
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
            yield as_bytes(part.drop(_PERIOD))


def _work(rules: bytes) -> Work:
    """The work of an executor."""
    given = _opened(rules)
    return lambda group: _curated(given, group)


def _curated(given: CurationInput, group: bytes) -> Mapping[str, pl.DataFrame]:
    """One group, in an executor."""
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
    return {name: getattr(result, name) for name in _PARTS}


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
