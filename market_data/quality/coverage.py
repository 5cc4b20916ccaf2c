"""Coverage: the bars that are there against those that the calendar expects.

What belongs here: counting bars and gaps per symbol-session, and judging their share. What does
not: what is expected (market_data/calendars), how late the newest bar is (staleness.py).

Sessions and bars are counted, never calendar days: flawless data scores exactly 1.0.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from market_data.ordering import repeats_key, runs
from market_data.quality.breaks import pause, with_breaks
from market_data.quality.findings import (
    ERROR,
    KEY,
    SAMPLE_ROWS,
    CheckOutcome,
    findings,
    grade,
    per_cent,
)
from market_data.quality.view import BarsView

CHECK = "coverage"


def measure_coverage(view: BarsView) -> pl.DataFrame:
    """Count bars and gaps of every expected symbol-session.

    Returns:
        symbol, session, expected, observed (whole bars with different starts), coverage
        (observed / expected, at most 1), gaps (runs of missing bars), closed (the session is over
        and the vendor's delay has passed), due (its close, or now less the delay while it runs),
        open, newest_end (end of the newest whole bar), pause (time of the lunch break between that
        end, or the open, and `due`: no bar was missed in it). While a session runs, `expected` is
        its share of bars by the time that has passed, the break left out. Where bars are expected
        in a part of the session alone, open and due are those of the part; bars outside it count
        all the same.
    """
    step = view.timeframe.duration
    due = pl.min_horizontal("close", pl.lit(view.now) - pl.col("delay"))
    return (
        _with_breaks(view)
        .join(_counted(view.finished, step), on=KEY, how="left")
        .with_columns(
            pl.col("observed", "holes").fill_null(0),
            closed=pl.col("close") + pl.col("delay") <= view.now,
        )
        .with_columns(
            open=pl.coalesce("expected_from", "open"), close=pl.coalesce("expected_until", "close")
        )
        .with_columns(due=due, expected=_expected_by(due))
        .with_columns(pause=pause(pl.max_horizontal("newest_end", "open"), pl.col("due")))
        .with_columns(
            coverage=pl.when(pl.col("expected") > 0)
            .then((pl.col("observed") / pl.col("expected")).clip(0, 1))
            .otherwise(1.0),
            gaps=_gaps(step),
        )
        .select(
            *KEY,
            "expected",
            "observed",
            "coverage",
            "gaps",
            "closed",
            "due",
            "open",
            "newest_end",
            "pause",
        )
        .sort(KEY)
    )


def check_coverage(
    view: BarsView, limits: pl.DataFrame, measured: pl.DataFrame | None = None
) -> CheckOutcome:
    """Judge the coverage of every session that is over.

    Codes: no_data (error: not one whole bar), coverage_error (error), coverage_low (warn). A
    session that runs is measured, not judged.

    Args:
        view: the slice.
        limits: see `BarsView.limits`.
        measured: what `measure_coverage` said of the slice, where that is known already.
    """
    measured = measure_coverage(view) if measured is None else measured
    severity, threshold = grade("coverage", "coverage_warn", "coverage_error", bad="below")
    empty = pl.col("observed") == 0
    judged = (
        measured.filter("closed", pl.col("expected") > 0)
        .join(limits, on="symbol")
        .with_columns(severity, threshold)
        .with_columns(
            severity=pl.when(empty).then(pl.lit(ERROR)).otherwise("severity"),
            threshold=pl.when(empty).then("coverage_error").otherwise("threshold"),
        )
        .drop_nulls("severity")
        .with_columns(
            code=pl.when(empty)
            .then(pl.lit("no_data"))
            .when(pl.col("severity") == ERROR)
            .then(pl.lit("coverage_error"))
            .otherwise(pl.lit("coverage_low")),
            value="coverage",
            rows=pl.col("expected") - pl.col("observed"),
            detail=pl.format(
                "{} of {} expected bars are there ({}), in {} gap(s)",
                "observed",
                "expected",
                per_cent("coverage"),
                "gaps",
            ),
        )
    )
    sample = judged.sort("coverage", "session", "symbol").head(SAMPLE_ROWS)
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=view.dataset),
        sample.select(*KEY, "expected", "observed", "coverage", "gaps", "newest_end"),
        measured,
    )


def _with_breaks(view: BarsView) -> pl.DataFrame:
    """The awaited sessions with their lunch breaks; a daily bar spans its own."""
    return with_breaks(view.awaited, view.instruments if view.timeframe.is_intraday else ())


def _counted(finished: pl.DataFrame, step: timedelta) -> pl.DataFrame:
    """Per symbol-session: observed, first, newest_end, holes (gaps between two bars)."""
    repeated = repeats_key(finished)
    bars = finished if repeated is None else finished.filter(~repeated)
    sessions = runs(bars)
    last = bars.get_column("end").gather(sessions.get_column("rows").cum_sum() - 1)
    return (
        sessions.with_columns(newest_end=last)
        .join(_holes(bars, step), on=KEY, how="left", maintain_order="left")
        .select(*KEY, "first", "newest_end", pl.col("holes").fill_null(0), observed="rows")
    )


def _holes(bars: pl.DataFrame, step: timedelta) -> pl.DataFrame:
    """Gaps between two bars of a session, but for its lunch break: symbol, session, holes."""
    ts = bars.get_column("ts")
    # Few bars do not follow upon the one before: only those are looked at.
    rows = (ts - ts.shift() != step).arg_true()
    here, before = bars[rows], bars[rows - 1]
    apart = here.with_columns(
        before["ts"].alias("ts_before"),
        same=pl.lit(before["session"] == here["session"]) & (before["symbol"] == here["symbol"]),
    )
    missing = _steps(pl.col("ts") - pl.col("ts_before"), step) - 1
    # the lunch break is the stretch of the day for which no bar is expected
    pause = _steps(pl.col("closes") - pl.col("opens") + step - timedelta(microseconds=1), step)
    pause = pause - pl.col("expected")
    return (
        apart.filter("same", missing > 0, missing != pause)
        .group_by(KEY)
        .agg(holes=pl.len().cast(pl.Int64))
    )


def _steps(span: pl.Expr, step: timedelta) -> pl.Expr:
    return span.dt.total_microseconds() // (step // timedelta(microseconds=1))


def _expected_by(due: pl.Expr) -> pl.Expr:
    """All bars of a session that is over, a share of those of one that runs."""

    def traded(until: pl.Expr) -> pl.Expr:
        span = until - pl.col("open") - pause(pl.col("open"), until)
        return span.dt.total_microseconds().clip(lower_bound=0)

    passed, length = traded(due), traded(pl.col("close"))
    share = pl.when(length > 0).then(pl.col("expected") * passed // length).otherwise(0)
    return share.cast(pl.Int64)


def _gaps(step: timedelta) -> pl.Expr:
    """Holes between bars, and what is missing at either end."""
    before = (pl.col("first") - pl.col("open") >= step).cast(pl.Int64)
    after = (
        (pl.col("due") - pl.col("newest_end") - pl.col("pause") >= step)
        | ((pl.col("due") == pl.col("close")) & (pl.col("newest_end") < pl.col("close")))
    ).cast(pl.Int64)
    return (
        pl.when(pl.col("observed") >= pl.col("expected"))
        .then(0)
        .when(pl.col("observed") == 0)
        .then(1)
        .otherwise(pl.col("holes") + before + after)
    )
