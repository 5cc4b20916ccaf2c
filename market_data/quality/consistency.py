"""Consistency: numbers that say the same thing twice and contradict each other.

What belongs here: daily bars against the bars within their day, adjusted closes against the
actions that they are made of, dividends against each other. What does not: vendors against each
other (drift.py), rows against themselves (ohlc.py).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from market_data.ordering import by_runs
from market_data.price_steps import price_step
from market_data.quality.findings import KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings

CHECK = "consistency"
PHANTOM_DAYS = timedelta(days=7)
"""No company pays two like dividends so soon after each other."""
PHANTOM_LIKENESS = 0.25
"""Relative difference of two dividends up to which they are alike."""


SPANS = {
    "symbol": pl.String(),
    "session": pl.Date(),
    "inner_high": pl.Float64(),
    "inner_low": pl.Float64(),
    "inner_close": pl.Float64(),
    "whole": pl.Boolean(),
}
"""What the bars within a session span; `whole` where none of them is missing."""


def spans(bars: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    """What bars within their days span.

    Args:
        bars: symbol, session, high, low, close of intraday bars, sorted by (symbol, ts).
        expected: rows of EXPECTED of their timeframe.

    Returns:
        Rows of SPANS.
    """
    spanned = by_runs(bars).agg(
        pl.col(KEY).first(),
        inner_high=pl.col("high").max(),
        inner_low=pl.col("low").min(),
        inner_close=pl.col("close").last(),
        bars=pl.len(),
    )
    return (
        spanned.join(expected.select(*KEY, "expected"), on=KEY, maintain_order="left")
        .with_columns(whole=pl.col("bars") >= pl.col("expected"))
        .select(list(SPANS))
    )


def check_against_intraday(
    daily: pl.DataFrame, within: pl.DataFrame, limits: pl.DataFrame, *, dataset: str
) -> CheckOutcome:
    """Report days that the bars within them contradict.

    Args:
        daily: symbol, session, high, low, close of the sessions to judge, on the sessions' own
            hours.
        within: rows of SPANS. Bars that are there may show that a day's range is too narrow; that
            it is too wide, or its close wrong, only all bars together can.
        limits: see `BarsView.limits`; `consistency` is the tolerance, relative.
        dataset: name of the dataset.

    Returns:
        Findings consistency (warn), one per symbol-session: `value` is the largest relative
        difference.
    """
    above = pl.col("inner_high") / pl.col("high") - 1
    below = 1 - pl.col("inner_low") / pl.col("low")
    apart = (pl.col("inner_close") / pl.col("close") - 1).abs()
    of_whole = pl.max_horizontal(above.abs(), below.abs(), apart)
    measured = (
        daily.select(*KEY, "high", "low", "close")
        .join(within, on=KEY, maintain_order="left")
        .join(limits.select("symbol", "consistency"), on="symbol", maintain_order="left")
        .with_columns(
            value=pl.when("whole").then(of_whole).otherwise(pl.max_horizontal(above, below))
        )
    )
    wrong = measured.filter(pl.col("value") > pl.col("consistency")).sort("session", "symbol")
    judged = wrong.with_columns(
        code=pl.lit("consistency"),
        severity=pl.lit(WARN),
        threshold="consistency",
        rows=pl.lit(1, dtype=pl.Int64),
        detail=pl.format(
            "high {}, low {}, close {} where the bars within the day have {}, {}, {}",
            "high",
            "low",
            "close",
            "inner_high",
            "inner_low",
            "inner_close",
        ),
    )
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=dataset),
        wrong.drop("consistency", "value").head(SAMPLE_ROWS),
        measured.select(*KEY, "value"),
    )


def check_adjustment_chain(
    bars: pl.DataFrame,
    actions: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    dataset: str,
    sessions: tuple[date, date],
) -> CheckOutcome:
    """Report sessions at which an adjusted close changes otherwise than its actions say.

    The adjusted close over the close as traded changes from one session to the next by
    (1 - dividend / close before) / split: the method of CRSP, which Yahoo follows too.

    Args:
        bars: symbol, session, close (as traded), adj_close (rows without one are left out) and
            fetch_id of one vendor's daily bars, sorted by (symbol, session). Two sessions are
            compared where one fetch told both: adjusted closes of different days have different
            bases.
        actions: rows of CORPORATE_ACTIONS that are known.
        limits: see `BarsView.limits`; `chain_tolerance` is relative, and beyond what the decimals
            of the closes leave open.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings adjustment_chain (warn): `value` is the factor by which the adjusted close
        changes, `threshold` the one that the actions give.
    """
    same = (pl.col("symbol") == pl.col("symbol").shift()) & (
        pl.col("fetch_id") == pl.col("fetch_id").shift()
    )
    factor = pl.col("adj_close") / pl.col("close")
    told_ones = bars.drop_nulls("adj_close")
    decimals = told_ones.group_by("symbol").agg(
        _close=price_step(["close"]), _adjusted=price_step(["adj_close"])
    )
    # Half a step of each of the four closes.
    open_part = pl.col("_close") / pl.col("close") + pl.col("_adjusted") / pl.col("adj_close")
    steps = (
        told_ones.select(
            *KEY,
            "close",
            "adj_close",
            before=pl.when(same).then(pl.col("session").shift()),
            close_before=pl.when(same).then(pl.col("close").shift()),
            value=pl.when(same).then(factor.shift() / factor),
        )
        .drop_nulls("before")
        .filter(pl.col("session").is_between(*sessions))
    )
    told = _expected_factors(steps, actions)
    wrong = (
        steps.join(told, on=KEY, how="left", maintain_order="left")
        .join(limits.select("symbol", "chain_tolerance"), on="symbol", maintain_order="left")
        .join(decimals, on="symbol", maintain_order="left")
        .with_columns(threshold=pl.col("told").fill_null(1.0))
        .filter(
            (pl.col("value") / pl.col("threshold") - 1).abs()
            > pl.col("chain_tolerance") + open_part
        )
        .sort("session", "symbol")
    )
    judged = wrong.with_columns(
        code=pl.lit("adjustment_chain"),
        severity=pl.lit(WARN),
        rows=pl.lit(1, dtype=pl.Int64),
        detail=pl.format(
            "the adjusted close of the session before counts {} times, by the recorded splits and "
            "dividends it should be {}",
            pl.col("value").round(6),
            pl.col("threshold").round(6),
        ),
    )
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=dataset),
        wrong.select(*KEY, "close_before", "close", "adj_close").head(SAMPLE_ROWS),
        steps.select(*KEY, "value"),
    )


def _expected_factors(steps: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    kind, value = pl.col("kind"), pl.col("value")
    return (
        actions.select("symbol", "ex_date", "kind", "value")
        .join(steps.select(*KEY, "before", "close_before"), on="symbol")
        .filter(pl.col("ex_date") > pl.col("before"), pl.col("ex_date") <= pl.col("session"))
        .group_by(KEY)
        .agg(
            split=value.filter(kind == "split").product(),
            cash=value.filter(kind == "dividend").sum(),
            close_before=pl.col("close_before").first(),
        )
        .select(*KEY, told=(1 - pl.col("cash") / pl.col("close_before")) / pl.col("split"))
    )


def check_phantom_dividends(
    actions: pl.DataFrame, *, dataset: str, sessions: tuple[date, date]
) -> CheckOutcome:
    """Report dividends that repeat one of a few days before, as a vendor makes by mistake.

    Args:
        actions: rows of CORPORATE_ACTIONS that are known, one per symbol, ex_date and kind.
        dataset: name of the dataset.
        sessions: first and last ex-date that is judged.

    Returns:
        Findings phantom_dividend (warn) at the later one: `value` is its amount, `threshold` the
        earlier one's.
    """
    paid = actions.filter(pl.col("kind") == "dividend").sort("symbol", "ex_date")
    same = pl.col("symbol") == pl.col("symbol").shift()
    near = same & (pl.col("ex_date") - pl.col("ex_date").shift() <= PHANTOM_DAYS)
    repeated = (
        paid.select(
            "symbol",
            session="ex_date",
            value="value",
            before=pl.when(near).then(pl.col("ex_date").shift()),
            threshold=pl.when(near).then(pl.col("value").shift()),
        )
        .drop_nulls("before")
        .filter(
            (pl.col("value") / pl.col("threshold") - 1).abs() <= PHANTOM_LIKENESS,
            pl.col("session").is_between(*sessions),
        )
        # A shift leaves a first chunk that the filters empty, and `pl.format` panics over it.
        .rechunk()
    )
    judged = repeated.with_columns(
        code=pl.lit("phantom_dividend"),
        severity=pl.lit(WARN),
        rows=pl.lit(1, dtype=pl.Int64),
        detail=pl.format(
            "a dividend of {} follows one of {} on {}: one of them may never have been paid",
            "value",
            "threshold",
            "before",
        ),
    )
    return CheckOutcome(findings(judged, check=CHECK, dataset=dataset), repeated.head(SAMPLE_ROWS))
