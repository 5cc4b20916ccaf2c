"""Confluence: which way the six timeframes of a symbol point, and whether they agree.

What belongs here: the rows of the group confluence, from regimes. What does not: regimes
(regimes.py), reading them (market_data/pipeline/feature_context.py).

The weights (1d 40, 4h 25, 1h 15, 15m 10, 5m 5, 1m 5) and the limit of 60 of 100 are those of the
lakehouse pipeline. A timeframe that is not known counts for neither side.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from market_data.features.definitions import CONFLUENCE_LIMIT, CONFLUENCE_WEIGHTS
from market_data.features.regimes import DOWN, UP
from market_data.features.registry import Kind, group_for
from market_data.timeframes import Timeframe

_KEY = ["symbol", "session"]
_ROW = ["symbol", "ts", "session", "available_at"]


def confluence(regimes: Mapping[Timeframe, pl.DataFrame], sessions: pl.DataFrame) -> pl.DataFrame:
    """One row per bar of the shortest timeframe that a symbol-session has.

    A row takes of each timeframe the newest bar that had ended when its own bar ended, if that is
    of its session or of the one before.

    Args:
        regimes: by timeframe symbol, ts, session, available_at, regime; of the sessions that rows
            are wanted of and of the session before them.
        sessions: symbol, session, number: sessions of each symbol's calendar in order.

    Returns:
        Columns of the group's schema, sorted by (symbol, ts).
    """
    group = group_for(Kind.CONFLUENCE)
    numbered = {
        # Of bars that are known at the same moment the newest counts.
        t: frame.join(sessions, on=_KEY, how="left").sort("available_at", "ts")
        for t, frame in regimes.items()
    }
    rows = _base_rows(numbered).sort("available_at")
    for name in CONFLUENCE_WEIGHTS:
        rows = _with_direction(rows, numbered.get(Timeframe(name)), name)
    return (
        rows.with_columns(_points())
        .with_columns(signal=_signal(), definition=pl.lit(group.definition))
        .sort("symbol", "ts")
        .select(pl.col(n).cast(t) for n, t in group.schema.dtypes.items())
    )


def _base_rows(regimes: Mapping[Timeframe, pl.DataFrame]) -> pl.DataFrame:
    """The bars of the shortest timeframe of each symbol-session."""
    told = [
        frame.select(*_ROW, "number", base=pl.lit(str(t)), length=pl.lit(t.minutes))
        for t, frame in sorted(regimes.items(), key=lambda item: item[0].minutes)
    ]
    if not told:
        told = [pl.DataFrame(schema=_BASE)]
    every = pl.concat(told)
    return every.filter(pl.col("length") == pl.col("length").min().over(_KEY)).drop("length")


_BASE = {
    **{n: group_for(Kind.CONFLUENCE).schema.dtypes[n] for n in _ROW},
    "number": pl.Int64(),
    "base": pl.String(),
    "length": pl.Int32(),
}


def _with_direction(rows: pl.DataFrame, regimes: pl.DataFrame | None, name: str) -> pl.DataFrame:
    column = f"direction_{name}"
    if regimes is None or regimes.is_empty():
        return rows.with_columns(pl.lit(None, pl.Int64).alias(column))
    direction = (
        pl.when(pl.col("regime") == UP).then(1).when(pl.col("regime") == DOWN).then(-1).otherwise(0)
    )
    told = regimes.select(
        "symbol",
        "available_at",
        _number="number",
        _direction=pl.when(pl.col("regime").is_not_null()).then(direction).cast(pl.Int64),
    )
    found = rows.join_asof(told, on="available_at", by="symbol", check_sortedness=False)
    fresh = pl.col("number") - pl.col("_number") <= 1
    return found.with_columns(pl.when(fresh).then("_direction").alias(column)).drop(
        "_number", "_direction"
    )


def _points() -> list[pl.Expr]:
    sides = {"points_up": 1, "points_down": -1}
    known = pl.sum_horizontal(
        pl.when(pl.col(f"direction_{name}").is_not_null()).then(weight).otherwise(0.0)
        for name, weight in CONFLUENCE_WEIGHTS.items()
    )
    return [
        *(
            pl.sum_horizontal(
                pl.when(pl.col(f"direction_{name}") == sign).then(weight).otherwise(0.0)
                for name, weight in CONFLUENCE_WEIGHTS.items()
            ).alias(column)
            for column, sign in sides.items()
        ),
        known.alias("points_known"),
    ]


def _signal() -> pl.Expr:
    return (
        pl.when(pl.col("points_known") <= CONFLUENCE_LIMIT)
        .then(None)
        .when(pl.col("points_up") > CONFLUENCE_LIMIT)
        .then(pl.lit("up"))
        .when(pl.col("points_down") > CONFLUENCE_LIMIT)
        .then(pl.lit("down"))
        .otherwise(pl.lit("none"))
    )
