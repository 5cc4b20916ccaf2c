"""Features inside the executors of a Spark cluster: the same function, many processes.

What belongs here: cutting series into groups, one symbol and one stretch of sessions each, and
putting what comes back in the form that it has here. What does not: the arithmetic
(market_data/features), reading and storing (market_data/pipeline/features.py), how groups travel
(spark_sending.py).

A row is made of bars of its own symbol alone, and its bits depend on nothing else: the groups
together give what the whole gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from adapters.spark_sending import Work, as_bytes, sent_out, waves
from market_data.features.compute import compute
from market_data.features.registry import FeatureGroup, Kind, group_of
from market_data.pipeline.features import Part

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_FIRST, _LAST = "_first", "_last"


class SparkFeatures:
    """Makes the rows of series with a session that starts when it is asked for.

    Args:
        session: starts it, or returns the one that runs.
    """

    def __init__(self, session: Callable[[], SparkSession]) -> None:
        self._session = session

    def __call__(
        self, parts: Iterable[Part], groups: Sequence[FeatureGroup]
    ) -> Iterator[dict[Kind, pl.DataFrame]]:
        """What `market_data.pipeline.features.computed` gives, symbol by symbol, in any order."""
        keys = [group.key for group in groups]
        for wave in waves(_groups(parts)):
            for part, rows in sent_out(self._session(), wave, lambda: _work(keys)):
                yield {Kind(part): rows}


def _groups(parts: Iterable[Part]) -> Iterator[bytes]:
    """The series of each symbol and part, as bytes, one after the other."""
    for series, (first, last) in parts:
        wanted = series.with_columns(pl.lit(first).alias(_FIRST), pl.lit(last).alias(_LAST))
        for own in wanted.partition_by("symbol", maintain_order=True):
            yield as_bytes(own)


def _work(keys: Sequence[str]) -> Work:
    """The work of an executor."""
    groups = [group_of(key) for key in keys]
    return lambda group: _computed(groups, group)


def _computed(groups: Sequence[FeatureGroup], group: bytes) -> dict[str, pl.DataFrame]:
    """One group, in an executor."""
    given = pl.read_ipc(BytesIO(group))
    sessions: tuple[date, date] = given.select(_FIRST, _LAST).row(0)
    made = compute(given.drop(_FIRST, _LAST), groups, sessions)
    return {str(kind): rows for kind, rows in made.items()}
