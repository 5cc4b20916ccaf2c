"""Health: one word for a dataset, and why.

What belongs here: how a symbol-session's score and findings become its status, and how those of
many become the dataset's. What does not: gathering them (market_data/pipeline/health.py), the score
itself (score.py), what a finding does to data and runs (actions.py).

A dataset is judged by the sessions that were over at a moment, `as_of`, and those that run late.
What is known of them is what is known now: bars that were fetched or mended later count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from market_data.quality.findings import ERROR, KEY, WARN
from market_data.quality.health_reasons import (
    Reason,
    reasons_of_classes,
    reasons_of_codes,
    reasons_of_named,
    reasons_of_symbols,
)
from market_data.quality.score import GREEN, RED, YELLOW
from market_data.schemas import FINDINGS, SCORES

_ABSENT = "no_data"
_LATE = "stale"
_UNSCORED = "no_score"

JUDGED = pl.Schema(
    {
        "symbol": pl.String(),
        "session": pl.Date(),
        "status": pl.String(),
        "score": pl.Float64(),
        "coverage": pl.Float64(),
        "errors": pl.UInt32(),
        "warnings": pl.UInt32(),
        "codes": pl.String(),
    }
)
"""Columns of `judge_sessions`: `errors` and `warnings` count findings, `codes` are theirs,
comma-separated; score and coverage are null where there is no score."""


@dataclass(frozen=True)
class Health:
    """The verdict over a dataset.

    Attributes:
        dataset: its name.
        as_of: sessions that were over by then are judged, UTC.
        sessions: first and last day of the window.
        status: GREEN, YELLOW or RED.
        reasons: why it is not GREEN, the worst first; empty where it is.
        symbols: how many have a session in the window.
        counts: symbol-sessions by status.
        score: their mean score; None where nothing is scored.
        accepted: how many findings somebody accepted; they count no further.
    """

    dataset: str
    as_of: datetime
    sessions: tuple[date, date]
    status: str
    reasons: tuple[Reason, ...]
    symbols: int
    counts: dict[str, int]
    score: float | None
    accepted: int = 0

    def told(self) -> dict[str, Any]:
        """Everything for JSON."""
        return {
            "dataset": self.dataset,
            "as_of": self.as_of.isoformat(),
            "sessions": {"first": str(self.sessions[0]), "last": str(self.sessions[1])},
            "status": self.status,
            "reasons": [vars(reason) for reason in self.reasons],
            "symbols": self.symbols,
            "symbol_sessions": self.counts,
            "score": self.score,
            "accepted_findings": self.accepted,
        }


def judge_sessions(
    expected: pl.DataFrame,
    scores: pl.DataFrame | None,
    findings: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    as_of: datetime,
    now: datetime | None = None,
) -> pl.DataFrame:
    """The status of every symbol-session that was over at a moment, or is late while it runs.

    RED with an error or a RED score; YELLOW with a warning, a YELLOW score, or none where there
    should be one; else GREEN. A session without any bar is left out until `stale_warn` has passed
    since its close, and YELLOW until `stale_error` has: its bars may be on their way. One that runs
    is judged where its newest bar is late (`stale`), and needs no score yet.

    `as_of` says which sessions are judged, `now` how: whoever asks about a session hears the same
    of it, whatever moment is asked about.

    Args:
        expected: symbol, session and, where known, open and close: what should be there.
        scores: rows of SCORES of the dataset; None: it is one that nobody scores.
        findings: rows of FINDINGS of the dataset.
        limits: symbol, stale_warn, stale_error, see `market_data.quality.view.limits_of`.
        as_of: the moment, UTC.
        now: when it is asked, and of the findings, UTC; None: the same. What ran at `as_of` and is
            over now is left out; what was young then and still lacks its bars is late.

    Returns:
        Rows of JUDGED sorted by (symbol, session).
    """
    found = _found(FINDINGS.conform(findings))
    scored = SCORES.empty() if scores is None else scores
    spoken = scored.select(*KEY, "score", "coverage", scored_as="status")
    named = pl.concat([expected.select(KEY), spoken.select(KEY), found.select(KEY)]).unique()
    opens, closes = (
        pl.col(c) if c in expected.columns else pl.lit(None, pl.Datetime("us", "UTC"))
        for c in ("open", "close")
    )
    hours = expected.select(*KEY, open=opens, close=closes).unique(KEY)
    over = pl.coalesce(pl.col("close") <= as_of, pl.col("session") < as_of.date())
    runs = (pl.col("open") <= as_of) & (pl.col("close") > (now or as_of))
    late = pl.col("code").list.contains(_LATE)
    rows = (
        named.join(hours, on=KEY, how="left")
        .join(found, on=KEY, how="left")
        .filter(over | (runs & late).fill_null(value=False))
        .join(spoken.unique(KEY), on=KEY, how="left")
        .join(limits.select("symbol", "stale_warn", "stale_error"), on="symbol", how="left")
        .with_columns(
            pl.col("errors", "warnings").fill_null(0),
            pl.col("code").fill_null(pl.lit([], pl.List(pl.String))),
            absent=pl.col("code").list.contains(_ABSENT).fill_null(value=False),
            lag=pl.lit(now or as_of) - pl.col("close"),
            over=over,
        )
    )
    early = pl.col("absent") & (pl.col("lag") <= pl.col("stale_warn")).fill_null(value=False)
    young = pl.col("absent") & (pl.col("lag") <= pl.col("stale_error")).fill_null(value=False)
    lacking = pl.col("scored_as").is_null() & pl.col("over") & pl.lit(scores is not None)
    red = (pl.col("errors") > 0) | (pl.col("scored_as") == RED)
    yellow = (pl.col("warnings") > 0) | (pl.col("scored_as") == YELLOW) | lacking
    judged = rows.filter(~early).with_columns(
        status=pl.when(red & ~young)
        .then(pl.lit(RED))
        .when(red | yellow)
        .then(pl.lit(YELLOW))
        .otherwise(pl.lit(GREEN)),
        codes=pl.when(lacking & ~pl.col("absent"))
        .then(pl.concat_list("code", pl.lit(_UNSCORED)).list.unique())
        .otherwise("code")
        .list.sort()
        .list.join(","),
    )
    return judged.select(pl.col(n).cast(t) for n, t in JUDGED.items()).sort(KEY)


def _found(findings: pl.DataFrame) -> pl.DataFrame:
    """Columns symbol, session, errors, warnings, code (a list)."""
    return findings.group_by(KEY).agg(
        errors=(pl.col("severity") == ERROR).sum(),
        warnings=(pl.col("severity") == WARN).sum(),
        code=pl.col("code").unique().sort(),
    )


def health(
    dataset: str,
    judged: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    as_of: datetime,
    sessions: tuple[date, date],
    accepted: int = 0,
    unusable_by: Sequence[str] = (),
    named: Mapping[str, bool] | None = None,
) -> Health:
    """The verdict over a window of sessions.

    RED where nothing was due, or where of an asset class more than `block_share` of the
    symbol-sessions are RED, more than that share of the symbols are in their newest session, or
    the mean score is below `score_error`; where the coverage of any symbol over the window is below
    its `coverage_error`; where there never was a bar of a symbol that was named. YELLOW where any
    symbol-session is not GREEN, or nothing of a named symbol was due. Else GREEN.

    Args:
        dataset: its name.
        judged: rows of JUDGED.
        limits: symbol, asset_class, block_share, coverage_error, score_warn, score_error.
        as_of: the moment, UTC.
        sessions: first and last day that `judged` is about.
        accepted: how many findings of these days somebody accepted.
        unusable_by: who marked sessions among them unusable.
        named: symbols that the question names, and whether there ever was a bar of each.
    """
    per_class = judged.join(
        limits.select("symbol", "asset_class", "block_share", "score_error"),
        on="symbol",
        how="left",
    )
    reasons = [
        *reasons_of_named(named or {}, judged),
        *reasons_of_symbols(judged, limits),
        *reasons_of_classes(per_class),
        *reasons_of_codes(judged, unusable_by),
    ]
    reasons.sort(key=lambda reason: reason.status != RED)
    if judged.is_empty():
        text = f"no session of {sessions[0]} to {sessions[1]} was due: nothing is known of it"
        reasons = [r for r in reasons if r.status == RED]
        reasons.append(Reason(RED, "nothing", 0, 0, text))
    reds = any(reason.status == RED for reason in reasons)
    mean = judged["score"].mean()
    return Health(
        dataset=dataset,
        as_of=as_of,
        sessions=sessions,
        status=RED if reds else YELLOW if reasons else GREEN,
        reasons=tuple(reasons),
        symbols=judged["symbol"].n_unique(),
        counts={s: int((judged["status"] == s).sum()) for s in (GREEN, YELLOW, RED)},
        score=mean if isinstance(mean, float) else None,
        accepted=accepted,
    )
