"""The quality score of every symbol-session of a curated dataset.

What belongs here: the score, its status, and the measured values that a score row keeps. What does
not: the checks (their outcomes are handed in), the checks of the scores themselves
(score_checks.py), people's decisions (annotations.py).

A score is the least of: coverage in bars; 0.75 where the freshness is unknown; and, where the
newest bar lags by more than the allowed `stale_warn`, 1 - (lag - allowed) / allowed, at least 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from market_data.ports.annotations import Annotation
from market_data.quality.annotations import heard_in, split_accepted
from market_data.quality.digest import bars_digest
from market_data.quality.findings import ERROR, KEY, CheckOutcome
from market_data.quality.thresholds import Thresholds
from market_data.quality.view import BarsView
from market_data.schemas import FINDINGS, SCORES

UNKNOWN_FRESHNESS = 0.75
GREEN, YELLOW, RED = "GREEN", "YELLOW", "RED"
_OUTLIERS = ("jump", "unit_error", "split_in_part", "false_tick", "wick")
_WHY_LOW = ("no_data", "coverage_error", "coverage_low", "stale")
"""Codes of what makes a score low."""


def score_sessions(
    view: BarsView,
    outcomes: Mapping[str, CheckOutcome],
    thresholds: Thresholds,
    *,
    rule_version: str,
    also: pl.DataFrame | None = None,
    decided: Collection[Annotation] = (),
) -> pl.DataFrame:
    """Score every symbol-session that is expected or holds bars.

    Args:
        view: a slice of a curated dataset.
        outcomes: what `evaluate_bars` said about it.
        thresholds: the limits.
        rule_version: version of the rules, kept in each row.
        also: rows of FINDINGS of further checks of the same slice.
        decided: decisions that stand. What is accepted counts neither in the status nor among the
            reasons; what was measured stays as it was. Who is preferred settles the drift of
            sessions for which the view has bars of that vendor.

    Returns:
        Rows of SCORES sorted by (symbol, session). The status is RED with any error or a score
        below score_error, YELLOW with any warning or a score below score_warn, else GREEN. A low
        score counts no more where all that makes it low is accepted.
    """
    found = pl.concat([*(o.findings for o in outcomes.values()), *([] if also is None else [also])])
    still_open, accepted = split_accepted(found, decided, heard=heard_in(view.peers, decided))
    frame = (
        _sessions(view, outcomes["coverage"].measured)
        .join(_null_rate(view), on=KEY, how="left")
        .join(_outliers(found), on=KEY, how="left")
        .join(outcomes["price_sanity"].measured.select(*KEY, flat_run="run"), on=KEY, how="left")
        .join(bars_digest(view.bars), on=KEY, how="left")
        .join(_judged(still_open), on=KEY, how="left")
        .join(_excused(accepted, still_open), on=KEY, how="left")
        .join(_duplicates(outcomes), on=KEY, how="left")
        .join(_refused(outcomes), on=KEY, how="left")
        .join(_drift(outcomes), on=KEY, how="left")
        .join(view.limits(thresholds), on="symbol", how="left")
    )
    scored = frame.with_columns(
        pl.col("outliers", "duplicates", "ohlc_violations").fill_null(0),
        # A bar alone is a run of one.
        pl.col("flat_run").fill_null((pl.col("observed") > 0).cast(pl.Int64)),
        pl.col("null_rate").fill_null(0.0),
        pl.col("reasons", "bars_digest").fill_null(""),
        pl.col("worst").fill_null(0),
        pl.col("excused").fill_null(value=False),
        score=score("coverage", "freshness_seconds", _seconds("stale_warn")),
        dataset=pl.lit(view.dataset),
        rule_version=pl.lit(rule_version),
    ).with_columns(status=_status())
    return SCORES.conform(scored).sort(KEY)


def score(coverage: str, freshness: str, allowed: pl.Expr) -> pl.Expr:
    """The score from the columns of coverage and freshness (seconds, null where unknown)."""
    lag = pl.col(freshness)
    late = pl.when(lag > allowed).then(1.0 - (lag - allowed) / allowed).otherwise(1.0)
    fresh = pl.when(lag.is_null()).then(UNKNOWN_FRESHNESS).otherwise(late.clip(0.0, 1.0))
    return pl.min_horizontal(pl.col(coverage), fresh)


def _sessions(view: BarsView, coverage: pl.DataFrame) -> pl.DataFrame:
    """What coverage measured, and the sessions that hold bars though none is expected."""
    lag = (pl.col("due") - pl.col("newest_end") - pl.col("pause")).dt.total_microseconds() / 1e6
    nothing_due = pl.col("closed") & (pl.col("expected") == 0)
    measured = coverage.with_columns(
        freshness_seconds=pl.when(pl.col("newest_end").is_not_null())
        .then(lag.clip(lower_bound=0))
        .when(nothing_due)
        .then(0.0)
    )
    unexpected = (
        view.bars.join(view.expected, on=KEY, how="anti")
        .group_by(KEY)
        .agg(observed=pl.col("ts").n_unique().cast(pl.Int64))
        .with_columns(
            expected=pl.lit(0, pl.Int64),
            coverage=pl.lit(1.0),
            gaps=pl.lit(0, pl.Int64),
            freshness_seconds=pl.lit(None, pl.Float64),
        )
    )
    columns = [*KEY, "expected", "observed", "coverage", "gaps", "freshness_seconds"]
    return pl.concat([measured.select(columns), unexpected.select(columns)])


def _null_rate(view: BarsView) -> pl.DataFrame:
    return view.bars.group_by(KEY).agg(null_rate=pl.col("volume").is_null().mean())


def _outliers(found: pl.DataFrame) -> pl.DataFrame:
    odd = found.filter(pl.col("code").is_in(list(_OUTLIERS)))
    return odd.group_by(KEY).agg(outliers=pl.col("rows").sum())


def _judged(found: pl.DataFrame) -> pl.DataFrame:
    """`reasons` and `worst` (1 warn, 2 error) per symbol-session."""
    rank = pl.when(pl.col("severity") == ERROR).then(2).otherwise(1)
    return (
        FINDINGS.conform(found)
        .group_by(KEY)
        .agg(reasons=pl.col("code").unique().sort().str.join(","), worst=rank.max())
    )


def _excused(accepted: pl.DataFrame, still_open: pl.DataFrame) -> pl.DataFrame:
    """Symbol-sessions whose low score is accepted, whatever made it: symbol, session, excused."""
    low = pl.col("code").is_in(list(_WHY_LOW))
    return (
        accepted.filter(low)
        .select(KEY)
        .unique()
        .join(still_open.filter(low), on=KEY, how="anti")
        .with_columns(excused=pl.lit(value=True))
    )


def _duplicates(outcomes: Mapping[str, CheckOutcome]) -> pl.DataFrame:
    both = pl.col("duplicates") + pl.col("contradictions")
    return outcomes["duplicates"].measured.select(*KEY, duplicates=both)


def _refused(outcomes: Mapping[str, CheckOutcome]) -> pl.DataFrame:
    return outcomes["ohlc"].measured.select(*KEY, ohlc_violations="refused")


def _drift(outcomes: Mapping[str, CheckOutcome]) -> pl.DataFrame:
    return outcomes["drift"].measured.select(*KEY, "drift_max")


def _status() -> pl.Expr:
    counts = ~pl.col("excused")
    red = (pl.col("worst") == 2) | (counts & (pl.col("score") < pl.col("score_error")))
    yellow = (pl.col("worst") == 1) | (counts & (pl.col("score") < pl.col("score_warn")))
    return pl.when(red).then(pl.lit(RED)).when(yellow).then(pl.lit(YELLOW)).otherwise(pl.lit(GREEN))


def _seconds(column: str) -> pl.Expr:
    return pl.col(column).dt.total_microseconds() / 1e6
