"""Sentences about jumps: what a finding says of a step, or of bars that are wrong by it.

What belongs here: the words. What does not: finding steps, and their codes (jumps.py).
"""

from __future__ import annotations

import polars as pl


def sentence() -> pl.Expr:
    """What is told of a row of `market_data.quality.jumps.find_jumps`, by its columns."""
    other = pl.col("since").is_not_null()
    before_step = pl.col("until").is_not_null()
    return (
        pl.when(~pl.col("sure"))
        .then(_undecided())
        .when(pl.col("code") == "split_in_part")
        .then(_undivided())
        .when(before_step & other & (pl.col("until") == pl.col("since")))
        .then(_before())
        .when(before_step)
        .then(_began())
        .when(pl.col("ts") > pl.col("since"))
        .then(_still())
        .when(other)
        .then(_stepped() + ": it looks like a change between a currency and its cents")
        .otherwise(_stepped())
    )


def _at(text: str, *more: pl.Expr) -> pl.Expr:
    """A text about the time and close of a bar, then of other values."""
    return pl.format(f"at {{}} the close is {{}}, {text}", _moment("ts"), _price("close"), *more)


def _moment(column: str) -> pl.Expr:
    return pl.col(column).dt.strftime("%Y-%m-%d %H:%M")


def _price(column: str) -> pl.Expr:
    return pl.col(column).round_sig_figs(6)


def _stepped() -> pl.Expr:
    return pl.format(
        "at {} the close goes from {} to {}, which no split, dividend or false tick explains",
        _moment("ts"),
        _price("before"),
        _price("close"),
    )


def _still() -> pl.Expr:
    return _at(
        "in another unit since {}, when it was {}: it looks like a change between a currency and "
        "its cents, until the price steps back",
        _moment("since"),
        _price("before"),
    )


def _before() -> pl.Expr:
    return _at(
        "and {} from {} on: these bars are in another unit than the instrument's",
        _price("before"),
        _moment("until"),
    )


def _began() -> pl.Expr:
    return _at(
        "and {} from {} on: the first bars of the series are wrong",
        _price("before"),
        _moment("until"),
    )


def _undecided() -> pl.Expr:
    return _at(
        "and the price changes its unit on {} as it did around that day: neither the days before "
        "nor the registered currency tell which bars are right, so none of them is read",
        _moment("since"),
    )


def _undivided() -> pl.Expr:
    return _at(
        "and {} from {} on, days before a split of that ratio: the split was worked into the bars "
        "after it alone",
        _price("before"),
        _moment("until"),
    )
