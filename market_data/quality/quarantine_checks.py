"""The checks of the log of refused rows: whole, of today's rules, steady.

What belongs here: whether the log says what curation says now, and whether more is refused than
usual. What does not: what curation refuses (market_data/curation), gathering either
(market_data/pipeline/quarantine_inspection.py), rows that a reader refused: they are in no raw log,
so nothing but their archived answer can be compared with.
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
    per_cent,
    together,
)
from market_data.quality.schema import check_schema, not_judged
from market_data.schemas import REFUSED_ROWS
from market_data.timeframes import Timeframe

DATASET = "curated/quarantine"
CHECKS = {
    "schema": "Columns and types are those that the dataset promises, and the words are known.",
    "coverage": "Every row that curation refuses is kept, so that none is lost without a word.",
    "staleness": "What is open is refused by the rules in force, and for the reasons given.",
    "drift": "No larger share of a symbol's rows is refused than in the sessions before.",
}
HISTORY_SESSIONS = 20
LEAST_HISTORY = 5
"""Sessions that a session is compared with, at most and at least."""
SHARES = {
    "symbol": pl.String(),
    "timeframe": pl.String(),
    "session": pl.Date(),
    "rows": pl.Int64(),
    "refused": pl.Int64(),
}
"""Rows that came, and those of them that stand refused."""

_ROW = ["vendor", "timeframe", "symbol", "ts", "row"]
"""What a refused row is, whatever it was refused for."""
_WORDS = {
    "timeframe": [str(t) for t in Timeframe],
    "stage": ["fetch", "curate"],
    "status": ["open", "resolved", "replayed", "dropped"],
}
_SHOWN = ["vendor", "timeframe", "symbol", "session", "ts", "reasons", "row"]


def evaluate_quarantine(
    log: pl.DataFrame,
    refused: pl.DataFrame,
    shares: pl.DataFrame,
    *,
    held: pl.DataFrame,
    sessions: tuple[date, date],
    refused_shift: float,
) -> dict[str, CheckOutcome]:
    """Judge the log of refused rows over a range of sessions.

    Codes: schema (error: columns, types, empty cells, words that nobody knows); coverage not_kept
    (error: curation refuses a row that is not in the log); staleness no_longer_refused (warn: an
    open row that the rules in force accept) and refused_otherwise (warn: a row that they refuse for
    other reasons than the log gives, or that it calls mended); drift refused_shift (warn).

    Args:
        log: rows of REFUSED_ROWS of the range, whatever became of them.
        refused: rows of QUARANTINE that curation refuses of the range's raw bars now.
        shares: rows of SHARES, of the range and of the sessions before it.
        held: symbol, session of what was tried.
        sessions: first and last session judged.
        refused_shift: rise of the share that is reported.

    Returns:
        One outcome per name of CHECKS.
    """
    shape = check_schema(log, REFUSED_ROWS, dataset=DATASET, expected=held)
    if log.columns != REFUSED_ROWS.names or dict(log.schema) != REFUSED_ROWS.dtypes:
        return {"schema": shape} | {n: not_judged(n, shape) for n in CHECKS if n != "schema"}
    curated = log.filter(pl.col("stage") == "curate")
    return {
        "schema": together([shape, _words(log)]),
        "coverage": _coverage(curated, refused),
        "staleness": together([_no_longer(curated, refused), _otherwise(curated, refused)]),
        "drift": _drift(shares, sessions, refused_shift),
    }


def _words(log: pl.DataFrame) -> CheckOutcome:
    """Rows with a word that no reader of the log expects: nobody would find them."""
    strange = log.filter(~pl.all_horizontal(pl.col(c).is_in(w) for c, w in _WORDS.items()))
    found = _by_key(strange, "schema", ERROR, "{} row(s) whose stage, status or timeframe is none")
    return CheckOutcome(findings(found, check="schema", dataset=DATASET), strange.head(SAMPLE_ROWS))


def _coverage(log: pl.DataFrame, refused: pl.DataFrame) -> CheckOutcome:
    """A row of the log for every row that curation refuses, whatever the log says of it."""
    kept = log.select(_ROW).unique().with_columns(kept=pl.lit(value=True))
    both = refused.join(kept, on=_ROW, how="left", nulls_equal=True)
    measured = (
        both.group_by(KEY)
        .agg(expected=pl.len().cast(pl.Int64), observed=pl.col("kept").count().cast(pl.Int64))
        .with_columns(coverage=pl.col("observed") / pl.col("expected"))
        .sort(KEY)
    )
    lost = both.filter(pl.col("kept").is_null())
    found = (
        _by_key(lost, "not_kept", ERROR, "{} refused row(s) are kept nowhere: {}")
        .drop("value", "threshold")
        .join(measured, on=KEY)
        .with_columns(value="coverage", threshold=pl.lit(1.0))
    )
    return CheckOutcome(findings(found, check="coverage", dataset=DATASET), _shown(lost), measured)


def _no_longer(log: pl.DataFrame, refused: pl.DataFrame) -> CheckOutcome:
    """Open rows that the rules in force accept: bars that readers could have and do not."""
    opened = log.filter(pl.col("status") == "open")
    gone = opened.join(refused, on=_ROW, how="anti", nulls_equal=True)
    found = _by_key(gone, "no_longer_refused", WARN, "{} open row(s) would be accepted now: {}")
    measured = opened.group_by(KEY).agg(open=pl.len().cast(pl.Int64)).sort(KEY)
    return CheckOutcome(findings(found, check="staleness", dataset=DATASET), _shown(gone), measured)


def _otherwise(log: pl.DataFrame, refused: pl.DataFrame) -> CheckOutcome:
    """Rows that are kept, of which the log says something else than curation does."""
    known = refused.join(log, on=_ROW, how="semi", nulls_equal=True)
    # Who drops a row says so once; that it is refused again changes nothing.
    said = log.filter(pl.col("status").is_in(["open", "dropped"]))
    other = known.join(said, on="row_id", how="anti")
    text = "{} row(s) are refused for other reasons than the log gives, or called mended: {}"
    found = _by_key(other, "refused_otherwise", WARN, text)
    return CheckOutcome(findings(found, check="staleness", dataset=DATASET), _shown(other))


def _by_key(rows: pl.DataFrame, code: str, severity: str, text: str) -> pl.DataFrame:
    """One finding per symbol and session; the second place of the text is for the reasons."""
    reasons = [pl.col("reasons").unique().sort().str.join("; ")]
    places = text.count("{}") - 1
    return (
        rows.drop_nulls("session")
        .group_by(KEY)
        .agg(detail=pl.format(text, pl.len(), *reasons[:places]), rows=pl.len())
        .with_columns(
            code=pl.lit(code),
            severity=pl.lit(severity),
            value=pl.col("rows").cast(pl.Float64),
            threshold=pl.lit(0.0),
        )
    )


def _shown(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("session", "symbol", "ts").select(_SHOWN).head(SAMPLE_ROWS)


def _drift(shares: pl.DataFrame, sessions: tuple[date, date], limit: float) -> CheckOutcome:
    """Rises of a symbol's share of refused rows over the median of its sessions before.

    Each timeframe by itself: among minutes nobody would see that all the hours are gone.
    """
    series = ["symbol", "timeframe"]
    usual = (
        pl.col("share")
        .shift()
        .rolling_median(HISTORY_SESSIONS, min_samples=LEAST_HISTORY)
        .over(series)
    )
    measured = (
        shares.sort(*series, "session")
        .with_columns(share=pl.col("refused") / pl.max_horizontal("rows", "refused", pl.lit(1)))
        .with_columns(usual=usual)
        .with_columns(rise=pl.col("share") - pl.col("usual"))
        .filter(pl.col("session").is_between(*sessions))
        .select(*KEY, "timeframe", "rows", "refused", "share", "usual", "rise")
        .sort(*KEY, "timeframe")
    )
    rising = measured.filter(pl.col("rise") > limit)
    worst = (
        rising.sort("rise", "timeframe")
        .group_by(KEY, maintain_order=True)
        .last()
        .with_columns(
            code=pl.lit("refused_shift"),
            severity=pl.lit(WARN),
            value="rise",
            threshold=pl.lit(limit),
            detail=pl.format(
                "{} of the {} rows are refused, in the sessions before it was {}",
                per_cent("share"),
                "timeframe",
                per_cent("usual"),
            ),
            rows="refused",
        )
    )
    return CheckOutcome(
        findings(worst, check="drift", dataset=DATASET), rising.head(SAMPLE_ROWS), measured
    )
