"""The quality report's contents: heat maps, trends, findings by code, drift, worst symbols.

What belongs here: from judged symbol-sessions and findings to what a page shows, of bounded size
however many symbols there are. What does not: gathering them (market_data/pipeline/health.py), the
page (emp/quality_report.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from market_data.quality.annotations import ACCEPTED
from market_data.quality.findings import ERROR, KEY
from market_data.quality.health import Health
from market_data.quality.score import GREEN, RED, YELLOW

SHOWN_SYMBOLS = 200
"""Rows of a heat map; the symbols are sorted worst first, and a table has them all."""
SHOWN_FINDINGS = 100
SHOWN_DRIFT = 40

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class HeatMap:
    """Symbols by sessions.

    Attributes:
        symbols: of the rows, worst first.
        sessions: of the columns.
        runs: neighbouring cells of one level: row, first and last column (numbers), level, from,
            to (sessions), low, high (values; null where unknown), codes.
    """

    symbols: Sequence[str]
    sessions: Sequence[date]
    runs: Rows


@dataclass(frozen=True)
class DatasetReport:
    """What the page shows of one dataset.

    Attributes:
        health: the verdict over the period.
        sessions: how many sessions there are.
        symbols: per symbol, worst first: symbol, sessions, score, coverage, red, yellow, codes.
        scores: heat map of status and score.
        coverage: heat map of coverage.
        trend: per session: session, score, coverage (means), red, yellow (shares).
        codes: per code and severity: code, severity, findings, rows, symbols, first, last.
        findings: the newest of them, errors first.
        accepted: the newest findings that somebody accepted, with author and reason.
        accepted_count: how many there are.
        decisions: the newest decisions about sessions of the period that stand: decision,
            first_session, last_session, symbol, what, author, reason.
        drift: per symbol where vendors meet, the farthest apart first: symbol, sessions, mean,
            largest, session (of the largest), vendors, odd_vendor, limit, share (of the limit).
    """

    health: Health
    sessions: int
    symbols: Rows
    scores: HeatMap
    coverage: HeatMap
    trend: Rows
    codes: Rows
    findings: Rows
    drift: Rows
    accepted: Rows
    accepted_count: int
    decisions: Rows


def dataset_report(
    health: Health,
    judged: pl.DataFrame,
    findings: pl.DataFrame,
    drift: pl.DataFrame,
    limits: pl.DataFrame,
    accepted: pl.DataFrame | None = None,
    decisions: pl.DataFrame | None = None,
) -> DatasetReport:
    """Put together what the page shows of one dataset.

    Args:
        health: the verdict.
        judged: rows of `market_data.quality.health.JUDGED`.
        findings: rows of FINDINGS.
        drift: columns of `market_data.quality.drift.SESSION_DRIFT`, or no column at all.
        limits: symbol, coverage_warn, coverage_error, drift_error.
        accepted: rows of `market_data.quality.annotations.ACCEPTED`.
        decisions: rows of `emp.annotations.LISTED` that stand, oldest first.
    """
    decided = pl.DataFrame(schema=ACCEPTED) if accepted is None else accepted
    per_symbol = _symbols(judged)
    shown = per_symbol["symbol"].head(SHOWN_SYMBOLS).to_list()
    cells = judged.join(
        limits.select("symbol", "coverage_warn", "coverage_error"), on="symbol", how="left"
    )
    return DatasetReport(
        health=health,
        sessions=judged["session"].n_unique(),
        symbols=per_symbol.to_dicts(),
        scores=_heat_map(cells, shown, "score", _score_level()),
        coverage=_heat_map(
            cells.with_columns(codes=pl.lit("")), shown, "coverage", _coverage_level()
        ),
        trend=_trend(judged),
        codes=_codes(findings),
        findings=findings.sort("severity", "session", "symbol", descending=[False, True, False])
        .head(SHOWN_FINDINGS)
        .to_dicts(),
        drift=_drift(drift, limits),
        accepted=decided.sort("session", "symbol", descending=[True, False])
        .head(SHOWN_FINDINGS)
        .to_dicts(),
        accepted_count=decided.height,
        decisions=[] if decisions is None else decisions.reverse().head(SHOWN_FINDINGS).to_dicts(),
    )


def _symbols(judged: pl.DataFrame) -> pl.DataFrame:
    codes = pl.col("codes").filter(pl.col("codes") != "").str.split(",").explode()
    return (
        judged.group_by("symbol")
        .agg(
            pl.col("score", "coverage").mean(),
            sessions=pl.len(),
            red=(pl.col("status") == RED).sum(),
            yellow=(pl.col("status") == YELLOW).sum(),
            codes=codes.unique().sort().str.join(", "),
        )
        .sort(
            ["red", "yellow", "score", "symbol"],
            descending=[True, True, False, False],
            nulls_last=True,
        )
    )


def _score_level() -> pl.Expr:
    """The levels red, yellow, fair (GREEN, though not perfect) and full."""
    status = pl.col("status")
    return (
        pl.when(status == RED)
        .then(pl.lit("red"))
        .when(status == YELLOW)
        .then(pl.lit("yellow"))
        .when((status == GREEN) & (pl.col("score") < 1))
        .then(pl.lit("fair"))
        .otherwise(pl.lit("full"))
    )


def _coverage_level() -> pl.Expr:
    """The levels none (unknown), empty, red, yellow, fair and full."""
    share = pl.col("coverage")
    return (
        pl.when(share.is_null())
        .then(pl.lit("none"))
        .when(share == 0)
        .then(pl.lit("empty"))
        .when(share < pl.col("coverage_error"))
        .then(pl.lit("red"))
        .when(share < pl.col("coverage_warn"))
        .then(pl.lit("yellow"))
        .when(share < 1)
        .then(pl.lit("fair"))
        .otherwise(pl.lit("full"))
    )


def _heat_map(cells: pl.DataFrame, symbols: Sequence[str], value: str, level: pl.Expr) -> HeatMap:
    """Neighbours of one level are one run: a sound symbol is one shape, however long the period."""
    sessions = cells["session"].unique().sort()
    rows = pl.DataFrame({"symbol": symbols}, schema={"symbol": pl.String}).with_row_index("row")
    columns = sessions.to_frame().with_row_index("column")
    placed = (
        cells.with_columns(level=level)
        .join(rows, on="symbol")
        .join(columns, on="session")
        .sort("row", "column")
        .with_columns(pl.col("row", "column").cast(pl.Int64))
    )
    same = (
        (pl.col("level") == pl.col("level").shift())
        & (pl.col("codes") == pl.col("codes").shift())
        & (pl.col("column") == pl.col("column").shift() + 1)
        & (pl.col("row") == pl.col("row").shift())
    )
    runs = (
        placed.with_columns(run=(~same.fill_null(value=False)).cum_sum())
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("row", "level", "codes").first(),
            first=pl.col("column").first(),
            last=pl.col("column").last(),
            since=pl.col("session").first(),
            until=pl.col("session").last(),
            low=pl.col(value).min(),
            high=pl.col(value).max(),
        )
        .drop("run")
    )
    return HeatMap(symbols, sessions.to_list(), runs.to_dicts())


def _trend(judged: pl.DataFrame) -> Rows:
    return (
        judged.group_by("session")
        .agg(
            pl.col("score", "coverage").mean(),
            red=(pl.col("status") == RED).mean(),
            yellow=(pl.col("status") == YELLOW).mean(),
        )
        .sort("session")
        .to_dicts()
    )


def _codes(findings: pl.DataFrame) -> Rows:
    return (
        findings.group_by("check", "code", "severity")
        .agg(
            pl.col("rows").sum(),
            findings=pl.len(),
            symbols=pl.col("symbol").n_unique(),
            first=pl.col("session").min(),
            last=pl.col("session").max(),
        )
        .sort(
            [pl.col("severity") == ERROR, "findings", "code", "check"],
            descending=[True, True, False, False],
        )
        .to_dicts()
    )


def _drift(drift: pl.DataFrame, limits: pl.DataFrame) -> Rows:
    if not drift.width or drift.is_empty():
        return []
    largest = pl.col("drift") == pl.col("drift").max()
    return (
        drift.sort(KEY)
        .group_by("symbol")
        .agg(
            sessions=pl.len(),
            mean=pl.col("drift").mean(),
            largest=pl.col("drift").max(),
            session=pl.col("session").filter(largest).first(),
            vendors=pl.col("vendors").max(),
            odd_vendor=pl.col("odd_vendor").filter(largest).first(),
        )
        .join(limits.select("symbol", limit="drift_error"), on="symbol", how="left")
        .with_columns(share=pl.col("largest") / pl.col("limit"))
        .sort("share", "symbol", descending=[True, False])
        .head(SHOWN_DRIFT)
        .to_dicts()
    )
