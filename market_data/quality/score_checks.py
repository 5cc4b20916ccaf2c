"""The checks of the scores: the same six questions, asked of quality/scores.

What belongs here: whether scores are complete, current, plausible and steady. What does not: how a
score comes about (score.py).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.quality.findings import (
    ERROR,
    KEY,
    SAMPLE_ROWS,
    WARN,
    CheckOutcome,
    findings,
)
from market_data.quality.schema import check_schema, not_judged
from market_data.schemas import SCORES

DATASET = "quality/scores"
HISTORY_SESSIONS = 20
EVERY_SYMBOL = "*"
"""Symbol of a finding about a whole session."""

_ROW = ["dataset", *KEY]
_CHECKS = ("coverage", "staleness", "drift", "duplicates", "ohlc")


def evaluate_scores(
    scores: pl.DataFrame,
    curated: pl.DataFrame,
    *,
    sessions: tuple[date, date],
    rule_version: str | pl.Expr,
    score_shift: float,
) -> dict[str, CheckOutcome]:
    """Judge the scores of a range of sessions.

    Codes: coverage no_score (error: a curated symbol-session without a score); staleness
    score_outdated (warn: the bars changed since) and rules_changed (warn); drift score_shift (warn:
    the mean score of a dataset's session is lower than that of the sessions before); duplicates
    duplicate_rows (warn); ohlc inconsistent (error: impossible values); schema (error).

    Args:
        scores: rows of SCORES, of the range and, for comparison, of sessions before it.
        curated: dataset, symbol, session, bars_digest (market_data/quality/digest.py) of the
            stored bars of the range.
        sessions: first and last session judged.
        rule_version: version of the rules in force, or what tells it of each row of SCORES.
        score_shift: fall of the mean that is reported.

    Returns:
        One outcome per name, as `evaluate_bars`.
    """
    first, last = sessions
    wanted = curated.filter(pl.col("session").is_between(first, last))
    schema = check_schema(scores, SCORES, dataset=DATASET, expected=wanted)
    if scores.columns != SCORES.names or dict(scores.schema) != SCORES.dtypes:
        return {"schema": schema} | {name: not_judged(name, schema) for name in _CHECKS}
    ranged = scores.filter(pl.col("session").is_between(first, last))
    return {
        "schema": schema,
        "coverage": _coverage(ranged, wanted),
        "staleness": _staleness(ranged, wanted, rule_version),
        "drift": _drift(scores, sessions, score_shift),
        "duplicates": _duplicates(ranged),
        "ohlc": _consistency(ranged),
    }


def _outcome(check: str, found: pl.DataFrame, measured: pl.DataFrame) -> CheckOutcome:
    """Findings and their own rows as the sample."""
    sample = found.sort("session", "symbol").head(SAMPLE_ROWS)
    return CheckOutcome(findings(found, check=check, dataset=DATASET), sample, measured)


def _coverage(scores: pl.DataFrame, curated: pl.DataFrame) -> CheckOutcome:
    """A score for every curated symbol-session."""
    there = scores.select(_ROW).unique().with_columns(observed=pl.lit(1))
    keys = curated.select(_ROW).unique().join(there, on=_ROW, how="left")
    measured = (
        keys.group_by(KEY)
        .agg(
            expected=pl.len().cast(pl.Int64),
            observed=pl.col("observed").count().cast(pl.Int64),
            missing=pl.col("dataset").filter(pl.col("observed").is_null()).sort().str.join(", "),
        )
        .with_columns(coverage=pl.col("observed") / pl.col("expected"))
        .sort(KEY)
    )
    found = measured.filter(pl.col("observed") < pl.col("expected")).with_columns(
        code=pl.lit("no_score"),
        severity=pl.lit(ERROR),
        value="coverage",
        threshold=pl.lit(1.0),
        rows=pl.col("expected") - pl.col("observed"),
        detail=pl.format("no score for {}", "missing"),
    )
    return _outcome("coverage", found, measured)


def _staleness(
    scores: pl.DataFrame, curated: pl.DataFrame, rule_version: str | pl.Expr
) -> CheckOutcome:
    """Scores that speak of other bars than the stored ones, or by other rules."""
    now = curated.select(*_ROW, stored="bars_digest")
    measured = scores.select(*_ROW, "bars_digest", "rule_version").join(now, on=_ROW, how="left")
    cases = (
        # A session without bars is scored with an empty digest.
        ("score_outdated", pl.col("stored").fill_null("") != pl.col("bars_digest"), "its bars"),
        ("rules_changed", pl.col("rule_version") != rule_version, "the rules"),
    )
    found = pl.concat(
        measured.filter(outdated)
        .group_by(KEY)
        .agg(rows=pl.len(), datasets=pl.col("dataset").sort().str.join(", "))
        .with_columns(
            code=pl.lit(code),
            severity=pl.lit(WARN),
            value=pl.lit(None, pl.Float64),
            threshold=pl.lit(None, pl.Float64),
            detail=pl.format(f"older than {what}: {{}}", "datasets"),
        )
        for code, outdated, what in cases
    )
    return _outcome("staleness", found, measured.sort(KEY))


def _drift(scores: pl.DataFrame, sessions: tuple[date, date], limit: float) -> CheckOutcome:
    """Falls of a dataset's mean score against the mean of its sessions before."""
    means = (
        scores.group_by("dataset", "session")
        .agg(mean=pl.col("score").mean(), rows=pl.len())
        .sort("dataset", "session")
        .with_columns(
            before=pl.col("mean")
            .shift()
            .rolling_mean(HISTORY_SESSIONS, min_samples=1)
            .over("dataset")
        )
    )
    measured = means.filter(pl.col("session").is_between(*sessions)).with_columns(
        symbol=pl.lit(EVERY_SYMBOL), fall=pl.col("before") - pl.col("mean")
    )
    found = measured.filter(pl.col("fall") > limit).with_columns(
        code=pl.lit("score_shift"),
        severity=pl.lit(WARN),
        value="fall",
        threshold=pl.lit(limit),
        detail=pl.format(
            "the mean score of {} is {}, before it was {}",
            "dataset",
            pl.col("mean").round(3),
            pl.col("before").round(3),
        ),
    )
    return _outcome("drift", found, measured)


def _duplicates(scores: pl.DataFrame) -> CheckOutcome:
    """Symbol-sessions scored twice."""
    measured = scores.group_by(KEY).agg(
        duplicates=pl.len().cast(pl.Int64) - pl.col("dataset").n_unique().cast(pl.Int64)
    )
    found = measured.filter(pl.col("duplicates") > 0).with_columns(
        code=pl.lit("duplicate_rows"),
        severity=pl.lit(WARN),
        value=pl.col("duplicates").cast(pl.Float64),
        threshold=pl.lit(0.0),
        rows="duplicates",
        detail=pl.format("{} score(s) repeat another", "duplicates"),
    )
    return _outcome("duplicates", found, measured.sort(KEY))


def _consistency(scores: pl.DataFrame) -> CheckOutcome:
    """Values that cannot be: a share outside 0 and 1, negative counts, an unknown status."""
    counts = ["expected", "observed", "gaps", "duplicates", "ohlc_violations", "outliers"]
    shares = ["coverage", "null_rate", "score"]
    possible = pl.all_horizontal(
        *(pl.col(c).is_between(0, 1) & pl.col(c).is_not_nan() for c in shares),
        *(pl.col(c) >= 0 for c in [*counts, "flat_run"]),
        pl.col("score") <= pl.col("coverage") + 1e-9,
        pl.col("status").is_in(["GREEN", "YELLOW", "RED"]),
        (pl.col("drift_max") >= 0).fill_null(value=True),
    )
    broken = scores.filter(~possible)
    found = broken.group_by(KEY).agg(
        code=pl.lit("inconsistent"),
        severity=pl.lit(ERROR),
        value=pl.col("score").min(),
        threshold=pl.lit(None, pl.Float64),
        rows=pl.len(),
        detail=pl.format("impossible values in the score of {}", pl.col("dataset").str.join(", ")),
    )
    measured = scores.group_by(KEY).agg(rows=pl.len().cast(pl.Int64)).sort(KEY)
    refused = broken.group_by(KEY).agg(refused=pl.len().cast(pl.Int64))
    counted = measured.join(refused, on=KEY, how="left", maintain_order="left").with_columns(
        pl.col("refused").fill_null(0)
    )
    return CheckOutcome(
        findings(found, check="ohlc", dataset=DATASET),
        broken.sort("session", "symbol").head(SAMPLE_ROWS),
        counted,
    )
