"""Scores that other rules made than those in force, and scoring exactly these anew.

What belongs here: finding them and making them anew, with their sessions put together into ranges.
What does not: the version of the rules of a score (rules.py), scoring a range (score.py), scores
whose bars changed (market_data/quality/score_checks.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.pipeline.rules import rules_in_force
from market_data.pipeline.score import score_range
from market_data.timeframes import Timeframe


@dataclass(frozen=True)
class Rescored:
    """What scoring anew did.

    Attributes:
        scores: symbol-sessions of a dataset that were scored.
        changed: of these, those whose score or status is another now.
    """

    scores: int
    changed: int


def scores_by_other_rules(
    platform: Platform,
    sessions: tuple[date, date] | None = None,
    symbols: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Scores that were made by other rules than those in force.

    Scores of a symbol that was taken out of the universe are none of them.

    Args:
        platform: configuration and ports.
        sessions: first and last session; None for all that are stored.
        symbols: only these; None for all.

    Returns:
        Columns dataset, symbol, session, rule_version (that made the score), in_force, score and
        status, sorted by (symbol, session, dataset).
    """
    stored = platform.store.scan(
        SCORES_DATASET,
        symbols=symbols,
        sessions=sessions,
        columns=["dataset", "symbol", "session", "rule_version", "score", "status"],
    )
    return (
        stored.with_columns(in_force=rules_in_force(platform))
        .filter(pl.col("rule_version") != pl.col("in_force"))
        .select("dataset", "symbol", "session", "rule_version", "in_force", "score", "status")
        .sort("symbol", "session", "dataset")
    )


def rescore(platform: Platform, outdated: pl.DataFrame, progress: Progress = silent) -> Rescored:
    """Score anew exactly the sessions of such a list, and those beside that it changes.

    Args:
        platform: configuration and ports.
        outdated: of `scores_by_other_rules`, or of `scores_and_flags.to_score_anew`.
        progress: told what is being scored.
    """
    held = platform.store.scan(
        SCORES_DATASET,
        symbols=outdated["symbol"].unique().sort().to_list(),
        columns=["symbol", "session"],
    )
    # Sessions without a score lie between others, too.
    held = pl.concat([held, outdated.select("symbol", "session")])
    parts = []
    for symbols, timeframes, first, last in _ranges(outdated, held):
        parts.append(score_range(platform, symbols, first, last, progress, timeframes=timeframes))
    key = ["dataset", "symbol", "session"]
    made = pl.concat(parts) if parts else outdated.select(*key, "score", "status")
    both = outdated.select(*key, "score", "status").join(
        made.select(*key, "score", "status"), on=key, suffix="_now"
    )
    changed = both.filter(
        pl.col("score").ne_missing(pl.col("score_now")) | (pl.col("status") != pl.col("status_now"))
    )
    return Rescored(both.height, changed.height)


def _ranges(
    outdated: pl.DataFrame, held: pl.DataFrame
) -> Iterator[tuple[list[str], list[Timeframe], date, date]]:
    """Symbols, timeframes, first and last session of unbroken stretches that have them in common.

    Args:
        outdated: dataset, symbol, session.
        held: symbol, session of every stored score; a stretch leaves out none between its ends.
    """
    named = {curated_bars(t).name: t for t in Timeframe}
    before = (
        held.unique()
        .sort("symbol", "session")
        .with_columns(before=pl.col("session").shift().over("symbol"))
    )
    days = (
        outdated.sort("dataset")
        .group_by("symbol", "session")
        .agg(datasets=pl.col("dataset").str.join(" "))
        .join(before, on=["symbol", "session"])
        .group_by("datasets", "session")
        .agg(symbols=pl.col("symbol").sort().str.join("\n"), before=pl.col("before").unique())
        .sort("datasets", "symbols", "session")
    )
    # The row before is of the same datasets and symbols, and of the session that every one of these
    # symbols holds before this one.
    row_before = pl.col("session").shift().over("datasets", "symbols")
    follows = (pl.col("before").list.len() == 1) & (pl.col("before").list.first() == row_before)
    runs = (
        days.with_columns(run=(~follows.fill_null(value=False)).cum_sum())
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("datasets", "symbols").first(),
            first=pl.col("session").first(),
            last=pl.col("session").last(),
        )
    )
    for datasets, symbols, first, last in runs.select(
        "datasets", "symbols", "first", "last"
    ).iter_rows():
        yield symbols.split("\n"), [named[d] for d in datasets.split(" ")], first, last
