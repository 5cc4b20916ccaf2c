"""Corporate actions out of LEAN's factor files.

What belongs here: reading the text of a factor file, and turning its cumulative factors back into
the splits and dividends that made them.
What does not: adjusting bars by those actions (adjustment.py), opening files.

A row of a factor file says what the bars up to and including its date are multiplied by: the price
factor for dividends, the split factor for splits. Its date is the last session before the
ex-date, its reference price that session's raw close.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.corporate_actions.plausible import plausible_actions
from market_data.errors import SchemaError
from market_data.schemas import CORPORATE_ACTIONS, UTC

_NO_CHANGE = 1e-9
_LARGEST_DENOMINATOR = 20
_SNAP = 1e-5

_FACTOR_ROWS = {
    "date": pl.String,
    "price_factor": pl.Float64,
    "split_factor": pl.Float64,
    "reference_price": pl.Float64,
}


def parse_factor_file(text: str) -> pl.DataFrame:
    """Read the text of a LEAN factor file.

    Returns:
        Columns date, price_factor, split_factor, reference_price, sorted by date.

    Raises:
        SchemaError: the text has not four columns, or a cell is no date or number.
    """
    try:
        rows = pl.read_csv(text.encode(), has_header=False, schema=_FACTOR_ROWS)
        return rows.with_columns(pl.col("date").str.to_date("%Y%m%d")).sort("date")
    except pl.exceptions.PolarsError as error:
        raise SchemaError(f"not a LEAN factor file: {error}") from error


def lean_actions(
    factor_rows: pl.DataFrame,
    *,
    symbol: str,
    sessions: pl.DataFrame,
    source: str = "lean",
    known_at: datetime | None = None,
    snap_splits: bool = False,
) -> pl.DataFrame:
    """The splits and dividends behind a factor file.

    Between two rows the price factor changes by 1 - D / C, C being the reference price of the
    earlier row, and the split factor by 1 / value.

    Args:
        factor_rows: date, price_factor, split_factor, reference_price, see `parse_factor_file`.
        symbol: the platform's symbol of the file.
        sessions: sessions of the exchange (column `session`); the ex-date is the first one after
            a row's date.
        source: what `source` says.
        known_at: when the actions could be known; None: at the start of their ex-date, UTC.
        snap_splits: replace a split by the ratio of small integers that the rounded factors stand
            for (the file keeps seven decimals: 2.0000056 is 2). Without it, adjusting by the
            actions gives the file's own factors; with it, they differ by the file's rounding, up
            to 3e-6.

    Returns:
        Rows of CORPORATE_ACTIONS sorted by ex_date, kind.

    Raises:
        SchemaError: a dividend has no positive reference price, a split or dividend cannot be (see
            plausible.py; factors multiply, so that one wrong row spoils those before it), or
            `sessions` does not reach past the last action.
    """
    events = (
        factor_rows.sort("date")
        .with_columns(
            dividend_factor=pl.col("price_factor") / pl.col("price_factor").shift(-1),
            split=pl.col("split_factor").shift(-1) / pl.col("split_factor"),
        )
        .filter(_changes("dividend_factor") | _changes("split"))
        .join_asof(
            sessions.select(ex_date="session").unique().sort("ex_date"),
            left_on="date",
            right_on="ex_date",
            strategy="forward",
            allow_exact_matches=False,
            coalesce=False,
        )
    )
    _refuse_incomplete(events, symbol)
    splits = events.filter(_changes("split")).select("ex_date", "split")
    dividends = events.filter(_changes("dividend_factor")).select(
        "ex_date",
        pl.lit("dividend").alias("kind"),
        value=pl.col("reference_price") * (1.0 - pl.col("dividend_factor")),
    )
    values = _small_ratio("split") if snap_splits else pl.col("split")
    known = (
        pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        if known_at is None
        else pl.lit(known_at, dtype=UTC)
    )
    actions = pl.concat(
        [dividends, splits.select("ex_date", pl.lit("split").alias("kind"), value=values)]
    ).with_columns(symbol=pl.lit(symbol), source=pl.lit(source), known_at=known)
    _refuse_implausible(actions, factor_rows, symbol)
    return CORPORATE_ACTIONS.conform(actions).sort("ex_date", "kind")


def _changes(column: str) -> pl.Expr:
    return ((pl.col(column) - 1.0).abs() > _NO_CHANGE).fill_null(value=False)


def _refuse_incomplete(events: pl.DataFrame, symbol: str) -> None:
    unpriced = events.filter(_changes("dividend_factor") & (pl.col("reference_price") <= 0))
    if not unpriced.is_empty():
        raise SchemaError(
            f"LEAN factors of {symbol}: no reference price on {unpriced.get_column('date')[0]}"
        )
    if events.get_column("ex_date").has_nulls():
        raise SchemaError(
            f"LEAN factors of {symbol}: no session is given after {events.get_column('date')[-1]}"
        )


def _refuse_implausible(actions: pl.DataFrame, factor_rows: pl.DataFrame, symbol: str) -> None:
    closes = factor_rows.select(
        pl.lit(symbol).alias("symbol"), session="date", close="reference_price"
    )
    _, bad = plausible_actions(actions, closes)
    if not bad.is_empty():
        day, reasons, row = bad.select(pl.col("ts").dt.date(), "reasons", "row").row(0)
        raise SchemaError(f"LEAN factors of {symbol}: {reasons} on {day}: {row}")


def _small_ratio(column: str) -> pl.Expr:
    """The ratio p / q of the smallest q within rounding, else the value itself."""
    value = pl.col(column)
    ratios = [(value * q).round() / q for q in range(1, _LARGEST_DENOMINATOR + 1)]
    return pl.coalesce(*[pl.when((r / value - 1.0).abs() < _SNAP).then(r) for r in ratios], value)
